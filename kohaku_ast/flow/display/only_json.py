"""Standard output for JSON alone."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def only_json() -> Iterator[TextIO]:
    """What is written to the stream goes to standard output; inside, everything else that would
    go there goes to standard error: of this process, its children and its C libraries.
    """
    if sys.stdout is None:  # it was closed when we were started: nobody wants to read it
        with open(os.devnull, "w") as nowhere:
            yield nowhere
        return
    output = _number(sys.stdout)
    if output is None:
        yield sys.stdout  # somebody who calls us has taken it: it is his
        return
    sys.stdout.flush()
    kept = os.dup(output)
    _lead(output, _number(sys.stderr))
    stream = os.fdopen(kept, "w", encoding="utf-8", newline="\n")
    try:
        yield stream
    finally:
        sys.stdout.flush()
        os.dup2(kept, output)
        try:
            stream.close()
        except OSError:  # who read it is gone, and `Out` has seen that
            pass


def _number(stream: TextIO | None) -> int | None:
    """Its descriptor; None if it has none."""
    try:
        return None if stream is None else stream.fileno()
    except (OSError, AttributeError, io.UnsupportedOperation):
        return None


def _lead(output: int, error: int | None) -> None:
    """Lead the descriptor *output* to *error*, or nowhere."""
    if error is not None:
        os.dup2(error, output)
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, output)
    os.close(nowhere)
