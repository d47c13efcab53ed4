"""The end of a log, however long it is and whatever was printed."""

from __future__ import annotations

import os
from pathlib import Path

_MOST_BYTES = 64 * 1024
_MOST_TEXT = 500
"""Characters of one line."""


def last_lines(log: Path, count: int = 10) -> list[str]:
    r"""The last *count* lines, without line ends; none if the file cannot be read.

    Of a line that was written over (``\r``, a progress bar) what was to be seen last.
    """
    try:
        text = _tail(log).decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.split("\n")
    if lines and not lines[-1].strip():
        lines.pop()
    return [_seen(line)[:_MOST_TEXT] for line in lines[-count:]] if count > 0 else []


def _tail(log: Path) -> bytes:
    with open(log, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _MOST_BYTES))
        return file.read(_MOST_BYTES)


def _seen(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
