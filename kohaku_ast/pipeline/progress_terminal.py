"""Bars at the bottom of a terminal."""

from __future__ import annotations

import os
from typing import TextIO

from kohaku_ast.display.live import Above, Painter
from kohaku_ast.display.text import fitted, width_of
from kohaku_ast.flow.display.styles import Styles
from kohaku_ast.flow.run import FAILED, RUNNING, SUCCEEDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kohaku_ast.pipeline.progress_rows import Row

_WIDEST = 30


class TerminalBars:
    """Painted in the place of those before; what nodes print goes above them."""

    def __init__(self, stream: TextIO) -> None:
        self._painter = Painter(stream)
        self._styles = Styles(stream)
        self._above = Above(self._print)
        self._pid = os.getpid()
        self._above.take()
        is_utf = "utf" in self._painter.out.encoding.lower()
        self._full, self._rest = "━─" if is_utf else "#-"

    def show(self, rows: Sequence[Row], is_last: bool) -> None:
        """As many of *rows* as fit; with *is_last* they stay."""
        columns, _ = self._painter.size()
        label = max((width_of(row.label) for row in rows), default=0)
        count = max((len(_count(row)) for row in rows), default=0)
        bar = max(0, min(_WIDEST, columns - label - count - 4 - 20))
        self._painter.paint([self._line(row, (label, bar, count), columns) for row in rows])
        if is_last:
            self._above.give_back()
            self._painter.release()

    def _print(self, text: str) -> None:
        """What a node prints. A forked worker has the screen as it was when it was forked."""
        if os.getpid() != self._pid:
            self._painter, self._pid = self._painter.forked(), os.getpid()
        self._painter.above(text)

    def _line(self, row: Row, widths: tuple[int, int, int], columns: int) -> tuple[str, int]:
        """A row, and how wide it is."""
        label, bar, count = widths
        before = fitted(row.label, label) + "  "
        after = f"  {_count(row).rjust(count)}  {row.text}".rstrip()
        before, after = self._painter.out.writable(before), self._painter.out.writable(after)
        room = columns - width_of(before) - bar
        if room < width_of(after):
            after = fitted(after, max(0, room), self._styles.ellipsis)
        line = before + self._bar(row, bar) + after
        return line, width_of(before) + bar + width_of(after)

    def _bar(self, row: Row, width: int) -> str:
        done = width if row.done >= row.total else width * row.done // row.total
        state = FAILED if row.has_failed else SUCCEEDED if row.done >= row.total else RUNNING
        return self._styles.state(state, self._full * done) + self._rest * (width - done)


def _count(row: Row) -> str:
    return f"{row.done:,}/{row.total:,} {row.unit}"
