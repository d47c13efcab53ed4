"""Runs a file, and then runs, draws or explains the pipeline that it defines."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any, TypeVar

from kogine.report import explain_script_error, printing, report
from kogine.script_command import ScriptCommand, merge_configs

from kohaku_ast.config.cells import is_cell
from kohaku_ast.display.graph_layout import one_line
from kohaku_ast.errors import (
    KogineError,
    PipelineError,
    SourceError,
    UsageError,
    did_you_mean,
    label,
)
from kohaku_ast.frames import hidden, without_ours
from kohaku_ast.pipeline.callbacks import Callback, Context
from kohaku_ast.pipeline.drawing import Drawing, check_suffix
from kohaku_ast.pipeline.graph import find_node, part_of, shown
from kohaku_ast.pipeline.inputs import read_input
from kohaku_ast.pipeline.pipeline import Pipeline
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import Launch, split_function
from kohaku_ast.runner.loaded_modules import show_own
from kohaku_ast.runner.main_module import run_here, warn_compiler
from kohaku_ast.runner.process_exit import die_of

_T = TypeVar("_T")
_LONGEST = 160
"""Characters of a result that is printed."""


def start_pipeline(command: ScriptCommand) -> Callable[[], int]:
    """Run the file's module body, and then the pipeline in it."""
    return with_pipeline(command, lambda pipeline: _run(pipeline, command))


def _run(pipeline: Pipeline, command: ScriptCommand) -> None:
    if is_imperative(pipeline):
        return run_imperative(pipeline, command)
    wanted = wanted_outputs(pipeline, command)
    cells, plain = config_values(command)
    texts = {**cells, **given_texts(command)}
    values = {**plain, **read_inputs(pipeline, texts)}
    if command.option("from"):
        check_above(pipeline, command.option("from"), values, wanted)
    pipeline.plan(values, wanted)  # an error comes before a progress bar is shown
    results = run_watched(pipeline, values, wanted, command.options)
    skipped = [name for name in wanted if name not in results]
    if skipped:
        text = f"{', '.join(skipped)}: skipped, because a condition does not hold"
        sys.stderr.write(f"{label('note', sys.stderr)}{text}\n")
    print_results(results, "json" in command.options)
    return None


def is_imperative(pipeline: Any) -> bool:
    """Whether *pipeline*, or a class, is an imperative pipeline."""
    return hasattr(pipeline, "with_settings")


def run_imperative(
    found: Any,
    command: ScriptCommand,
    before: Mapping[str, Any] = MappingProxyType({}),
    wanted: list[str] | None = None,
) -> None:
    """Run the imperative pipeline *found*, or the one of that class, with the inputs and settings
    of *command*, and with those *before* that it does not give.
    """
    from kohaku_ast.imperative.member_settings import configured

    cells, plain = config_values(command)
    texts = {**cells, **given_texts(command)}
    pipeline, values, texts = configured(found, texts, {**before, **plain})
    to_node = command.option("to") or None
    pipeline = pipeline.part(command.option("from") or None, to_node)
    wanted = only_names(command) or wanted
    values = {**values, **read_inputs(pipeline, texts)}
    pipeline.plan(values, wanted)  # an error comes before a progress bar is shown
    result = run_watched(pipeline, values, wanted, command.options)
    if wanted is None and not pipeline.return_all:
        result = {to_node or pipeline.graph.outputs[0]: result}
    print_results(result, "json" in command.options)


def print_results(results: Mapping[str, Any], is_json: bool = False) -> None:
    """Print *results*, a line for each or as JSON."""
    print_text(_as_json(results) if is_json else _as_lines(results))


def run_watched(
    pipeline: Pipeline,
    values: Mapping[str, Any],
    wanted: list[str] | None,
    options: Mapping[str, Any],
) -> Any:
    """The results of *pipeline*, with a progress bar and a record unless *options* say otherwise,
    which may name a cluster, too. SIGTERM ends it as Ctrl-C does, so that its record has an end. A
    KogineError that comes when nodes have run is printed, and the status is 1.
    """
    is_named = wanted is None or {"only", "output", "to"} & options.keys()
    bars = [] if "no_progress" in options else _progress_bars(pipeline)
    record = False if "no_record" in options else pipeline.record is not False
    begun = _Begun()
    shown = pipeline.watched([*bars, begun], record, options.get("on"))
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _stop)
    try:
        with _logging_nowhere() if record is False else nullcontext():
            if pipeline.may_skip and not is_named:
                return shown.run_available(values, wanted or ())
            return shown.run(values, wanted)
    except KogineError as error:
        if begun.is_set:
            report(error)
            sys.exit(1)
        raise
    except _Stopped:
        sys.exit(die_of(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)


def _logging_nowhere() -> AbstractContextManager[object]:
    """Inside, what nodes log is kept nowhere: else it would have records of its own."""
    from kohaku_ast.helpers.run_context import CurrentRun, enter_run

    return enter_run(CurrentRun())


class _Begun(Callback):
    """Whether something has happened to a node."""

    follows = True
    is_set = False

    def on_node_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """It runs."""
        self.is_set = True

    def on_node_cached(self, name: str, key: str, context: Context) -> None:
        """Its results were in the cache."""
        self.is_set = True

    def on_node_skipped(self, name: str, why: str, context: Context) -> None:
        """Its condition does not hold."""
        self.is_set = True


class _Stopped(BaseException):
    """SIGTERM has come."""


def _stop(number: int, frame: object) -> None:
    raise _Stopped


def print_text(text: str) -> None:
    """Print *text*; the file's run ends with status 1 if not all could be printed."""

    @printing
    def write() -> int:
        sys.stdout.write(text)
        return 0

    if write():
        sys.exit(1)


def wanted_outputs(pipeline: Pipeline, command: ScriptCommand) -> list[str]:
    """The names of the outputs to compute and print."""
    only = only_names(command)
    if only:
        return only
    from_node, to_node = command.option("from") or None, command.option("to") or None
    nodes = part_of(pipeline.graph, from_node, to_node)
    if to_node:
        return list(find_node(pipeline.graph, to_node).outputs)
    read = {name for node in pipeline.nodes for name in node.inputs}
    ends = [name for node in nodes for name in node.outputs if name not in read]
    return ends or [name for node in nodes for name in node.outputs]


def config_values(
    command: ScriptCommand, name: str = "pipeline run", takes: str = "a pipeline has inputs"
) -> tuple[dict[str, str], dict[str, Any]]:
    """The values in the files of ``--config``: those of data files, which are read as the types of
    inputs and settings, and those of Python. *name* is that of the command. Raises KogineError.
    """
    config = merge_configs(command.config_files, name)
    if config is None:
        return {}, {}
    for other in ("args", "kwargs", "argv", "new_globals", "outputs", "artifacts"):
        if getattr(config, other):
            raise UsageError(f"--config: {takes} alone: {other} would have no effect")
    values: dict[str, Any] = dict(config.globals_dict)
    cells = {key: one for key, one in values.items() if is_cell(one)}
    return cells, {key: one for key, one in values.items() if key not in cells}


def only_names(command: ScriptCommand) -> list[str]:
    """The names that ``--only`` has."""
    # Scripts of users may still have the name that it had before.
    return listed_names(command.option("only") or command.option("output") or "")


def listed_names(text: str) -> list[str]:
    """The names in *text*, ``a,b``, each once."""
    return list(dict.fromkeys(text.replace(",", " ").split()))


def input_values(pipeline: Pipeline, command: ScriptCommand) -> dict[str, Any]:
    """The values of the inputs, read from their texts; raises UsageError for one given twice."""
    return read_inputs(pipeline, given_texts(command))


def read_inputs(pipeline: Pipeline, texts: Mapping[str, str]) -> dict[str, Any]:
    """The values of the inputs with these *texts*; prints a note for one without a type."""
    values: dict[str, Any] = {}
    for name, text in texts.items():
        values[name], note = read_input(pipeline.graph, name, text)
        if note:
            sys.stderr.write(f"{label('note', sys.stderr)}{note}\n")
    return values


def given_texts(command: ScriptCommand) -> dict[str, str]:
    """The texts of INPUT=VALUE, by input; raises UsageError for one given twice."""
    texts: dict[str, str] = {}
    for one in command.overrides:
        if one.target in texts:
            raise UsageError(f"the input {one.target!r} is given twice")
        texts[one.target] = str(one.value)
    return texts


def _progress_bars(pipeline: Pipeline) -> list[Callback]:
    """A progress bar, if stderr is a terminal and *pipeline* has no bar of its own."""
    from kohaku_ast.display.live import can_be_painted
    from kohaku_ast.pipeline.progress_bars import ProgressBar

    has_one = any(isinstance(one, ProgressBar) for one in pipeline.callbacks or ())
    if has_one or sys.stderr is None or not can_be_painted(sys.stderr):
        return []
    return [ProgressBar(sys.stderr)]


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


def check_above(
    pipeline: Pipeline, start: str, values: Mapping[str, Any], wanted: Iterable[str]
) -> None:
    """Raise PipelineError unless all inputs that the nodes from *start* on get from other nodes are
    among *values* or in the cache.
    """
    wanted = list(wanted)
    names = _from_above(pipeline, start, values, wanted)
    if not names:
        return
    if pipeline.cache is None:
        raise _error(pipeline, start, dict.fromkeys(names, "the pipeline has no cache"))
    would_run = _not_cached(pipeline, start, values, wanted)
    if would_run:
        whys = {name: would_run.get(pipeline.graph.producers[name].name, "") for name in names}
        raise _error(pipeline, start, {name: why for name, why in whys.items() if why})


def _from_above(
    pipeline: Pipeline, start: str, values: Mapping[str, Any], wanted: Iterable[str]
) -> list[str]:
    """The inputs that the nodes from *start* on get from nodes before them."""
    part = part_of(pipeline.graph, start)
    own = {name for node in part for name in node.outputs}
    needed = dict.fromkeys(wanted)
    for node in reversed(part):
        if any(name in needed and name not in values for name in node.outputs):
            needed.update(dict.fromkeys(node.inputs))
    outside = pipeline.graph.producers.keys() - own - values.keys()
    return [name for name in needed if name in outside]


def _not_cached(
    pipeline: Pipeline, start: str, values: Mapping[str, Any], wanted: list[str]
) -> dict[str, str]:
    """Name of each node before *start* that would run -> why it would."""
    own = {name for node in part_of(pipeline.graph, start) for name in node.outputs}
    try:
        plan = pipeline.plan(values, wanted)
    except PipelineError as error:
        raise PipelineError(
            f"{error}\n(--from {start}: what is cached above it is found by the same inputs. Or "
            "give what it takes from there.)"
        ) from None
    rows = pipeline.explain_cache(values, wanted).rows
    return {
        node.name: row.why
        for node, row in zip(plan.nodes, rows)
        if row.state == "runs" and own.isdisjoint(node.outputs)
    }


def _error(pipeline: Pipeline, start: str, missing: Mapping[str, str]) -> PipelineError:
    lines = [
        f"{name!r} is missing: {shown(pipeline.graph.producers[name])} gives it, and {why}."
        for name, why in missing.items()
    ]
    give = " ".join(f"{name}=VALUE" for name in missing)
    return PipelineError(
        f"--from {start} runs nothing above it.\n"
        + "\n".join(lines)
        + f"\nGive {give}, or run it once without --from and with a cache. Nothing was run."
    )


def start_drawing(command: ScriptCommand) -> Callable[[], int]:
    """Run the file's module body, and draw or explain the pipeline in it."""
    if "output" in command.options:
        check_suffix(command.option("output"))
    return with_pipeline(command, lambda pipeline: _draw(pipeline, command))


def _draw(pipeline: Pipeline, command: ScriptCommand) -> None:
    ends = command.option("from") or None, command.option("to") or None
    path = command.option("output")
    pipeline = pipeline() if isinstance(pipeline, type) else pipeline
    if not path:
        print_text(f"{pipeline.explain(*ends)}\n")
        return
    save_drawing(pipeline.visualize(command.option("depth", 0), *ends), path)


def save_drawing(drawing: Drawing, path: str) -> None:
    """Write *drawing* to *path*. Raises UsageError."""
    try:
        drawing.save(path)
    except OSError as error:
        raise UsageError(f"cannot write {path!r}: {error.strerror}") from error


def with_pipeline(command: ScriptCommand, use: Callable[[Any], None]) -> Callable[[], int]:
    """The result runs the file as ``__main__``, as Python does, and then *use* with its pipeline.

    A KogineError of *use* is printed, with exit status 2; other exceptions come through.
    """
    path, name = split_function(command.script)
    if path.endswith(".toml"):
        return lambda: _use_toml(path, name, command.argv, use)
    return with_object(command, find_pipeline, use)


def with_object(
    command: ScriptCommand,
    find: Callable[[Mapping[str, object], str, str], Any],
    use: Callable[[Any], None],
) -> Callable[[], int]:
    """The same for what *find* finds among the globals of the file; it gets the path, and the name
    that was given behind it.
    """
    path, name = split_function(command.script)
    launch = Launch(path, command.argv)
    try:
        bound = Binder(launch, split=True).bind()
    except (SyntaxError, ValueError, SourceError) as error:
        return explain_script_error(launch, error)

    @hidden
    def last(names: Mapping[str, object]) -> None:
        show_own()
        try:
            use(find(names, path, name))
        except KogineError as error:
            sys.exit(report(error))
        except KeyboardInterrupt as error:
            raise error.with_traceback(without_ours(error.__traceback__)) from None

    @hidden
    def start() -> int:
        warn_compiler(bound.program)
        run_here(launch, bound.prepared.given.codes("module"), last)
        return 0

    return start


@hidden
def _use_toml(path: str, name: str, words: Sequence[str], use: Callable[[Pipeline], None]) -> int:
    """Import the modules of the TOML file *path*, and *use* its pipeline."""
    show_own()
    try:
        if name:
            raise UsageError(f"{path} is one pipeline: take away :{name}")
        if words:
            raise UsageError(f"{path} takes no arguments: {' '.join(words)} would have no effect")
        use(Pipeline.from_toml(path))
    except KogineError as error:
        return report(error)
    except (Exception, KeyboardInterrupt) as error:
        raise error.with_traceback(without_ours(error.__traceback__)) from error.__cause__
    return 0


def find_pipeline(names: Mapping[str, object], path: str, name: str = "") -> Any:
    """The pipeline called *name*, else the only one that is not a node of another one; without any,
    the only class that is an imperative pipeline. Raises UsageError.
    """
    found: dict[str, Any] = {}
    for own, one in names.items():
        if isinstance(one, Pipeline) and one not in found.values():
            found[own] = one
    classes = {own: one for own, one in names.items() if _is_own_class(one)}
    if name:
        return _named(names, {**found, **classes}, path, name)
    found = found or classes
    inner = {id(one) for outer in found.values() for one in _inside(outer)}
    free = {own: one for own, one in found.items() if id(one) not in inner}
    return the_only("pipeline", free, path, "pipeline = Pipeline([...])")


def the_only(what: str, found: Mapping[str, _T], path: str, example: str) -> _T:
    """The only one of *found*, which the file *path* defines. Raises UsageError."""
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        ways = ", ".join(f"{path}:{own}" for own in found)
        raise UsageError(f"{path}: several {what}s: say which one: {ways}")
    raise UsageError(f"{path}: no {what}: write {example} at module level, outside of the guard")


def _is_own_class(one: object) -> bool:
    """Whether *one* is a class of the file that is an imperative pipeline."""
    return isinstance(one, type) and is_imperative(one) and one.__module__ == "__main__"


def _named(
    names: Mapping[str, object], found: Mapping[str, Any], path: str, name: str
) -> Pipeline | type:
    one = names.get(name)
    if isinstance(one, Pipeline) or (isinstance(one, type) and is_imperative(one)):
        return one
    raise no_such("pipeline", names, found, path, name)


def no_such(
    what: str, names: Mapping[str, object], found: Mapping[str, Any], path: str, name: str
) -> UsageError:
    """The error for *name*, which is none of those that the file *path* with the globals *names*
    defines, *found*.
    """
    have = f"It defines: {', '.join(found)}." if found else "It defines none."
    is_other = f", it is a {type(names[name]).__name__}" if name in names else ""
    return UsageError(
        f"{path}: {name!r} is not a {what}{is_other}. {have}{did_you_mean(name, found)}"
    )


def _inside(pipeline: Any) -> list[Any]:
    """The pipelines that are nodes of *pipeline*, at any depth; of a class, the classes that it is
    made of.
    """
    if isinstance(pipeline, type):
        bases = [one for one in pipeline.__mro__[1:] if is_imperative(one)]
        return [*bases, *pipeline.member_classes()]  # type: ignore[attr-defined]
    found = []
    for node in pipeline.nodes:
        inner = getattr(node, "pipeline", None)
        if isinstance(inner, Pipeline):
            found += [inner.original or inner, *_inside(inner)]
    return found
