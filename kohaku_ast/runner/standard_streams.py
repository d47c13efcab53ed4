"""In a forked process: ``sys.stdin``, ``stdout`` and ``stderr`` for the descriptors it has now."""

from __future__ import annotations

import os
import sys
from io import DEFAULT_BUFFER_SIZE, FileIO, TextIOWrapper


def renew_streams() -> None:
    """As the interpreter makes them at its start; the objects stay those that libraries know."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, f"__{name}__")
        if not _is_open(number):
            setattr(sys, f"__{name}__", None)
            if getattr(sys, name) is stream:
                setattr(sys, name, None)
        elif isinstance(stream, TextIOWrapper):
            _renew(stream, number)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _renew(stream: TextIOWrapper, number: int) -> None:
    """What ``create_stdio`` of CPython does."""
    buffer = stream.buffer
    encoding, errors, name = stream.encoding, stream.errors, stream.name
    is_buffered = hasattr(buffer, "raw")
    # A new one: it remembers whether its file can seek.
    raw = FileIO(number, "wb" if number else "rb", closefd=False)
    raw.name = name
    if is_buffered:
        size = os.fstat(number).st_blksize
        buffer.__init__(raw, size if size > 1 else DEFAULT_BUFFER_SIZE)  # type: ignore[misc]
    lines = is_buffered and (raw.isatty() or number == 2)
    through = not is_buffered
    inner = buffer if is_buffered else raw
    stream.__init__(inner, encoding, errors, "\n", lines, through)  # type: ignore[misc]
