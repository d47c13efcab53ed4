"""Observer: watches a flow and changes nothing in it. Summary: how the flow ended."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kohaku_ast.flow.run import FAILED, INTERRUPTED, SKIPPED, SUCCEEDED, Run


@dataclass(frozen=True)
class Summary:
    """How a flow ended."""

    #: State -> number of runs that ended in it.
    counts: Mapping[str, int] = field(default_factory=dict)
    #: In seconds.
    seconds: float = 0.0
    #: Whether Ctrl-C ended it.
    is_interrupted: bool = False
    #: The error in the Configs that ended the flow.
    broken: str = ""
    #: Whether the first run could not be started; an exception says why.
    is_refused: bool = False
    #: The number of skipped runs that had failed before.
    failed_before: int = 0
    #: The signal other than SIGINT that ended it, and ends this process then; 0: none.
    deadly: int = 0

    @property
    def exit_status(self) -> int:
        """130 after Ctrl-C and 128 + N after another signal N, as in shells; 2 for an error in the
        Configs, 1 if a run failed, now or before, else 0.
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
    """Override the methods you need; they are called in the thread that runs the flow."""

    def on_start(self, run: Run, total: int | None) -> None:
        """*run* starts, one of *total* runs, or None if their number is not known."""

    def on_process(self, run: Run, pid: int) -> None:
        """*run* has its own process, *pid*."""

    def on_retry(self, run: Run, seconds: float) -> None:
        """*run* has failed and is retried after *seconds*."""

    def on_skip(self, run: Run) -> None:
        """*run* is skipped: its ``outcome`` says how it ended before."""

    def on_refuse(self, run: Run) -> None:
        """*run*, the first one, could not be started: the flow ends."""

    def on_end(self, run: Run) -> None:
        """*run* has ended; its ``outcome`` says how."""

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Called a few times a second while runs are under way."""

    def on_finish(self, summary: Summary) -> None:
        """The flow has ended."""
