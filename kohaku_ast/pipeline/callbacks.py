"""Callbacks: which events of a pipeline's run they get, the context of an event, and the event of a
hook. One of them keeps the state, times and counts of each node: the last run.
"""

from __future__ import annotations

from kohaku_ast.errors import PipelineTypeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeAlias

    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.runner.outcome import Outcome

    #: Names from the pipeline to a node inside; items of maps are not in it.
    Path: TypeAlias = tuple[str, ...]


RECORDER = "kogine-recorder"
"""The key in ``Context.data`` under which a run that is recorded has its RunRecorder."""


class Context:
    """Where in the run an event happens. Frozen, except ``data``, which callbacks share."""

    __slots__ = ("data", "depth", "error", "is_dropped", "item", "nodes", "path")

    def __init__(
        self,
        path: tuple[str, ...] = (),
        depth: int = 0,
        data: dict[str, Any] | None = None,
        item: int | None = None,
        nodes: tuple[str, ...] = (),
        error: BaseException | None = None,
        is_dropped: bool = False,
    ) -> None:
        #: Names from the outermost pipeline to here; an item of a map is ``"[3]"``.
        self.path = path
        #: How many pipelines are around this one.
        self.depth = depth
        #: The innermost map's item, counted from 0.
        self.item = item
        #: One dict for all callbacks of the whole run.
        self.data: dict[str, Any] = {} if data is None else data
        #: At the start of a pipeline or a map: the nodes that run unless they are cached.
        self.nodes = nodes
        #: At the end of a node, a pipeline or a map: the exception that ended it, or None.
        self.error = error
        #: At the end of a node: whether it was not called, because another one had failed.
        self.is_dropped = is_dropped

    def get(self, key: str, default: Any = None) -> Any:
        """The value that a callback of this run has set under *key*."""
        return self.data.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Share *value* with all callbacks of this run."""
        self.data[key] = value

    def inside(self, name: str, depth: int = 0) -> Context:
        """The context of the node or pipeline *name* in this one."""
        return Context((*self.path, name), self.depth + depth, self.data, self.item)

    def starting(self, nodes: tuple[str, ...]) -> Context:
        """The same context at the start of a pipeline or map of *nodes*."""
        return Context(self.path, self.depth, self.data, self.item, nodes)

    def ending(self, error: BaseException | None, is_dropped: bool = False) -> Context:
        """The same context at an end."""
        return Context(self.path, self.depth, self.data, self.item, (), error, is_dropped)

    def at(self, item: int) -> Context:
        """The context of an item of a map."""
        return Context((*self.path, f"[{item}]"), self.depth, self.data, item)

    def __repr__(self) -> str:
        return f"<context {'/'.join(self.path)} depth={self.depth}>"


class HookEvent:
    """What a hook gets. Frozen."""

    __slots__ = (
        "context", "error", "inputs", "items", "name", "outcome", "outputs", "seconds", "state"
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        state: str,
        context: Context,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any] | None = None,
        seconds: float = 0.0,
        items: int | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        #: The name of the pipeline, the node or the script.
        self.name = name
        #: ``running`` at the start; ``succeeded``, ``failed``, ``interrupted`` at the end, and
        #: ``not run`` of a node that waited for a worker when another one failed, ``pruned`` of a
        #: run that a search has ended.
        self.state = state
        #: The values of the inputs and of the outputs, by name; of a map neither. Of a run of a
        #: flow: the values that its Config gives, and the output globals.
        self.inputs, self.outputs = inputs, outputs or {}
        #: The exception that ended it; None if there was none.
        self.error = context.error
        #: How long it took.
        self.seconds = seconds
        #: How many items a map has; None if it is no map.
        self.items = items
        #: The Context that callbacks get: ``path``, ``item``, ``get`` and ``set``.
        self.context = context
        #: Of a run of a flow its Outcome, at the start with what is known then; else None.
        self.outcome = outcome

    def __repr__(self) -> str:
        return f"<{self.name} {self.state}>"


class Callback:
    """Base class of callbacks: override the events that you want. Every start has its end. If a
    node raises, ``on_error`` comes first, and the end has no outputs.

    Callbacks get one event at a time, even if nodes run in parallel. Events of another process
    come when its item or node has returned. An exception that a callback raises ends the run.
    """

    #: Whether it gets the events of pipelines inside that have callbacks of their own, too.
    follows = False
    #: Whether a pipeline inside whose callbacks are all such ones has those of the pipeline around,
    #: too.
    is_beside = False
    #: Whether it writes the record of the run.
    is_recorder = False
    #: Whether it shows a bar.
    is_bar = False

    def check(self, nodes: Iterable[NodeLike]) -> None:
        """Raise PipelineError if it is not for a pipeline of *nodes*."""

    def at(self, path: tuple[str, ...]) -> Callback:
        """Itself, or one that knows that its pipeline runs at *path*."""
        return self

    def on_pipeline_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """A pipeline starts, outermost or nested."""

    def on_pipeline_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """A pipeline has ended."""

    def on_node_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """A node starts."""

    def on_node_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """A node has ended."""

    def on_node_cached(self, name: str, key: str, context: Context) -> None:
        """The results of a node came from the cache; it has no start and no end."""

    def on_node_skipped(self, name: str, why: str, context: Context) -> None:
        """The condition of a node does not hold, or it needs the output of a node that was skipped;
        it has no start and no end.
        """

    def on_nested_start(self, name: str, pipeline: str, context: Context) -> None:
        """The node *name*, which is a pipeline, starts; its own events follow, one level deeper."""

    def on_nested_end(self, name: str, pipeline: str, seconds: float, context: Context) -> None:
        """A nested pipeline has ended."""

    def on_map_start(self, items: int, context: Context) -> None:
        """A map over *items* items starts."""

    def on_map_end(self, seconds: float, context: Context) -> None:
        """A map has ended."""

    def on_map_item_start(self, item: int, context: Context) -> None:
        """An item of a map starts."""

    def on_map_item_end(self, item: int, seconds: float, context: Context) -> None:
        """An item of a map has ended."""

    def on_map_item_cached(self, item: int, key: str, context: Context) -> None:
        """All results of an item came from the cache, the last one under *key*; its end follows."""

    def on_error(self, name: str, error: BaseException, context: Context) -> None:
        """The node *name* has raised."""


def callbacks_at(
    path: tuple[str, ...], own: Iterable[Callback], outer: tuple[Callback, ...] = ()
) -> tuple[Callback, ...]:
    """Those of a pipeline with the callbacks *own* that runs at *path*, inside of one with those of
    *outer*.
    """
    placed = tuple([one.at(path) for one in own])
    if placed and all(one.is_beside for one in placed):
        return (*outer, *placed)
    return (*placed, *[one for one in outer if one.follows])


class LastRun(Callback):
    """Keeps the state of each node: ``Pipeline(nodes, callbacks=[LastRun()])``.

    ``Pipeline.visualize`` shows these states and times. ``last["train"]`` has the NodeStats of a
    node, ``last["prep", "read"]`` those of a node inside another one.
    """

    def __init__(self) -> None:
        self._begin(())

    def _begin(self, base: Path) -> None:
        #: The path of the pipeline that ran: its name, or names if it is inside others.
        self.base = base
        #: Names from the pipeline to a node -> its NodeStats.
        self.tallies: dict[Path, NodeStats] = {}
        self._open = 0
        #: Nodes that have raised and have not ended yet; pipelines and items with such a node.
        self._failed: set[Path] = set()
        self._broken: set[Path] = set()

    def __getitem__(self, name: str | Path) -> NodeStats:
        return self.tallies[(name,) if isinstance(name, str) else tuple(name)]

    def __contains__(self, name: str | Path) -> bool:
        return ((name,) if isinstance(name, str) else tuple(name)) in self.tallies

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()  # another process starts with an empty one

    def tally(self, context: Context) -> NodeStats:
        """The NodeStats of the node or pipeline of *context*."""
        return self._at(context.path)

    def _at(self, path: Path) -> NodeStats:
        names = tuple([one for one in path if not is_item(one)])[len(self.base) :]
        tally = self.tallies.get(names)
        if tally is None:
            tally = self.tallies[names] = NodeStats()
        return tally

    def _opened(self, context: Context) -> NodeStats:
        if not self._open:
            self._begin(tuple([one for one in context.path if not is_item(one)]))
        self._open += 1
        tally = self.tally(context)
        tally.starts += 1
        tally.nodes = context.nodes
        return tally

    def _closed(self) -> None:
        self._open = max(0, self._open - 1)

    def on_pipeline_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """The outermost one starts a new run."""
        self._opened(context).expected += len(context.nodes)

    def on_pipeline_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """The end of the run, if it is the outermost."""
        self._closed()

    def on_map_start(self, items: int, context: Context) -> None:
        """Counts the items to come."""
        tally = self._opened(context)
        tally.items = True
        tally.expected += items

    def on_map_end(self, seconds: float, context: Context) -> None:
        """The end of the run, if it is the outermost."""
        self._closed()

    def on_map_item_end(self, item: int, seconds: float, context: Context) -> None:
        """Counts the item as done."""
        self.tally(context).ended += 1

    def on_node_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """Counts the node as running."""
        self.tally(context).running += 1

    def on_node_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """Counts the node as succeeded, failed, or skipped because another one failed."""
        tally = self.tally(context)
        tally.running = max(0, tally.running - 1)
        tally.seconds += seconds
        if context.path in self._failed:
            self._failed.discard(context.path)
            tally.failed += 1
        elif not outputs and context.path[:-1] in self._broken:  # it never started
            tally.skipped += 1
        else:
            tally.succeeded += 1
        self._count(context)

    def on_node_cached(self, name: str, key: str, context: Context) -> None:
        """Counts the node as cached."""
        self.tally(context).cached += 1
        self._count(context)

    def on_node_skipped(self, name: str, why: str, context: Context) -> None:
        """Counts the node as skipped, and keeps why."""
        tally = self.tally(context)
        tally.skipped += 1
        tally.why = why
        self._count(context)

    def on_error(self, name: str, error: BaseException, context: Context) -> None:
        """Keeps the error; the end of the node follows and counts it."""
        self._failed.add(context.path)
        self.tally(context).error = error_text(error)
        around = context.path[:-1]
        if around not in self._broken or not is_item(around[-1]):
            self._broken.add(around)
            self._around(context).broken += 1

    def _around(self, context: Context) -> NodeStats:
        return self._at(context.path[:-1])

    def _count(self, context: Context) -> None:
        """Count a node in its pipeline, unless that one counts items."""
        tally = self._around(context)
        if not tally.items:
            tally.ended += 1


def error_text(error: BaseException) -> str:
    """``ValueError: no rows``, without the notes."""
    try:
        text = str(error)
        for note in reversed(getattr(error, "__notes__", ())):
            text = text.removesuffix(f"\n{note}")  # Python 3.10 has it in the message
        return f"{type(error).__name__}: {text}".removesuffix(": ")
    except Exception:  # it is the user's class
        return type(error).__name__


def is_item(name: str) -> bool:
    """Whether a part of a Context's path is an item of a map."""
    return name[:1] == "[" and name[-1:] == "]" and name[1:-1].isdigit()


class NodeStats:
    """State, times and counts of one node or pipeline, in all items together."""

    __slots__ = (
        "broken",
        "cached",
        "ended",
        "error",
        "expected",
        "failed",
        "items",
        "nodes",
        "running",
        "seconds",
        "skipped",
        "starts",
        "succeeded",
        "why",
        "workers",
    )

    def __init__(self) -> None:
        #: How often it is running now, and how often it ended in which state.
        self.running = self.succeeded = self.cached = self.failed = self.skipped = 0
        #: The seconds of all its runs.
        self.seconds = 0.0
        #: Of a pipeline: how many nodes or items it should run, how many have ended, and how many
        #: of these failed.
        self.expected = self.ended = self.broken = 0
        #: Of a pipeline: how often it has started.
        self.starts = 0
        #: Its last exception, as text, and why its condition has skipped it last.
        self.error = self.why = ""
        #: "host:pid" of the workers of a cluster that have run it.
        self.workers: dict[str, None] = {}
        #: Of a pipeline that is mapped: whether ``expected`` counts items.
        self.items = False
        #: Of a pipeline: the nodes that a run of it may run.
        self.nodes: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """One of running, failed, succeeded, cached and skipped; empty before its first event."""
        for state in ("running", "failed", "succeeded", "cached", "skipped"):
            if getattr(self, state):
                return state
        return ""

    @property
    def times(self) -> int:
        """How often it ended, cached results included."""
        return self.succeeded + self.cached + self.failed

    def __repr__(self) -> str:
        return f"<{self.state or 'waiting'}, {self.seconds:.3f} s>"


def checked_callbacks(callbacks: Iterable[Callback] | None) -> tuple[Callback, ...] | None:
    """The callbacks. Raises PipelineError for an object that is no Callback."""
    if callbacks is None:
        return None
    if not hasattr(callbacks, "__iter__"):
        raise PipelineTypeError(f"callbacks is {callbacks!r}: give a list of them.")
    found = tuple(callbacks)
    for one in found:
        if isinstance(one, type):
            raise PipelineTypeError(
                f"a callback is the class {one.__name__}: give {one.__name__}()."
            )
        if not isinstance(one, Callback):
            raise PipelineTypeError(f"{one!r} is no callback: derive its class from Callback.")
    return found
