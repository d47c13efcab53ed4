"""Styles: the colours of the live table, as far as the terminal and NO_COLOR let us."""

from __future__ import annotations

from typing import TextIO

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from kohaku_ast.flow.run import FAILED, INTERRUPTED, RETRYING, RUNNING, SKIPPED, SUCCEEDED

_STATES = {
    RUNNING: Style(color="cyan"),
    SUCCEEDED: Style(color="green"),
    FAILED: Style(color="red", bold=True),
    INTERRUPTED: Style(color="yellow"),
    RETRYING: Style(color="yellow"),
    SKIPPED: Style(dim=True),
}
_HEADING = Style(bold=True)


class Styles:
    """What the terminal of *stream* can show."""

    def __init__(self, stream: TextIO) -> None:
        console = Console(file=stream)
        is_coloured = console.color_system is not None and not console.no_color
        self._system = ColorSystem.STANDARD if is_coloured else None
        encoding = getattr(stream, "encoding", None) or "ascii"
        #: The end of a text that was cut, in one cell.
        self.ellipsis = "…" if "utf" in encoding.lower() else "~"

    def state(self, state: str | None, text: str) -> str:
        """*text* in the colour of *state*."""
        return _STATES[state].render(text, color_system=self._system) if state in _STATES else text

    def heading(self, text: str) -> str:
        """*text* as the headings are."""
        return _HEADING.render(text, color_system=self._system)
