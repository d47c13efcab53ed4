"""``kogine runs repeat`` and ``reproduce``: run a recorded run once more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from kogine.command_with_script import chosen_format
from kogine.options import File, option
from kogine.report import printing, report
from kogine.run_tables import store_of
from kogine.runs import RunCommand, run_argument, table_options
from kogine.script_command import is_assignment, split_override, typed_override

from kohaku_ast.display.text import csv_text
from kohaku_ast.errors import KogineError, UsageError, visible
from kohaku_ast.store.pipeline_record import PIPELINE

if TYPE_CHECKING:
    from kohaku_ast.pipeline.pipeline import Pipeline
    from kohaku_ast.runner.overrides import Override
    from kohaku_ast.store.record import Record
    from kohaku_ast.store.reproduce import Reproduction
    from kohaku_ast.store.store import Store


@click.command(
    cls=RunCommand,
    usage="RUN [TARGET=VALUE ...]",
    examples=("kogine runs repeat last", "kogine runs repeat 3 lr=0.2 'main(epochs)=50'"),
)
@run_argument
@click.argument("values", nargs=-1, metavar="[TARGET=VALUE ...]")
@table_options
@option("--new-store", group="Options", type=File("folder"), default="", hidden=True)
def repeat(
    run: str, values: tuple[str, ...], store: str, new_store: str, **form: Any
) -> Callable[[], int]:
    """Run today's script with the values and arguments of a recorded run; others replace them. As
    JSON or CSV, kogine prints the new run, as kogine runs ls does; what the script prints goes to
    standard error.
    """
    for word in values:
        if not is_assignment(word):
            raise UsageError(f"{word!r} is no TARGET=VALUE: kogine runs repeat {repeat.usage}")
    record, shape = store_of(store).find(run), chosen_format(form)
    overrides, made = [typed_override(word) for word in values], list[str]()
    if record.facts.get("kind") == PIPELINE:
        root = os.path.abspath(new_store or record.folder.parent)
        start = _repeat_pipeline(record, overrides, root, made)
    else:
        without = [split_override(word)[0] for word in values]
        start = _repeat_script(record, overrides, without, made)
    return start if shape == "table" else lambda: _print_new(start, made, shape)


def _print_new(start: Callable[[], int], made: list[str], shape: str) -> int:
    """Call *start*, and print the run of the folder that *made* then has, however it has ended."""
    from kohaku_ast.flow.report import only_json

    try:
        with only_json():
            return start()
    finally:
        if made:
            _print_run(made[0], shape)


def _print_run(folder: str, shape: str) -> None:
    from kogine.run_tables import print_csv, print_json

    from kohaku_ast.exports.tables import document, table_of

    root, name = os.path.split(folder)
    runs = store_of(root).select([name])
    if shape == "json":
        print_json(document(runs.summaries[0], runs))
    else:
        print_csv(*table_of(runs))


def _repeat_script(
    record: Record, overrides: Sequence[Override], without: Sequence[str], made: list[str]
) -> Callable[[], int]:
    """The function that runs today's script with *overrides* and the values of *record*, but for
    the targets *without*; *made* gets the folder of its record.
    """
    from kogine.flow_run import FlowOptions, run_flow
    from kogine.repeat_command import repeat_command_of_run

    from kohaku_ast.flow.repeated_run import (
        in_run_dir,
        recorded_inputs,
        repeated_work,
        warn_of_secrets,
    )
    from kohaku_ast.flow.run import Observer, Run
    from kohaku_ast.flow.settings import FlowSettings

    class Made(Observer):
        def on_process(self, run: Run, pid: int) -> None:
            self.on_end(run)

        def on_end(self, run: Run) -> None:
            made[:] = [str(run.folder)] if run.folder else []

    work = repeated_work(record, overrides, without)
    settings = FlowSettings(
        root=record.folder.parent,
        inputs=recorded_inputs(record),
        in_run_dir=in_run_dir(record),
        env=record.facts.get("env") or {},
    )
    options = FlowOptions(settings, is_json=False)
    warn_of_secrets(record)
    return lambda: run_flow([work], options, repeat_command_of_run, 1, [Made()])


def _repeat_pipeline(
    record: Record, changed: Sequence[Override], root: str, made: list[str]
) -> Callable[[], int]:
    """The function that runs today's pipeline with the inputs of *record*, but for those that are
    *changed*; its record goes below *root*, and *made* gets its folder.
    """
    from kogine.pipeline_file import (
        input_values,
        is_imperative,
        print_results,
        run_imperative,
        run_watched,
        with_pipeline,
    )
    from kogine.script_command import ScriptCommand

    from kohaku_ast.flow.repeated_run import launch_today
    from kohaku_ast.pipeline.run_record import recording_below
    from kohaku_ast.store.pipeline_record import pipeline_of
    from kohaku_ast.store.reproduce import naming_damage, values_of
    from kohaku_ast.store.sources import Objects

    with naming_damage(record):
        script, wanted = pipeline_of(record)
        launch_today(record)
        objects = Objects(record.folder.parent)
        values = values_of(record, objects, {one.target for one in changed}).globals_dict
        command = ScriptCommand((script,), changed, record.facts["argv"][1:])

    def run(pipeline: Pipeline) -> None:
        if is_imperative(pipeline):
            with recording_below(root, made):
                return run_imperative(pipeline, command, values, wanted)
        given = {**values, **input_values(pipeline, command)}
        pipeline.plan(given, wanted)  # an error comes before a progress bar is shown
        with recording_below(root, made):
            found = run_watched(pipeline, given, wanted, {})
        print_results(found)
        return None

    return with_pipeline(command, run)


@click.command(
    cls=RunCommand,
    usage="RUN",
    examples=("kogine runs reproduce 3", "kogine runs reproduce last --link data --link cfg.json"),
)
@run_argument
@option(
    "--link",
    group="Options",
    type=File("path"),
    multiple=True,
    help="A file or folder of data that the script reads; it appears in the new folder.",
)
@table_options
def reproduce(run: str, link: tuple[str, ...], store: str, **form: Any) -> Callable[[], int]:
    """Restore script, modules and values of a recorded run, run them, and compare the results."""
    found = store_of(store)
    record, shape = found.find(run), chosen_format(form)
    return lambda: _reproduce(found, record, link, shape)


def _reproduce(store: Store, record: Record, link: Sequence[str], shape: str) -> int:
    try:
        found = store.reproduce(record, link=link, output=None if shape == "table" else 2)
    except KogineError as error:
        return report(error)
    failure = found.after and found.after.error
    if failure and failure.type == "FileNotFoundError" and not found.before.error:
        print(
            "kogine: the script lacks a file, which is no part of the record: name it, or its "
            f"folder: kogine runs reproduce {record.folder.name} --link PATH",
            file=sys.stderr,
        )
    show = {"table": _print_text, "json": _print_json, "csv": _print_csv}[shape]
    unprinted = printing(show)(found)
    return unprinted or int(not found.is_equal)


def _print_json(found: Reproduction) -> int:
    import json

    document = {
        "run": found.before.folder.name,
        "folder": str(found.folder),
        "equal": list(found.equal),
        "different": {name: list(pair) for name, pair in found.different.items()},
        "warnings": list(found.warnings),
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))
    return 0


def _print_csv(found: Reproduction) -> int:
    rows: list[tuple[object, ...]] = [(name, "equal", None, None) for name in found.equal]
    rows += [(name, "different", *pair) for name, pair in found.different.items()]
    print(csv_text(("name", "state", "before", "now"), rows), end="")
    for one in found.warnings:
        print(f"kogine: warning: {visible(one)}", file=sys.stderr)
    return 0


def _print_text(found: Reproduction) -> int:
    for one in found.warnings:
        print(f"kogine: warning: {visible(one)}", file=sys.stderr)
    if found.after is None:
        text = f"the run in {found.folder} was not started, or its record could not be written"
        print(f"kogine: error: {text}", file=sys.stderr)
        return 0
    for name in found.equal:
        print(f"equal      {visible(name)}")
    for name, (before, now) in found.different.items():
        print(f"different  {visible(name)}: {visible(before)} -> {visible(now)}")
    print(f"folder     {visible(os.path.relpath(found.folder))}")
    return 0
