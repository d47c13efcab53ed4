"""``kogine pipeline run flow.py``: the results of a pipeline, or of a part of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from kogine.pipeline_file import with_pipeline
from kogine.pipeline_part import check_above
from kogine.script_command import ScriptCommand

from kohaku_ast.display.graph_layout import one_line
from kohaku_ast.errors import UsageError
from kohaku_ast.pipeline.graph import find_node, part_of
from kohaku_ast.pipeline.inputs import read_input
from kohaku_ast.pipeline.pipeline import Pipeline

_LONGEST = 160  # letters of a result


def start_pipeline(command: ScriptCommand) -> Callable[[], int]:
    """Run the file's module body, and then the pipeline in it."""
    return with_pipeline(command, lambda pipeline: _run(pipeline, command))


def _run(pipeline: Pipeline, command: ScriptCommand) -> None:
    wanted = _wanted(pipeline, command)
    values = _values(pipeline, command)
    if command.option("from"):
        check_above(pipeline, command.option("from"), values, wanted)
    pipeline.plan(values, wanted)  # a mistake is told before a bar is shown
    shown = pipeline if "no_progress" in command.options else _shown(pipeline)
    results = shown.run(values, wanted)
    sys.stdout.write(_as_json(results) if "json" in command.options else _as_lines(results))
    sys.stdout.flush()


def _wanted(pipeline: Pipeline, command: ScriptCommand) -> list[str]:
    """The outputs to give."""
    if command.option("output"):
        names = command.option("output").replace(",", " ").split()
        return list(dict.fromkeys(names))
    from_node, to_node = command.option("from") or None, command.option("to") or None
    nodes = part_of(pipeline.graph, from_node, to_node)
    if to_node:
        return list(find_node(pipeline.graph, to_node).outputs)
    read = {name for node in pipeline.nodes for name in node.inputs}
    ends = [name for node in nodes for name in node.outputs if name not in read]
    return ends or [name for node in nodes for name in node.outputs]


def _values(pipeline: Pipeline, command: ScriptCommand) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in command.overrides:
        name = one.target
        if name in values:
            raise UsageError(f"the input {name!r} is given twice")
        values[name], note = read_input(pipeline.graph, name, str(one.value))
        if note:
            sys.stderr.write(f"kogine: note: {note}\n")
    return values


def _shown(pipeline: Pipeline) -> Pipeline:
    """The same, with a bar if there is a terminal to see it and it has none of its own."""
    from kohaku_ast.flow.report import can_be_painted
    from kohaku_ast.pipeline.progress_bars import ProgressBar

    own = pipeline.callbacks or ()
    has_one = any(isinstance(one, ProgressBar) for one in own)
    if has_one or sys.stderr is None or not can_be_painted(sys.stderr):
        return pipeline  # as it is: without callbacks it runs faster
    bar = ProgressBar(sys.stderr)
    return Pipeline(
        pipeline.nodes, pipeline.engine, pipeline.cache, [*own, bar], name=pipeline.name
    )


def _as_lines(results: Mapping[str, Any]) -> str:
    from kohaku_ast.display.text import short_repr

    return "".join(
        f"{name} = {one_line(short_repr(value), _LONGEST)}\n" for name, value in results.items()
    )


def _as_json(results: Mapping[str, Any]) -> str:
    import json

    from kohaku_ast.flow.json_report import as_json

    found = {name: as_json(value) for name, value in results.items()}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
