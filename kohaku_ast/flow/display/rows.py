"""Rows of the live table: a run in words."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kohaku_ast.config.config import value_text
from kohaku_ast.display.text import plain_line, short_time
from kohaku_ast.flow.display.eta import Eta
from kohaku_ast.flow.display.failures import error_line
from kohaku_ast.flow.display.metrics import metrics_text
from kohaku_ast.flow.display.seen import seen_of
from kohaku_ast.flow.run import FAILED, Run

COLUMNS = ("run", "state", "label", "elapsed", "done", "left", "metrics", "last line")
"""The headings of the columns."""


@dataclass(frozen=True)
class Row:
    """One run."""

    index: int
    state: str
    #: One for each column.
    cells: tuple[str, ...]


def running_row(run: Run, eta: Eta) -> Row:
    """A run under way, as it is now."""
    seen = seen_of(run)
    elapsed = time.time() - run.started
    left = eta.of_run(elapsed, seen.progress)
    done = "" if seen.progress is None else f"{seen.progress:.0%}"
    return _row(
        run, elapsed, done, "" if left is None else short_time(left), metrics_text(seen.metrics),
        seen.line,
    )  # fmt: skip


def ended_row(run: Run) -> Row:
    """A run that is over: a failed one with its error, others with what they left."""
    seen = seen_of(run)
    outputs = run.outcome.outputs if run.outcome else {}
    left = " ".join(f"{name}={value_text(value)}" for name, value in outputs.items())
    both = f"{left} {metrics_text(seen.metrics)}".strip()
    last = error_line(run) if run.state == FAILED else seen.line
    return _row(run, run.seconds, "", "", both, last)


def waiting_row(run: Run, seconds: float) -> Row:
    """A run that has failed and is tried again in *seconds*."""
    return _row(run, run.seconds, "", short_time(seconds), "", error_line(run))


def _row(run: Run, elapsed: float, done: str, left: str, metrics: str, last: str) -> Row:
    number = run.number.strip("[]")
    cells = (number, run.state, run.title, short_time(elapsed), done, left, metrics, last)
    return Row(run.index, run.state, tuple(map(plain_line, cells)))
