"""LiveTable: the runs under way, and the last of those that are over, on a terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TextIO

from kohaku_ast.display.live import Above, Pace, Painter
from kohaku_ast.display.text import fitted, short_time, width_of
from kohaku_ast.flow.display.eta import Eta
from kohaku_ast.flow.display.layout import GAP, widths_for
from kohaku_ast.flow.display.rows import COLUMNS, Row, ended_row, running_row, waiting_row
from kohaku_ast.flow.display.seen import seen_of
from kohaku_ast.flow.display.styles import Styles
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import FAILED, Run

_MOST = 20  # rows, the heading and the line below included
_RIGHT = {COLUMNS.index(one) for one in ("run", "elapsed", "done", "left")}
_STATE = COLUMNS.index("state")


class LiveTable(Observer):
    """Painted 4 times a second at most, and only what has changed."""

    def __init__(self, stream: TextIO) -> None:
        self._painter = Painter(stream)
        self._above = Above(self._painter.above)
        self._styles = Styles(stream)
        self._pace = Pace(0.25)
        self._eta = Eta()
        self._began = time.monotonic()
        self._running: dict[int, Run] = {}
        #: The last that are over, or wait to be tried again.
        self._ended: dict[int, Row] = {}
        self._counts: Counter[str] = Counter()
        self._total: int | None = None
        self._widths: list[int] = []

    def on_start(self, run: Run, total: int | None) -> None:
        """Runs that wait to be tried again are not of the ended any more."""
        if not self._running and not self._ended:
            self._began = time.monotonic()
            self._above.take()
        self._total = total
        self._ended.pop(run.index, None)
        self._running[run.index] = run
        self._show()

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Times and last lines go on."""
        self._show()

    def on_retry(self, run: Run, seconds: float) -> None:
        """It counts as ended until it starts again."""
        self._end(run, waiting_row(run, seconds))

    def on_skip(self, run: Run) -> None:
        """Only counted: what was done before is no news."""
        self._total = run.total
        self._counts[run.state] += 1

    def on_end(self, run: Run) -> None:
        """Its row stays until newer ones need the room."""
        self._counts[run.state] += 1
        self._eta.add(run.seconds)
        self._end(run, ended_row(run))

    def on_finish(self, summary: Summary) -> None:
        """The last state stays on the screen, if any run has come to an end."""
        self._running.clear()  # nobody waits for them any more
        if self._ended:
            self._paint()
        else:
            self._painter.paint([])
        self._above.give_back()
        self._painter.release()

    def _end(self, run: Run, row: Row) -> None:
        self._running.pop(run.index, None)
        self._ended.pop(run.index, None)
        self._ended[run.index] = row
        while len(self._ended) > _MOST:
            del self._ended[next(iter(self._ended))]
        self._show()

    def _show(self) -> None:
        if self._pace.is_due():
            self._paint()

    def _paint(self) -> None:
        columns, rows = self._painter.size()
        shown = self._rows(max(1, min(_MOST, rows) - 2))
        self._widths = widths_for(shown, columns, self._widths)
        lines = [self._line(None, COLUMNS)]
        lines += [self._line(row.state, row.cells) for row in shown]
        lines.append((foot := fitted(self._foot(), columns).rstrip(), width_of(foot)))
        self._painter.paint(lines if rows > 2 else lines[-1:])

    def _rows(self, most: int) -> list[Row]:
        """Those under way first, then the newest of the others; by their number."""
        running = [self._running[index] for index in sorted(self._running)][:most]
        rows = [running_row(run, self._eta) for run in running]
        free = most - len(rows)
        rows += list(self._ended.values())[-free:] if free else []
        return sorted(rows, key=lambda row: row.index)

    def _line(self, state: str | None, cells: Sequence[str]) -> tuple[str, int]:
        """A row, and how wide it is."""
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

    def _foot(self) -> str:
        """``3 of 40 over, 2 running, 1 failed, 12s, about 1m02s left``."""
        over = sum(self._counts.values())
        parts = [f"{over} over" if self._total is None else f"{over} of {self._total} over"]
        parts += [f"{len(self._running)} running"] if self._running else []
        parts += [f"{self._counts[FAILED]} failed"] if self._counts[FAILED] else []
        parts.append(short_time(time.monotonic() - self._began))
        left = self._left(over)
        return ", ".join(parts + ([] if left is None else [f"about {short_time(left)} left"]))

    def _left(self, over: int) -> float | None:
        now = time.time()
        running = [(now - one.started, seen_of(one).progress) for one in self._running.values()]
        waiting = None if self._total is None else self._total - over - len(running)
        return self._eta.of_all(waiting, running)
