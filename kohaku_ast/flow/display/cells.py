"""Text measured in cells of a terminal: a wide character takes two, an accent none."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def width_of(text: str) -> int:
    """In cells; *text* is printable."""
    return len(text) if text.isascii() else cell_len(text)


def fitted(text: str, width: int, ellipsis: str = "…") -> str:
    """*text* in exactly *width* cells: filled with blanks, or cut with *ellipsis* as its end."""
    if width <= 0:
        return ""
    text = text[: 4 * width]  # log lines are long, and accents are few
    have = width_of(text)
    if have <= width:
        return text + " " * (width - have)
    return cut(text, width - 1) + ellipsis


def cut(text: str, width: int) -> str:
    """The first *width* cells of *text*."""
    return text[:width] if text.isascii() else set_cell_size(text, width)
