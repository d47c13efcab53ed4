"""What became of one node or pipeline of a run."""

from __future__ import annotations


class Tally:
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
