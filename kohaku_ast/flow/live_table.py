"""LiveTable: the runs under way, and the last ones that have ended, on a terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from kohaku_ast.config.config import value_text
from kohaku_ast.display.live import Above, CellOutput, Pace, Painter, Styles
from kohaku_ast.display.text import (
    Group,
    fitted,
    html_table,
    plain_line,
    short_time,
    width_of,
)
from kohaku_ast.flow.failures import error_line
from kohaku_ast.flow.log_watch import metrics_text, seen_of
from kohaku_ast.flow.run import CACHED, FAILED, Observer, Run, Summary

COLUMNS = ("run", "state", "label", "elapsed", "done", "left", "metrics", "last line")
"""The headings of the columns."""


_MOST = 20  # rows, the heading and the line below included
_RIGHT = {COLUMNS.index(one) for one in ("run", "elapsed", "done", "left")}
_STATE = COLUMNS.index("state")


class RunTable(Observer):
    """The runs under way, and the last ones that have ended; shown 4 times a second at most."""

    def __init__(self) -> None:
        self._pace = Pace(0.25)
        self._eta = Eta()
        self._began = time.monotonic()
        self._running: dict[int, Run] = {}
        #: The rows of the last runs that have ended or wait for a retry.
        self._ended: dict[int, RunRow] = {}
        self._counts: Counter[str] = Counter()
        self._total: int | None = None

    def _begin(self) -> None:
        """Before the first run starts."""

    def _paint(self) -> None:
        """Show the rows as they are now."""
        raise NotImplementedError

    def on_start(self, run: Run, total: int | None) -> None:
        """Show *run* as running."""
        if not self._running and not self._ended:
            self._began = time.monotonic()
            self._begin()
        self._total = total
        self._ended.pop(run.index, None)
        self._running[run.index] = run
        self._show()

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Update times and last lines."""
        self._show()

    def on_retry(self, run: Run, seconds: float) -> None:
        """Show *run* among the ended ones until it starts again."""
        self._end(run, waiting_row(run, seconds))

    def on_skip(self, run: Run) -> None:
        """Count *run* and show no row."""
        self._total = run.total
        self._counts[run.state] += 1

    def on_end(self, run: Run) -> None:
        """Show how *run* ended, until newer rows take its place."""
        self._counts[run.state] += 1
        self._eta.add(run.seconds)
        self._end(run, ended_row(run))

    def _end(self, run: Run, row: RunRow) -> None:
        self._running.pop(run.index, None)
        self._ended.pop(run.index, None)
        self._ended[run.index] = row
        while len(self._ended) > _MOST:
            del self._ended[next(iter(self._ended))]
        self._show()

    def _show(self) -> None:
        if self._pace.is_due():
            self._paint()

    def _rows(self, most: int) -> list[RunRow]:
        """The rows of running runs, then of the newest others if there is room; by number."""
        running = [self._running[index] for index in sorted(self._running)][:most]
        rows = [running_row(run, self._eta) for run in running]
        free = most - len(rows)
        rows += list(self._ended.values())[-free:] if free else []
        return sorted(rows, key=lambda row: row.index)

    def _foot(self) -> str:
        """``3 of 40 finished, 2 running, 1 cached, 1 failed, 12s, about 1m02s left``."""
        finished = sum(self._counts.values())
        of_total = "" if self._total is None else f" of {self._total}"
        parts = [f"{finished}{of_total} finished"]
        parts += [f"{len(self._running)} running"] if self._running else []
        parts += [f"{self._counts[CACHED]} cached"] if self._counts[CACHED] else []
        parts += [f"{self._counts[FAILED]} failed"] if self._counts[FAILED] else []
        parts.append(short_time(time.monotonic() - self._began))
        left = self._left(finished)
        return ", ".join(parts + ([] if left is None else [f"about {short_time(left)} left"]))

    def _left(self, finished: int) -> float | None:
        running = [
            (one.now() - one.started, seen_of(one).progress) for one in self._running.values()
        ]
        waiting = None if self._total is None else self._total - finished - len(running)
        return self._eta.of_all(waiting, running)


class LiveTable(RunTable):
    """The table at the end of a terminal; of it only the lines are painted that have changed."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._painter = Painter(stream)
        self._above = Above(self._painter.above)
        self._styles = Styles(stream)
        self._widths: list[int] = []

    def _begin(self) -> None:
        self._above.take()

    def on_finish(self, summary: Summary) -> None:
        """Leave the last state on the screen if any run has ended, else nothing."""
        self._running.clear()  # those that are left were interrupted
        if self._ended:
            self._paint()
        else:
            self._painter.paint([])
        self._above.give_back()
        self._painter.release()

    def _paint(self) -> None:
        columns, rows = self._painter.size()
        shown = self._rows(max(1, min(_MOST, rows) - 2))
        self._widths = widths_for(shown, columns, self._widths)
        lines = [self._line(None, COLUMNS)]
        lines += [self._line(row.state, row.cells) for row in shown]
        lines.append((foot := fitted(self._foot(), columns).rstrip(), width_of(foot)))
        self._painter.paint(lines if rows > 2 else lines[-1:])

    def _line(self, state: str | None, cells: Sequence[str]) -> tuple[str, int]:
        """A row and its width in cells."""
        texts = {
            column: self._fitted(cell, width, column in _RIGHT)
            for column, (cell, width) in enumerate(zip(cells, self._widths))
            if width
        }
        width = width_of((" " * GAP).join(texts.values()).rstrip())
        if state and _STATE in texts:
            texts[_STATE] = self._styles.state(state, texts[_STATE])
        line = (" " * GAP).join(texts.values()).rstrip()
        return (line if state else self._styles.heading(line)), width

    def _fitted(self, cell: str, width: int, is_right: bool) -> str:
        cell = self._painter.out.writable(cell, "replace")
        text = fitted(cell, width, self._styles.ellipsis)
        return text.rstrip().rjust(width) if is_right else text


class NotebookTable(RunTable):
    """The table as one output of a notebook's cell, which is updated."""

    def __init__(self) -> None:
        super().__init__()
        self._output = CellOutput()

    def on_finish(self, summary: Summary) -> None:
        """Leave the last state below the cell if any run has ended."""
        self._running.clear()  # those that are left were interrupted
        if self._ended:
            self._paint()

    def _paint(self) -> None:
        shown = self._rows(_MOST)
        used = [n for n, _ in enumerate(COLUMNS) if any(row.cells[n] for row in shown)]
        rows = [tuple(row.cells[n] for n in used) for row in shown]
        headings = tuple(COLUMNS[n] for n in used)
        done, total = sum(self._counts.values()), self._total
        bar = "" if total is None else f'<progress value="{done}" max="{max(1, total)}"></progress>'
        table = html_table(headings, [Group("", tuple(rows))], note=self._foot())
        self._output.show(bar + table)


@dataclass(frozen=True)
class RunRow:
    """The row of one run."""

    index: int
    state: str
    #: One for each column.
    cells: tuple[str, ...]


def running_row(run: Run, eta: Eta) -> RunRow:
    """The row of a run under way, as it is now."""
    seen = seen_of(run)
    elapsed = run.now() - run.started
    left = eta.of_run(elapsed, seen.progress)
    done = "" if seen.progress is None else f"{seen.progress:.0%}"
    return _row(
        run, elapsed, done, "" if left is None else short_time(left), metrics_text(seen.metrics),
        seen.line,
    )  # fmt: skip


def ended_row(run: Run) -> RunRow:
    """The row of a run that has ended: with its error if it failed, else with its outputs."""
    seen = seen_of(run)
    outputs = run.outcome.outputs if run.outcome else {}
    left = " ".join(f"{name}={value_text(value)}" for name, value in outputs.items())
    both = f"{left} {metrics_text(seen.metrics)}".strip()
    last = error_line(run) if run.state == FAILED else seen.line
    return _row(run, run.seconds, "", "", both, last)


def waiting_row(run: Run, seconds: float) -> RunRow:
    """The row of a run that has failed and is retried in *seconds*."""
    return _row(run, run.seconds, "", short_time(seconds), "", error_line(run))


def _row(run: Run, elapsed: float, done: str, left: str, metrics: str, last: str) -> RunRow:
    number = run.number.strip("[]")
    cells = (number, run.state, run.title, short_time(elapsed), done, left, metrics, last)
    return RunRow(run.index, run.state, tuple(map(plain_line, cells)))


GAP = 2
"""Cells between two columns."""

_LABEL, _METRICS, _LAST = (COLUMNS.index(one) for one in ("label", "metrics", "last line"))
_LEAST_LAST, _LEAST_LABEL = 12, 8
# The order in which columns are left out if the terminal is too narrow.
_DROPPED = tuple(
    COLUMNS.index(one)
    for one in ("last line", "left", "run", "metrics", "elapsed", "done", "state")
)


def widths_for(rows: Sequence[RunRow], total: int, before: Sequence[int] = ()) -> list[int]:
    """The width of each column, 0 for one that is left out; all within *total* cells.

    No column of numbers is narrower than *before*: it would jump to and fro.
    """
    widths = _natural(rows)
    for column in range(_LABEL + 1, _METRICS):
        widths[column] = max(widths[column], before[column] if before else 0)
    widths[_LABEL] = min(widths[_LABEL], max(_LEAST_LABEL, total * 2 // 5))
    widths[_METRICS] = min(widths[_METRICS], max(_LEAST_LABEL, total * 2 // 5))
    natural = widths[_LAST]
    widths[_LAST] = min(natural, _LEAST_LAST)
    for column in _DROPPED:
        if _sum(widths) <= total:
            break
        widths[column] = 0
    widths[_LABEL] = max(1, widths[_LABEL] - max(0, _sum(widths) - total))
    if widths[_LAST]:
        widths[_LAST] += min(natural - widths[_LAST], total - _sum(widths))
    return widths


def _natural(rows: Sequence[RunRow]) -> list[int]:
    """The width of each column's longest text, heading included; 0 for an empty column."""
    widths = []
    for column, heading in enumerate(COLUMNS):
        widest = max((width_of(row.cells[column]) for row in rows), default=0)
        widths.append(max(widest, len(heading)) if widest else 0)
    return widths


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (sum(map(bool, widths)) - 1)


_ENOUGH_PROGRESS = 0.02
_ENOUGH_SECONDS = 2.0


class Eta:
    """Estimates the time left from the mean duration of runs and from their progress."""

    def __init__(self) -> None:
        self._count = 0
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Add the duration of a run."""
        self._count += 1
        self._seconds += seconds

    def of_run(self, elapsed: float, progress: float | None) -> float | None:
        """Seconds until a run ends; None if they cannot be estimated.

        Its own progress counts for more than the durations of other runs.
        """
        if progress and progress >= _ENOUGH_PROGRESS and elapsed >= _ENOUGH_SECONDS:
            return elapsed * (1 - progress) / progress
        if not self._count:
            return None
        # A run that takes longer than the mean will take a little longer still.
        return max(self._seconds / self._count - elapsed, 0.1 * elapsed)

    def of_all(
        self, waiting: int | None, running: Sequence[tuple[float, float | None]]
    ) -> float | None:
        """Seconds until all runs have ended; None if they cannot be estimated.

        *waiting* runs have not started; *running*: elapsed seconds and progress of each other one.
        """
        left = [self.of_run(elapsed, progress) for elapsed, progress in running]
        known = [one for one in left if one is not None]
        if waiting is None or not known or len(known) < len(left):
            return None
        whole = [elapsed + one for (elapsed, _), one in zip(running, known)]
        mean = self._seconds / self._count if self._count else sum(whole) / len(whole)
        return max(*known, (sum(known) + waiting * mean) / len(known), 0.0)
