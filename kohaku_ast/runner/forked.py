"""A child that a script forks while it runs in this process: it ends where the script ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kohaku_ast.runner.bottom import call_hook, trimmed
from kohaku_ast.runner.exit_status import as_status, die_of


@contextmanager
def parent_alone() -> Iterator[int]:
    """Nobody but this process, whose number is given, comes out of the block. A child would go
    on with the next run, or with the caller's program, as a second one of us.
    """
    pid, status = os.getpid(), 0
    try:
        yield pid
    except BaseException as error:
        if os.getpid() == pid:
            raise
        status = _shown(error)
    if os.getpid() != pid:
        _flush()
        os._exit(status)


def _shown(error: BaseException) -> int:
    """The exit status for *error*, which is printed as at the end of a process."""
    if isinstance(error, SystemExit):
        if isinstance(error.code, int) or error.code is None:
            return as_status(error.code or 0)
        print(error.code, file=sys.stderr)
        return 1
    error.__traceback__ = trimmed(error.__traceback__)
    call_hook(sys.excepthook, error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        _flush()
        die_of(signal.SIGINT)
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # as for every process that ends with a closed stream
