"""Run as a program: copies what runs print to where it is shown and to their logs.

A process of its own: it goes on when the flow is killed, so that logs are complete, and it needs
no lock that a run's C code may hold while it prints.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys

BLOCK = 1 << 16
_MOST_DESCRIPTORS = 6


class _Job:
    """The output of one run."""

    def __init__(self, targets: dict[int, int], log: int, done: int) -> None:
        #: What is read -> where it is shown.
        self.targets, self.log, self.done = targets, log, done

    def step(self, reader: int) -> bool:
        """Copy what has come; False when nothing will any more."""
        data = read(reader)
        if data:
            write(self.log, data)
            write(self.targets[reader], data)
            return True
        os.close(reader)
        os.close(self.targets.pop(reader))
        if not self.targets:
            os.close(self.log)
            os.close(self.done)  # whoever waits for it sees its end
        return False


def serve(control: socket.socket) -> None:
    """Copy for the runs that come over *control*, until all of them are over."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(control, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select():
                if key.data is not None:
                    if not key.data.step(key.fd):
                        waiting.unregister(key.fd)
                    continue
                job = _received(control)
                if job is None:
                    waiting.unregister(control)
                    continue
                for reader in job.targets:
                    waiting.register(reader, selectors.EVENT_READ, job)


def _received(control: socket.socket) -> _Job | None:
    """The next run; None if the flow is over or gone."""
    data, found, _, _ = socket.recv_fds(control, 1, _MOST_DESCRIPTORS)
    if not data:
        return None
    *streams, log, done = found
    half = len(streams) // 2
    return _Job(dict(zip(streams[:half], streams[half:])), log, done)


def read(reader: int) -> bytes:
    """What has come; nothing at the end."""
    try:
        return os.read(reader, BLOCK)
    except OSError:  # EIO: the other end of a terminal is closed
        return b""


def write(target: int, data: bytes) -> None:
    """All of it; a full disk or a closed terminal stops no run."""
    try:
        while data:
            data = data[os.write(target, data) :]
    except OSError:
        pass


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
