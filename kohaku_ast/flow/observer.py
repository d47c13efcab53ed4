"""Observer: who watches a flow. Nothing that an observer does changes what is run."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kohaku_ast.flow.run import FAILED, INTERRUPTED, SKIPPED, SUCCEEDED, Run


@dataclass(frozen=True)
class Summary:
    """A flow that is over."""

    #: State -> number of runs that ended in it.
    counts: Mapping[str, int] = field(default_factory=dict)
    #: In seconds.
    seconds: float = 0.0
    #: Whether Ctrl-C ended it.
    is_interrupted: bool = False
    #: What was wrong with the supply of Configs; it ended the flow.
    broken: str = ""
    #: Whether not even the first run could be started; an exception says why.
    is_refused: bool = False
    #: Of the skipped: those that had failed before.
    failed_before: int = 0
    #: The signal other than Ctrl-C that ended it, and of which this process dies then; 0: none.
    deadly: int = 0

    @property
    def exit_status(self) -> int:
        """130 after Ctrl-C, and as much above 128 after other signals, as shells have it; 2 for a
        broken supply, 1 if a run failed, now or before, else 0.
        """
        if self.is_interrupted:
            return 128 + (self.deadly or signal.SIGINT)
        if self.broken:
            return 2
        return 1 if self.counts.get(FAILED) or self.failed_before else 0

    def __str__(self) -> str:
        states = (SUCCEEDED, SKIPPED, FAILED, INTERRUPTED)
        counts = [f"{self.counts[one]} {one}" for one in states if self.counts.get(one)]
        total = sum(self.counts.values())
        words = f": {', '.join(counts)}" if counts else ""
        return f"{total} run{'s' if total != 1 else ''}{words} in {self.seconds:.1f} s"


class Observer:
    """Override what is of interest; all of it is called in the thread that runs the flow."""

    def on_start(self, run: Run, total: int | None) -> None:
        """*run* starts; of *total* runs, if that is known."""

    def on_process(self, run: Run, pid: int) -> None:
        """*run* has got a process of its own."""

    def on_retry(self, run: Run, seconds: float) -> None:
        """*run* has failed and is tried again after *seconds*."""

    def on_skip(self, run: Run) -> None:
        """*run* need not run: its ``outcome`` says how it ended before."""

    def on_refuse(self, run: Run) -> None:
        """*run*, the first one, could not be started: nothing is run."""

    def on_end(self, run: Run) -> None:
        """*run* is over; its ``outcome`` says how."""

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """A few times a second while something runs."""

    def on_finish(self, summary: Summary) -> None:
        """Everything is over."""
