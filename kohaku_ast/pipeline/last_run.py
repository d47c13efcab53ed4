"""What became of each node in the last run: a Callback that keeps it."""

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
    """Keeps what became of each node: ``Pipeline(nodes, callbacks=[LastRun()])``.

    ``Pipeline.visualize`` finds it there and shows states and times. ``last["train"]`` is the
    Tally of a node, ``last["prep", "read"]`` that of one inside another.
    """

    def __init__(self) -> None:
        self._begin(())

    def _begin(self, base: Path) -> None:
        #: Where the run happened: one pipeline, or the names to one that is inside others.
        self.base = base
        #: Names from the pipeline to a node -> its Tally.
        self.tallies: dict[Path, NodeStats] = {}
        self._open = 0
        #: Nodes that have raised and have not ended yet, and what is around nodes that raised.
        self._failed: set[Path] = set()
        self._broken: set[Path] = set()

    def __getitem__(self, name: str | Path) -> NodeStats:
        return self.tallies[(name,) if isinstance(name, str) else tuple(name)]

    def __contains__(self, name: str | Path) -> bool:
        return ((name,) if isinstance(name, str) else tuple(name)) in self.tallies

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()  # what was seen here is nothing to another process

    def tally(self, context: Context) -> NodeStats:
        """The Tally of where *context* is."""
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
        """The outermost one begins anew."""
        self._opened(context).expected += len(context.nodes)

    def on_pipeline_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """Closes what began."""
        self._closed()

    def on_map_start(self, items: int, context: Context) -> None:
        """Counts its items."""
        tally = self._opened(context)
        tally.items = True
        tally.expected += items

    def on_map_end(self, seconds: float, context: Context) -> None:
        """Closes what began."""
        self._closed()

    def on_map_item_end(self, item: int, seconds: float, context: Context) -> None:
        """Counts it."""
        self.tally(context).ended += 1

    def on_node_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """It is running."""
        self.tally(context).running += 1

    def on_node_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """It has succeeded, failed, or did not come to run after all."""
        tally = self.tally(context)
        tally.running = max(0, tally.running - 1)
        tally.seconds += seconds
        if context.path in self._failed:
            self._failed.discard(context.path)
            tally.failed += 1
        elif not outputs and context.path[:-1] in self._broken:  # it was dropped
            tally.skipped += 1
        else:
            tally.succeeded += 1
        self._count(context)

    def on_node_cached(self, name: str, key: str, context: Context) -> None:
        """It need not run."""
        self.tally(context).cached += 1
        self._count(context)

    def on_error(self, name: str, error: BaseException, context: Context) -> None:
        """Its end follows."""
        self._failed.add(context.path)
        self.tally(context).error = _error_text(error)
        around = context.path[:-1]
        if around not in self._broken or not is_item(around[-1]):
            self._broken.add(around)
            self._around(context).broken += 1

    def _around(self, context: Context) -> NodeStats:
        return self._at(context.path[:-1])

    def _count(self, context: Context) -> None:
        """A node of a pipeline that is not mapped itself counts there."""
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
    """What became of one node or pipeline, in all items together."""

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
        #: How often it is running now, and how often it came to which end.
        self.running = self.succeeded = self.cached = self.failed = self.skipped = 0
        #: The time that it took, all ends together.
        self.seconds = 0.0
        #: Of a pipeline: how many nodes or items in it there were to be, and how many came to an
        #: end, and how many of these failed.
        self.expected = self.ended = self.broken = 0
        #: Of a pipeline: how often it has begun.
        self.starts = 0
        #: What it raised last, as text.
        self.error = ""
        #: Of a pipeline that is mapped: whether ``expected`` counts items.
        self.items = False
        #: Of a pipeline: the nodes that a run of it may run.
        self.nodes: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """One of running, failed, succeeded, cached and skipped; empty before anything."""
        for state in ("running", "failed", "succeeded", "cached", "skipped"):
            if getattr(self, state):
                return state
        return ""

    @property
    def times(self) -> int:
        """How often it came to an end of its own."""
        return self.succeeded + self.cached + self.failed

    def __repr__(self) -> str:
        return f"<{self.state or 'waiting'}, {self.seconds:.3f} s>"
