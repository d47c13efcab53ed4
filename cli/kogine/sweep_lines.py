"""What a sweep in this process says on standard error: a line a run, and the summary at the end."""

from __future__ import annotations

import sys

from kogine.again import command_of
from kogine.reader import Arguments

from kohaku_ast.flow.display.summary import Report
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import Run


class SweepLines(Observer):
    """Heads the output of each run with its number and label."""

    def __init__(self, read_: Arguments) -> None:
        self.read_ = read_
        self._report = Report(sys.stderr, lambda run: command_of(read_, run.config))
        self._warned: set[str] = set()

    def on_start(self, run: Run, total: int | None) -> None:
        """Head its output."""
        say(f"{run.number} {run.label}")

    def on_end(self, run: Run) -> None:
        """Keep what is told of a failure at the end."""
        self._report.on_end(run)

    def on_finish(self, summary: Summary) -> None:
        """The failures and the counts."""
        sys.stdout.flush()
        self._report.on_finish(summary)

    def warn(self, run: Run, message: str) -> None:
        """Of an override without effect; each is said once."""
        if message not in self._warned:
            self._warned.add(message)
            say(f"kogine: warning: {message}")


def say(*texts: str) -> None:
    """Print what is not empty of *texts* on standard error, behind what was printed before."""
    sys.stdout.flush()
    for text in texts:
        if text:
            print(text, file=sys.stderr, flush=True)
