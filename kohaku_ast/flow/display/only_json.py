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
    try:
        output, error = sys.stdout.fileno(), sys.stderr.fileno()
    except (OSError, AttributeError, io.UnsupportedOperation):
        yield sys.stdout  # somebody who calls us has taken it: it is his
        return
    sys.stdout.flush()
    kept = os.dup(output)
    os.dup2(error, output)
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
