"""A file for two processes that nobody has to remove, even if both are killed."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO


def above_streams(number: int) -> int:
    """Descriptor *number*, or a copy of it if it is where a process has stdin, stdout or stderr:
    who closes these leaves their places free.
    """
    if number > 2:
        return number
    import fcntl

    copy = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(number)
    return copy


class CrossingFile:
    """Bytes for another process, which gets a descriptor or, on Windows, a path."""

    __slots__ = ("_file", "_stack")

    def __init__(self, data: bytes = b"") -> None:
        """Holds *data*, to be read from its start."""
        self._stack = ExitStack()
        if hasattr(os, "memfd_create"):
            # Not a file on a disk, which may be full.
            number = above_streams(os.memfd_create("kogine"))
            self._file: IO[bytes] = open(number, "w+b", 0)  # noqa: SIM115  # close() closes it
        elif sys.platform != "win32":
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        else:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory())
            self._file = open(Path(folder, "kogine"), "w+b", 0)  # noqa: SIM115
        self._stack.callback(self._file.close)
        self._write(data)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self._file.seek(0)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._file.fileno()

    @property
    def path(self) -> str:
        """Where it is, on Windows."""
        return str(self._file.name)

    def read(self) -> bytes:
        """All that is in it."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Gives it back; it may be closed twice."""
        self._stack.close()

    def __enter__(self) -> CrossingFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
