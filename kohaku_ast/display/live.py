"""Lines at the bottom of a terminal, painted over each other; what others print goes above."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO


class Out:
    """A stream that may go away (a closed pipe, a full disk, a terminal that hung up)."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_gone = False
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> None:
        """Write *text* in one go."""
        if self.is_gone:
            return
        try:
            self.stream.write(self.writable(text))
            self.stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed
            self.is_gone = True

    def say(self, *lines: str) -> None:
        """Write *lines*; an empty one is left out."""
        text = "".join(f"{line}\n" for line in lines if line)
        if text:
            self.write(text)

    def writable(self, text: str, errors: str = "backslashreplace") -> str:
        """*text* with what the stream's encoding lacks as escapes."""
        if text.isascii():
            return text
        try:
            return text.encode(self.encoding, errors).decode(self.encoding)
        except LookupError:
            return text.encode("ascii", errors).decode()


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


class _Above:
    """In the place of ``sys.stdout`` or ``sys.stderr``; whole lines go to *show*."""

    def __init__(self, stream: TextIO, show: Callable[[str], None]) -> None:
        self._stream, self._show = stream, show
        self._text = ""

    def write(self, text: str) -> int:
        lines, newline, self._text = (self._text + text).rpartition("\n")
        if newline:
            self._show(lines + newline)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """A line without end gets one: the table begins on a line of its own."""
        if self._text:
            self.write("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Above:
    """Takes the place of the standard streams that are terminals."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._taken: dict[str, tuple[TextIO, _Above]] = {}

    def take(self) -> None:
        """From now on."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if name not in self._taken and stream is not None and stream.isatty():
                above = _Above(stream, self._show)
                self._taken[name] = stream, above
                setattr(sys, name, above)

    def give_back(self) -> None:
        """They are as before, unless somebody else has put something in their place."""
        for name, (stream, above) in self._taken.items():
            above.flush()
            if getattr(sys, name) is above:
                setattr(sys, name, stream)
        self._taken.clear()


class Pace:
    """At most once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def is_due(self) -> bool:
        """Whether it is time again; if so, it is noted as done."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
