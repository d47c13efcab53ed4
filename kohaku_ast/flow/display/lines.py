"""Lines: a line for each change, for everything that is no terminal."""

from __future__ import annotations

from typing import TextIO

from kohaku_ast.display.live import Out
from kohaku_ast.display.text import exact_time
from kohaku_ast.flow.display.failures import error_line
from kohaku_ast.flow.display.metrics import metrics_text
from kohaku_ast.flow.display.seen import seen_of
from kohaku_ast.flow.observer import Observer
from kohaku_ast.flow.run import FAILED, SUCCEEDED, Run


class Lines(Observer):
    """``started [1/4] lr=0.1``, ``succeeded [1/4] lr=0.1 in 1.2 s: loss=0.12``."""

    def __init__(self, stream: TextIO) -> None:
        self._out = Out(stream)

    def on_start(self, run: Run, total: int | None) -> None:
        """Its number and label."""
        attempt = f" (attempt {run.attempt})" if run.attempt > 1 else ""
        self._out.say(f"started {run.number} {run.title}{attempt}")

    def on_retry(self, run: Run, seconds: float) -> None:
        """Why, and when."""
        self._out.say(
            f"retrying {run.number} {run.title} in {exact_time(seconds)}: {error_line(run)}"
        )

    def on_skip(self, run: Run) -> None:
        """That it was skipped."""
        how = run.outcome.status if run.outcome else SUCCEEDED
        self._out.say(f"skipped {run.number} {run.title}: it has {how} before")

    def on_end(self, run: Run) -> None:
        """How it ended."""
        last = error_line(run) if run.state == FAILED else metrics_text(seen_of(run).metrics)
        took = exact_time(run.seconds)
        self._out.say(f"{run.state} {run.number} {run.title} in {took}{': ' if last else ''}{last}")
