"""A live display: lines at the end of a terminal that are painted anew, with prints above them.

rich.live does not do: it erases every line before it writes it, hides the cursor as long as it
lives, leaves parts behind in a terminal that was made narrower, and prints text for a file on the
terminal.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, TextIO

from kohaku_ast.errors import visible


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def can_be_painted(stream: TextIO) -> bool:
    """Whether *stream* is a terminal whose cursor can be moved. That of ``!kogine`` in a notebook
    is none: the frames would stand below each other.
    """
    if "JPY_PARENT_PID" in os.environ:  # Jupyter sets it for kernels
        return False
    try:
        is_terminal = stream.isatty() and stream.fileno() >= 0
    except (OSError, ValueError):
        return False
    if not is_terminal or os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return False
    if sys.platform == "win32":
        from rich.console import Console

        return not Console(file=stream).legacy_windows
    return True


class CellOutput:
    """One output of a notebook's cell, which is replaced by the next text."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, html: str) -> None:
        """Show *html* in place of what was shown."""
        import IPython.display  # a notebook has it

        output: Any = IPython.display  # it has no types
        shown = output.HTML(html)
        if self._handle is None:
            self._handle = output.display(shown, display_id=True)
        else:
            self._handle.update(shown)


class Out:
    """A stream that may fail: a closed pipe, a full disk, a terminal that hung up."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.is_gone = False
        #: Why the rest was not written, if it is not that the reader has ended.
        self.error: OSError | None = None
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> None:
        """Write *text* at once; after the first error, nothing."""
        if self.is_gone:
            return
        try:
            self.stream.write(self.writable(text))
            self.stream.flush()
        except (OSError, ValueError) as error:  # ValueError: it is closed
            self.is_gone = True
            if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EIO):
                self.error = error

    def print(self, *lines: str) -> None:
        """Write *lines*, but not the empty ones."""
        text = "".join(f"{line}\n" for line in lines if line)
        if text:
            self.write(visible(text))

    def writable(self, text: str, errors: str = "backslashreplace") -> str:
        """*text* with escapes for characters that the stream's encoding lacks."""
        if text.isascii():
            return text
        try:
            return text.encode(self.encoding, errors).decode(self.encoding)
        except LookupError:
            return text.encode("ascii", errors).decode()


_USUAL_SIZE = (80, 24)  # of a terminal that does not report its size
# The cursor is hidden only while it moves: after any end of this process, and during Ctrl-Z, the
# terminal has its cursor. Without automatic wrapping, a character that is wider than computed
# cannot move the lines below it.
_BEGIN, _END = "\x1b[?25l\x1b[?7l\r", "\x1b[?7h\x1b[?25h"
_REST_OF_LINE, _ALL_BELOW = "\x1b[K", "\x1b[J"


class Painter:
    """Paints the last lines of the screen; may be called from any thread."""

    def __init__(self, stream: TextIO) -> None:
        self.out = Out(stream)
        self._lock = threading.RLock()
        #: The painted lines, each with its width in cells, and the size they were painted for.
        self._lines: list[tuple[str, int]] = []
        self._size = (0, 0)

    def forked(self) -> Painter:
        """The same for a forked process, in which no thread would release a held lock."""
        made = Painter(self.out.stream)
        made._lines, made._size = self._lines, self._size
        return made

    def size(self) -> tuple[int, int]:
        """Columns and rows for painting: the last column and row stay empty."""
        try:
            columns, rows = os.get_terminal_size(self.out.stream.fileno())
        except (OSError, ValueError):
            columns, rows = 0, 0
        return (columns or _USUAL_SIZE[0]) - 1, (rows or _USUAL_SIZE[1]) - 1

    def paint(self, lines: Sequence[tuple[str, int]]) -> None:
        """Show *lines*, each with its width in cells, in place of the painted ones."""
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
        """Print *text*, whole lines, above the painted ones, where it stays."""
        with self._lock:
            size = self.size()
            again = "".join(f"{line}{_REST_OF_LINE}\r\n" for line, _ in self._lines)
            # Printed text wraps; painted lines do not.
            self.out.write(f"\x1b[?25l\r{self._up(size)}{_ALL_BELOW}{text}\x1b[?7l{again}{_END}")
            # The terminal cuts lines that are too long now; the next paint writes them anew.
            self._lines = [(line, min(width, size[0])) for line, width in self._lines]
            self._size = size if size == self._size else (0, 0)

    def release(self) -> None:
        """Leave the painted lines on the screen: the next paint goes below them."""
        with self._lock:
            self._lines = []

    def _changes(self, fresh: list[tuple[str, int]], is_all: bool) -> str:
        """The text that paints *fresh* from the first line on; empty if nothing has changed."""
        if not is_all and fresh == self._lines:
            return ""
        parts = []
        for number, line in enumerate(fresh):
            if is_all or number >= len(self._lines) or line != self._lines[number]:
                parts.append(line[0] + _REST_OF_LINE)
            parts.append("\r\n")
        return "".join(parts) + (_ALL_BELOW if is_all or len(fresh) < len(self._lines) else "")

    def _up(self, size: tuple[int, int]) -> str:
        """The text that moves the cursor to the first painted line.

        A terminal that was made narrower has wrapped the longer lines.
        """
        columns = size[0] + 1
        rows = sum(max(1, -(-width // columns)) for _, width in self._lines)
        rows = min(rows, size[1])
        return f"\x1b[{rows}A" if rows else ""


class _Above:
    """Takes the place of ``sys.stdout`` or ``sys.stderr``; whole lines go to *show*."""

    def __init__(self, stream: TextIO, show: Callable[[str], None]) -> None:
        self._stream, self._show = stream, show
        #: That of a stream which keeps what it shows: the text is shown elsewhere.
        self._keep: Callable[[str], object] = getattr(stream, "keep", len)
        self._text = ""

    def write(self, text: str) -> int:
        self._keep(text)
        lines, newline, self._text = (self._text + text).rpartition("\n")
        if newline:
            self._show(lines + newline)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """Show a line without an end, too: the painted lines begin on a new line."""
        if self._text:
            lines, self._text = f"{self._text}\n", ""
            self._show(lines)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Above:
    """Shows text for the standard streams that are terminals above the painted lines."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._taken: dict[str, tuple[TextIO, _Above]] = {}

    def take(self) -> None:
        """Replace the streams."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if name not in self._taken and stream is not None and stream.isatty():
                above = _Above(stream, self._show)
                self._taken[name] = stream, above
                setattr(sys, name, above)

    def give_back(self) -> None:
        """Restore the streams, unless other code has replaced them meanwhile."""
        taken, self._taken = self._taken, {}  # a thread that paints may give them back, too
        for name, (stream, above) in taken.items():
            above.flush()
            if getattr(sys, name) is above:
                setattr(sys, name, stream)


_DEBUGGERS = {"pdb", "IPython.core.debugger", "pudb.debugger"}


def is_debugged() -> bool:
    """Whether a thread of this process is in a debugger."""
    for frame in sys._current_frames().values():
        lowest: FrameType | None = frame
        while lowest is not None:
            if lowest.f_globals.get("__name__") in _DEBUGGERS:
                return True
            lowest = lowest.f_back
    return False


class Pace:
    """Limits an action to once in *seconds*."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def is_due(self) -> bool:
        """Whether the seconds are over; if so, they begin anew."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


OFTEN = 0.1
"""Seconds between two paintings of a clock."""

# Held while a thread paints, and by who forks: in the process that is forked no thread would
# release the locks of a stream or of an import.
_painting = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_painting.acquire,
        after_in_parent=_painting.release,
        after_in_child=_painting.release,
    )


class Ticker(threading.Thread):
    """Paints while nodes run: one may take hours without an event."""

    def __init__(self, show: Callable[[], None], first: float = OFTEN) -> None:
        """*first*: the seconds before the first painting."""
        super().__init__(name="kogine-progress", daemon=True)
        self._paint, self._first = show, first
        self._over = threading.Event()

    def start(self) -> None:
        """Start painting. If the system gives no more threads, nothing is painted: what runs must
        not fail because of its display.
        """
        try:
            super().start()
        except RuntimeError:
            self._over.set()

    def run(self) -> None:
        """Paint, until ``stop``."""
        seconds = self._first
        while not self._over.wait(seconds):
            seconds = OFTEN
            with _painting:
                self._paint()

    def stop(self) -> None:
        """Stop painting: nothing is painted after this call."""
        self._over.set()
        if self.ident is not None:
            self.join()


_STYLES = {
    "running": "cyan",
    "succeeded": "green",
    "failed": "bold red",
    "interrupted": "yellow",
    "retrying": "yellow",
    "skipped": "dim",
    "heading": "bold",
}


class Styles:
    """Colours and characters that the terminal of *stream* can show."""

    def __init__(self, stream: TextIO) -> None:
        from rich.color import ColorSystem  # here: it takes 45 ms, and most runs show no colour
        from rich.console import Console
        from rich.style import Style

        console = Console(file=stream)
        is_coloured = console.color_system is not None and not console.no_color
        self._system = ColorSystem.STANDARD if is_coloured else None
        self._styles = {name: Style.parse(style) for name, style in _STYLES.items()}
        encoding = getattr(stream, "encoding", None) or "ascii"
        #: The mark of a text that was cut, in one cell.
        self.ellipsis = "…" if "utf" in encoding.lower() else "~"

    def state(self, state: str | None, text: str) -> str:
        """*text* in the colour of *state*, which is a state of a run or None."""
        style = self._styles.get(state or "")
        return style.render(text, color_system=self._system) if style else text

    def heading(self, text: str) -> str:
        """*text* as the headings are."""
        return self._styles["heading"].render(text, color_system=self._system)
