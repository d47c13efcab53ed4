"""Heads: a line above what each run prints, for runs that print where we do."""

from __future__ import annotations

import sys

from kohaku_ast.flow.display.lines import Lines
from kohaku_ast.flow.observer import Summary
from kohaku_ast.flow.run import Run


class Heads(Lines):
    """``[1/4] lr=0.1``. How it ended is seen below, and failures come again at the end."""

    def on_start(self, run: Run, total: int | None) -> None:
        """Its number and label."""
        _flush()
        attempt = f" (attempt {run.attempt})" if run.attempt > 1 else ""
        self._out.say(f"{run.number} {run.title}{attempt}")

    def on_retry(self, run: Run, seconds: float) -> None:
        """Why, and when."""
        _flush()
        super().on_retry(run, seconds)

    def on_end(self, run: Run) -> None:
        """Nothing: it has been seen."""

    def on_finish(self, summary: Summary) -> None:
        """What comes now stands below all output."""
        _flush()


def _flush() -> None:
    """What was printed before comes before."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        pass  # nobody reads it any more, or there is none
