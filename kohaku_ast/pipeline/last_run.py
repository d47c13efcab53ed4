"""The last run of a pipeline: a callback that keeps the state, times and counts of each node."""

from __future__ import annotations

from kohaku_ast.pipeline.callbacks import Callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    from kohaku_ast.pipeline.callbacks import Context

    #: Names from the pipeline to a node inside; items of maps are not in it.
    Path: TypeAlias = tuple[str, ...]


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

    def on_error(self, name: str, error: BaseException, context: Context) -> None:
        """Keeps the error; the end of the node follows and counts it."""
        self._failed.add(context.path)
        self.tally(context).error = _error_text(error)
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


def _error_text(error: BaseException) -> str:
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
        #: Its last exception, as text.
        self.error = ""
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
