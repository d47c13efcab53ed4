"""Painter: lines at the bottom of a terminal, painted over each other without flicker."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import TextIO

from kohaku_ast.flow.display.out import Out

_SMALLEST = (80, 24)  # of a terminal that does not tell
# Hidden only while it moves: however we end, and also while we are stopped by Ctrl-Z, the terminal
# is left with its cursor. Without automatic wrapping, a character that is wider than we think
# cannot push everything down.
_BEGIN, _END = "\x1b[?25l\x1b[?7l\r", "\x1b[?7h\x1b[?25h"
_REST_OF_LINE, _ALL_BELOW = "\x1b[K", "\x1b[J"


class Painter:
    """Owns the last lines of the screen; may be called from any thread."""

    def __init__(self, stream: TextIO) -> None:
        self.out = Out(stream)
        self._lock = threading.RLock()
        #: What stands there, with its width in cells, and the size for which it was painted.
        self._lines: list[tuple[str, int]] = []
        self._size = (0, 0)

    def forked(self) -> Painter:
        """The same for a forked process: a thread that is not there may hold the lock of this."""
        made = Painter(self.out.stream)
        made._lines, made._size = self._lines, self._size
        return made

    def size(self) -> tuple[int, int]:
        """Columns and rows that can be painted: the last column and row stay empty."""
        try:
            columns, rows = os.get_terminal_size(self.out.stream.fileno())
        except (OSError, ValueError):
            columns, rows = 0, 0
        return (columns or _SMALLEST[0]) - 1, (rows or _SMALLEST[1]) - 1

    def paint(self, lines: Sequence[tuple[str, int]]) -> None:
        """Show *lines*, each with its width in cells, in the place of those before."""
        with self._lock:
            if not lines and not self._lines:
                return
            size = self.size()
            fresh = list(lines[: max(1, size[1])])
            text = self._changes(fresh, is_all=size != self._size)
            if text:
                self.out.write(f"{_BEGIN}{self._up(size)}{text}{_END}")
            self._lines, self._size = fresh, size

    def above(self, text: str) -> None:
        """Print *text*, whole lines, above the painted ones: it stays there."""
        with self._lock:
            size = self.size()
            again = "".join(f"{line}{_REST_OF_LINE}\r\n" for line, _ in self._lines)
            # Wrapping is on for what others print.
            self.out.write(f"\x1b[?25l\r{self._up(size)}{_ALL_BELOW}{text}\x1b[?7l{again}{_END}")
            # Cut by the terminal where they are too long for it now; painted anew the next time.
            self._lines = [(line, min(width, size[0])) for line, width in self._lines]
            self._size = size if size == self._size else (0, 0)

    def release(self) -> None:
        """What stands there stays; nothing is painted over it any more."""
        with self._lock:
            self._lines = []

    def _changes(self, fresh: list[tuple[str, int]], is_all: bool) -> str:
        """What paints *fresh* from the first line on; empty if it stands there already."""
        if not is_all and fresh == self._lines:
            return ""
        parts = []
        for number, line in enumerate(fresh):
            if is_all or number >= len(self._lines) or line != self._lines[number]:
                parts.append(line[0] + _REST_OF_LINE)
            parts.append("\r\n")
        return "".join(parts) + (_ALL_BELOW if is_all or len(fresh) < len(self._lines) else "")

    def _up(self, size: tuple[int, int]) -> str:
        """Moves the cursor to the first of the lines.

        A terminal that has been made narrower has broken the longer of them in two.
        """
        columns = size[0] + 1
        rows = sum(max(1, -(-width // columns)) for _, width in self._lines)
        rows = min(rows, size[1])
        return f"\x1b[{rows}A" if rows else ""
