"""Above: what others print while the live table stands there goes above it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TextIO


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
