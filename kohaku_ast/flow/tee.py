"""Tee: what a run prints goes where our own output goes, and into its log as well."""

from __future__ import annotations

import ctypes
import os
import selectors
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 1.0  # seconds for what processes that outlive a run still hold
_BLOCK = 1 << 16


class Tee:
    """Two pipes, for stdout and stderr, and a thread that copies what comes."""

    def __init__(self, log: int, stdout: int = 1, stderr: int = 2) -> None:
        """Copies to the descriptors *stdout* and *stderr*, and all of it to *log*."""
        self._log = log
        out, self.stdout = os.pipe()
        err, self.stderr = os.pipe()
        self._targets = {out: os.dup(stdout), err: os.dup(stderr)}
        self._thread = threading.Thread(target=self._copy, name="kogine-tee", daemon=True)
        self._thread.start()

    def close_writers(self) -> None:
        """The run has them now: its end is seen when nobody else holds them."""
        os.close(self.stdout)
        os.close(self.stderr)

    def finish(self) -> None:
        """Wait for the rest of the output."""
        self._thread.join(_PATIENCE)

    def _copy(self) -> None:
        with selectors.DefaultSelector() as waiting:
            for reader in self._targets:
                waiting.register(reader, selectors.EVENT_READ)
            while waiting.get_map():
                for key, _ in waiting.select():
                    if not self._pass_on(key.fd):
                        waiting.unregister(key.fd)
                        os.close(key.fd)
                        os.close(self._targets[key.fd])
        os.close(self._log)

    def _pass_on(self, reader: int) -> bool:
        data = os.read(reader, _BLOCK)
        if data:
            _write(self._log, data)
            _write(self._targets[reader], data)
        return bool(data)


def _write(target: int, data: bytes) -> None:
    """All of it; a full disk or a closed terminal stops no run."""
    try:
        while data:
            data = data[os.write(target, data) :]
    except OSError:
        pass


@contextmanager
def teed(log: int) -> Iterator[None]:
    """Inside, everything that this process prints goes to the descriptor *log* too; it is closed
    at the end.
    """
    _flush()
    kept = os.dup(1), os.dup(2)
    tee = Tee(log)
    os.dup2(tee.stdout, 1)
    os.dup2(tee.stderr, 2)
    tee.close_writers()
    try:
        yield
    finally:
        _flush()
        for number, copy in zip((1, 2), kept):
            os.dup2(copy, number)
            os.close(copy)
        tee.finish()


def _flush() -> None:
    """What Python and C have not written yet belongs to who has printed it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # closed, or none
    if sys.platform != "win32":
        ctypes.CDLL(None).fflush(None)
