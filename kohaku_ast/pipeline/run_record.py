"""The record of a pipeline's run: a parent, with the state of each node.

State of a context: the record that the code in it belongs to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from kohaku_ast.errors import KogineError
from kohaku_ast.files import short_path
from kohaku_ast.frames import contextmanager
from kohaku_ast.helpers.run_context import CurrentRun, enter_run
from kohaku_ast.pipeline.callbacks import (
    RECORDER,
    Callback,
    Context,
    NodeStats,
    error_text,
    is_item,
)
from kohaku_ast.pipeline.execution import PipelineRun
from kohaku_ast.pipeline.failure import IN_WORKER, users_part, warn
from kohaku_ast.pipeline.graph import graph_field
from kohaku_ast.pipeline.node_like import Recipe
from kohaku_ast.pipeline.node_output import end_log, nodes_logged
from kohaku_ast.pipeline.tracker_feed import tracker_feed
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.outcome import RunError
from kohaku_ast.store.environment import INDEX, RUN_DIR
from kohaku_ast.store.pipeline_record import (
    PipelineRecord,
    PipelineStart,
    RecordPlace,
    node_field,
    short_field,
)
from kohaku_ast.store.record import working_folder
from kohaku_ast.store.run_folder import FILES, RECORD, RUNS
from kohaku_ast.store.values import in_words
from kohaku_ast.user_code import is_local_file
from kohaku_ast.users_traceback import users_only

Result = TypeVar("Result")
Path_ = tuple[str, ...]


class _Around(NamedTuple):
    """The run that the code of a context belongs to."""

    place: RecordPlace
    #: What the variable for files was then: a script inside of the run has another one.
    files: str | None
    #: Gets the folder of the record of each run that begins here; None: nobody asks.
    made: list[str] | None = None


_AROUND: ContextVar[_Around | None] = ContextVar("kogine-pipeline-record", default=None)


def recorded(
    run: PipelineRun,
    call: Callable[[PipelineRun], Result],
    given: Mapping[str, Any],
    items: int | None = None,
    over: Sequence[str] = (),
) -> Result:
    """What *call* returns for *run*, which gets a record: of the values *given*, and of a map over
    *items* values of the inputs *over*.
    """
    place = _place()
    recorder = None if place is None else RunRecorder.open(place, run, given, items, over)
    if place is None or recorder is None:
        return call(run)
    with run.held():  # the record counts what was made before it is released
        return _recorded(run, call, place, recorder, items)


def _recorded(
    run: PipelineRun,
    call: Callable[[PipelineRun], Result],
    place: RecordPlace,
    recorder: RunRecorder,
    items: int | None,
) -> Result:
    run.pipeline.last_record = str(recorder.record.folder.path)
    around = _AROUND.get()
    if around is not None and around.made is not None:
        around.made.append(run.pipeline.last_record)
    run.scope.context.set(RECORDER, recorder)
    feed = tracker_feed(str(recorder.record.folder.path))
    callbacks = (*run.scope.callbacks, recorder, *([feed] if feed else []))
    inside = run.inside(run.scope.replaced(callbacks=callbacks))
    own = RecordPlace(place.root, recorder.record.folder.path.name)
    token = _AROUND.set(_Around(own, os.environ.get(RUN_DIR)))
    result: Any = None
    error: BaseException | None = None
    # What nodes log in this process belongs to the record, too.
    logs = enter_run(CurrentRun(str(recorder.record.folder.path / FILES)))
    try:
        with nodes_logged():
            result = call(inside)
        return result  # type: ignore[no-any-return]
    except BaseException as caught:
        error = caught
        raise
    finally:
        logs.close()
        _AROUND.reset(token)
        outputs = {} if items is not None or error is not None else _named(run, result)
        if feed is not None:
            feed.finish(error)
        recorder.close(error, outputs)


@contextmanager
def recording_below(root: str, made: list[str] | None = None) -> Iterator[None]:
    """Inside, runs have their records below *root*, an absolute path; *made* gets their folders."""
    token = _AROUND.set(_Around(RecordPlace(root, ""), os.environ.get(RUN_DIR), made))
    try:
        yield
    finally:
        _AROUND.reset(token)


def _place() -> RecordPlace | None:
    """Where the record of a run that starts now belongs; None if it has none, because the run
    around it has none.
    """
    around, files = _AROUND.get(), os.environ.get(RUN_DIR)
    if around is not None and around.files == files:
        return around.place
    if files:
        folder = Path(files).parent
        if (folder / RECORD).exists():
            return RecordPlace(str(folder.parent), folder.name)
    if INDEX in os.environ or IN_WORKER.get():
        return None
    return RecordPlace(str(Path(working_folder(), RUNS)), "")


def _named(run: PipelineRun, result: Any) -> dict[str, Any]:
    return {run.plan.wanted[0]: result} if run.plan.single else dict(result)


class _Node(NodeStats):
    """What has happened to one node, in all items together."""

    __slots__ = ("ends", "failure", "is_interrupted", "key", "kind", "name", "results", "since")

    def __init__(self, name: str, kind: str) -> None:
        super().__init__()
        self.name, self.kind = name, kind
        #: When it started first, and ended last.
        self.since: float | None = None
        self.ends: float | None = None
        #: The key of a cached result, and what of the others is short enough for a record.
        self.key: str | None = None
        self.results: dict[str, str] | None = None
        #: Its last exception, and whether that came from outside.
        self.failure: dict[str, str] | None = None
        self.is_interrupted = False

    def state_in(self, run_status: str) -> str:
        """Its state in a run with *run_status*; empty: the run goes on."""
        state = self.state
        if state == "running" and run_status:
            return "interrupted"  # its end was not awaited
        if state == "failed" and self.is_interrupted:
            return "interrupted"
        if state and (state != "skipped" or self.why):
            return state
        if not run_status:
            return "waiting"
        # What reads its results is in the cache; or the run has ended before its turn.
        return "skipped" if run_status == "succeeded" else "not run"

    def field(self, run_status: str) -> dict[str, object]:
        """It as one of the field ``nodes``."""
        has_several = self.times > 1
        return node_field(
            self.name,
            self.kind,
            self.state_in(run_status),
            self.since,
            self.ends,
            seconds=round(self.seconds, 6) if self.ends is not None else None,
            key=self.key,
            error=self.failure,
            why=self.why or None,
            skips=self.skipped if self.why and self.state != "skipped" else None,
            results=self.results,
            workers=[*self.workers] or None,
            times=self.times if has_several else None,
            failures=self.failed if has_several and self.failed else None,
        )


class RunRecorder(Callback):
    """Writes what happens to the nodes of one run into its PipelineRecord. It never raises."""

    follows = True
    is_recorder = True

    record: PipelineRecord
    _now: Callable[[], float]

    def __init__(self, root: str, run: PipelineRun) -> None:
        self._root, self._pipeline = root, run.pipeline
        self._base = len(_names(run.scope.context.path))
        #: Names from the pipeline to a node -> what has happened to it, in the order of the nodes.
        self._nodes: dict[Path_, _Node] = {}
        #: Paths of nodes that have raised and have not ended, and of runs with such a node.
        self._failed: set[Path_] = set()
        self._broken: set[Path_] = set()
        self._add((), run.pipeline, run.plan.names)

    @classmethod
    def open(
        cls,
        place: RecordPlace,
        run: PipelineRun,
        given: Mapping[str, Any],
        items: int | None,
        over: Sequence[str],
    ) -> RunRecorder | None:
        """With a new record at *place*; None if it cannot be written."""
        made = cls(place.root, run)
        start = _start(place, run, given, items, over)
        start = replace(start, nodes=[one.field("") for one in made._nodes.values()])
        record = PipelineRecord.open(Path(place.root), start, warn)
        if record is None:
            return None
        made.record, made._now = record, record.clock.now
        return made

    def place(self, path: Sequence[str]) -> RecordPlace:
        """Where the record of the script node at *path* belongs."""
        own = _names(path)[self._base :]
        return RecordPlace(self._root, self.record.folder.path.name).inside(*own)

    # --- events ----------------------------------------------------------------------------------

    def on_pipeline_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """The nodes of a nested pipeline are known now."""
        path = _names(context.path)[self._base :]
        new = [name for name in context.nodes if (*path, name) not in self._nodes]
        if new:
            self._add(path, _inside(self._pipeline, path), new)

    def on_map_start(self, items: int, context: Context) -> None:
        """As for a pipeline."""
        self.on_pipeline_start("", {}, context)

    def _add(self, path: Path_, pipeline: Any, names: Sequence[str]) -> None:
        """Put nodes behind the one that they are inside of."""
        kinds = {node.name: _kind(node) for node in getattr(pipeline, "nodes", ())}
        new = {(*path, name): kinds.get(name, "function") for name in names}
        made = {place: _Node("/".join(place), kind) for place, kind in new.items()}
        before = [at for at, one in enumerate(self._nodes) if one[: len(path)] == path]
        at = before[-1] + 1 if before else len(self._nodes)
        places = list(self._nodes.items())
        self._nodes = dict([*places[:at], *made.items(), *places[at:]])

    def on_node_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """The node runs."""
        node = self._node(context)
        node.running += 1
        if node.since is None:
            node.since = self._now()
        self.record.changed(node.field)

    def on_node_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """The node has ended: well, or not, or it was not called because another one has failed."""
        node = self._node(context)
        node.running -= 1
        node.seconds += seconds
        node.ends = now = self._now()
        if node.since is None or now - seconds < node.since:
            node.since = now - seconds
        if context.path in self._failed:
            self._failed.discard(context.path)
            node.failed += 1
        elif not outputs and context.path[:-1] in self._broken:
            node.skipped += 1
        else:
            node.succeeded += 1
            if context.item is None:
                node.results = {one: in_words(short_field(value)) for one, value in outputs.items()}
        self.record.changed(node.field)

    def on_node_cached(self, name: str, key: str, context: Context) -> None:
        """The results of the node were in the cache, under *key*."""
        node = self._node(context)
        node.cached += 1
        node.key = key
        self.record.changed(node.field)

    def on_node_skipped(self, name: str, why: str, context: Context) -> None:
        """The node does not run, and *why*."""
        node = self._node(context)
        node.skipped += 1
        node.why = why
        self.record.changed(node.field)

    def on_error(self, name: str, error: BaseException, context: Context) -> None:
        """The node has raised; its end follows."""
        node = self._node(context)
        self._failed.add(context.path)
        self._broken.add(context.path[:-1])
        node.is_interrupted = _is_interrupt(error)
        kind, _, message = error_text(error).partition(": ")
        node.failure = {"type": kind, "message": message}

    def ran_on(self, worker: str, context: Context) -> None:
        """The node of *context* has run on *worker* of a cluster."""
        self._node(context).workers.setdefault(worker)

    def hook_failed(self, hook: str, error: str) -> None:
        """A hook has raised *error*, which is shown in the record."""
        facts = self.record.facts
        before: Sequence[object] = facts.get("hook_errors", ())  # type: ignore[assignment]
        facts["hook_errors"] = [*before, {"hook": hook, "error": error}]

    def _node(self, context: Context) -> _Node:
        path = context.path
        own = path[self._base :] if context.item is None else _names(path)[self._base :]
        found = self._nodes.get(own)
        if found is None:  # nobody has announced it: a call of an imperative pipeline
            kind = _kind(_named_node(_inside(self._pipeline, own[:-1]), own[-1]))
            found = self._nodes[own] = _Node("/".join(own), kind)
        return found

    def close(self, error: BaseException | None, outputs: Mapping[str, Any]) -> None:
        """Write the end of the run, which *error* has ended."""
        status = (
            "succeeded" if error is None else "interrupted" if _is_interrupt(error) else "failed"
        )
        found = None if error is None else RunError.of(error, users_only(users_part(error)))
        has_scripts = any(one.kind == "script" for one in self._nodes.values())
        if has_scripts:
            from kohaku_ast.pipeline.script_record import close

            close(Path(self._root))
        nodes = [one.field(status) for one in self._nodes.values()]
        self.record.facts.update(_permanences(self._pipeline))
        log = end_log(str(self.record.folder.path))
        is_refused = isinstance(error, KogineError) and not any(map(_has_begun, nodes))
        self.record.end(status, found, outputs, nodes, has_scripts, log, is_refused)


def _has_begun(node: Mapping[str, object]) -> bool:
    return node["status"] not in ("not run", "waiting")


def _names(path: Sequence[str]) -> Path_:
    """*path* without items of maps."""
    return tuple([one for one in path if not is_item(one)])


def _is_interrupt(error: BaseException) -> bool:
    return not isinstance(error, (Exception, SystemExit))


# --- what the record says of the pipeline --------------------------------------------------------


def _start(
    place: RecordPlace,
    run: PipelineRun,
    given: Mapping[str, Any],
    items: int | None,
    over: Sequence[str],
) -> PipelineStart:
    plan, pipeline = run.plan, run.pipeline
    every = tuple([name for node in plan.nodes for name in node.outputs])
    is_every = plan.wanted == every and plan.loose.issuperset(every)
    variable = _variable(pipeline)
    is_toml = bool(pipeline.file) and not variable and items is None
    return PipelineStart(
        name=pipeline.name,
        variable=variable,
        launch=_launch(pipeline.file) if is_toml else _main_file(),
        given=given,
        defaults=dict(_defaults(run, given)),
        wanted=None if plan.wanted and is_every else plan.wanted,
        items=items,
        over=over,
        scripts=dict(_scripts(pipeline, ())),
        modules=dict(_modules(pipeline)) if is_toml else {},
        graph=graph_field(pipeline.graph),
        parent=place.parent,
        node=place.node,
    )


def _defaults(run: PipelineRun, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the nodes get besides *given*: bound values, and defaults of functions."""
    for name, value in run.values.items():
        if name not in given:
            yield name, str(value) if isinstance(value, Recipe) else value
    known = {*run.values, *given, *(name for node in run.plan.nodes for name in node.outputs)}
    for node in run.plan.nodes:
        for name, value in node.defaults.items():
            if name not in known and value is not ...:  # that of a script is in its own record
                yield name, value
        for name, value in node.bound.items():
            yield f"{node.name}.{name}", value
        yield from getattr(node, "settings_inside", dict)().items()


def _permanences(pipeline: Any) -> dict[str, object]:
    """The field ``permanences``, if there are some."""
    if not pipeline.held:
        return {}
    from kohaku_ast.pipeline.permanence import made_for

    return {"permanences": [*made_for(pipeline)]}


def _main_file() -> Launch | None:
    """The file that Python, or kogine, was started with; None if there is none."""
    found = _launch(getattr(sys.modules.get("__main__"), "__file__", None))
    if found is not None:
        found.argv = [*sys.argv]
    return found


def _launch(file: str | None) -> Launch | None:
    try:
        found = Launch(file) if file and os.path.isfile(file) else None
    except (KogineError, OSError):
        return None
    if found is not None:
        found.shown = short_path(found.filename)
        found.argv = [found.shown]
    return found


def _variable(pipeline: Any) -> str:
    """The name of *pipeline* in the file that was started; empty if it has none there."""
    origin = getattr(pipeline, "origin", None) or pipeline  # an imperative one, or its class
    for name, value in dict(vars(sys.modules["__main__"])).items():
        if value is origin:
            return name
        if type(value) is type(pipeline) and value.graph is getattr(origin, "graph", None):
            return name
    return ""


def _scripts(pipeline: Any, path: Path_) -> Iterator[tuple[str, Launch]]:
    """Name of each script node in *pipeline*, at any depth -> its file."""
    for node in pipeline.nodes:
        if _kind(node) == "script":
            yield "/".join((*path, node.name)), node.file.launch
        elif _kind(node) == "pipeline":
            yield from _scripts(node.pipeline, (*path, node.name))


def _modules(pipeline: Any) -> Iterator[tuple[str, Launch]]:
    """Name of each module of the user's with the function of a node or permanence, at any depth ->
    its file.
    """
    functions = [getattr(node, "function", None) for node in pipeline.nodes]
    functions += [one.factory for one in pipeline.bound.values() if isinstance(one, Recipe)]
    for name in {str(getattr(one, "__module__", "")): None for one in functions}:
        file = getattr(sys.modules.get(name), "__file__", None) if name != "__main__" else None
        found = _launch(file) if file and is_local_file(file) else None
        if found is not None:
            yield name, found
    for node in pipeline.nodes:
        if _kind(node) == "pipeline":
            yield from _modules(node.pipeline)


def _inside(pipeline: Any, path: Path_) -> Any:
    """The pipeline at *path* in *pipeline*; None if there is none."""
    for name in path:
        pipeline = getattr(_named_node(pipeline, name), "pipeline", None)
    return pipeline


def _named_node(pipeline: Any, name: str) -> Any:
    """The node *name* of *pipeline*; ``name#2`` is its second call. None if it has none."""
    nodes = {one.name: one for one in getattr(pipeline, "nodes", ())}
    return nodes.get(name) or nodes.get(name.partition("#")[0])


def _kind(node: Any) -> str:
    if hasattr(node, "run_recorded"):
        return "script"
    return "pipeline" if hasattr(node, "run_inside") else "function"
