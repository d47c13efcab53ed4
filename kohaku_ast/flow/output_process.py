"""Run as a program: copies the output of runs to their logs, and to the streams of the flow.

It is a process of its own: logs are complete even if the flow is killed, and it needs no lock that
a run's C code may hold while it prints. It is not woken for every run: the output of a run that
ends before it looks is copied by the flow.

On a disk that is nearly full, runs do not write to their logs themselves: their ``print`` would
fail.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import sys
from collections.abc import Iterable, Sequence

_BLOCK, _MOST_BLOCKS = 1 << 16, 16
_MOST_DESCRIPTORS = 6
_LONGEST_LINE = 1 << 16
NOWHERE = -1
SHOWN, KEPT, LINES = b"s", b"k", b"l"
"""The descriptors in a message: readers, streams to show them on, log; or readers, log; or readers,
streams, files for parts of lines.
"""
NOTES = (KEPT, SHOWN)
"""The file that both processes lock has a byte for each: the number of the last error, or 0."""
_READER_ENDED = (errno.EPIPE, errno.EIO)
_TAIL = 1 << 16
_MARK = b"\n[kogine: "
_MARK_LINE = "\n[kogine: {:>15} bytes of output are left out here, see --log-limit]\n"
"""Always as long, so that it can be found again."""
MARK_LENGTH = len(_MARK_LINE.format(0))
TICK = 0.02
"""Seconds between two looks for new runs."""


class Output:
    """The output of one run. Two processes copy it in turns, so that its order stays."""

    def __init__(
        self,
        readers: Sequence[int],
        shown: Sequence[int],
        log: int,
        turns: int = -1,
        most: int = 0,
        parts: Sequence[int] = (),
    ) -> None:
        """It closes all descriptors but *turns*, a file that both processes lock and in which they
        write the errors of what they could not write. *most* is as for ``limit_log``.

        *parts*: a file for each reader, that holds the line which has no end yet; the output is
        shown by whole lines. It may have no log (``NOWHERE``).
        """
        #: Reader -> descriptor to show its data on, or ``NOWHERE``; without those that have ended.
        self.targets = dict(zip(readers, shown))
        self._parts = dict(zip(readers, parts))
        self._log, self.turns = log, turns
        self.most = most if log != NOWHERE else 0

    @property
    def kind(self) -> bytes:
        """``SHOWN``, ``KEPT`` or ``LINES``: the order of ``descriptors``."""
        if self._parts:
            return LINES
        return KEPT if NOWHERE in self.targets.values() else SHOWN

    @property
    def descriptors(self) -> list[int]:
        """Those to send to another process."""
        found = (*self.targets, *self.targets.values(), *self._parts.values(), self._log)
        return [one for one in found if one != NOWHERE]

    def copy(self) -> list[int]:
        """Copy what is there, up to a limit; return the readers that have ended."""
        _lock(self.turns, True)
        try:
            return [reader for reader in self.targets if not self.copy_one(reader)]
        finally:
            _lock(self.turns, False)

    def copy_one(self, reader: int) -> bool:
        """Copy what is there at *reader*; return whether more may come."""
        for _ in range(_MOST_BLOCKS):
            try:
                data = os.read(reader, _BLOCK)
            except BlockingIOError:
                return True
            except OSError:  # EIO: the other end of a terminal is closed
                data = b""
            if not data:
                self._note(SHOWN, self._show(reader, b"", is_end=True))
                return False
            self._note(KEPT, write(self._log, data))
            self._note(SHOWN, self._show(reader, data))
            # Last: if this process is killed, little that it has read is lost.
            self._note(KEPT, limited(self._log, self.most))
        return True

    def _show(self, reader: int, data: bytes, is_end: bool = False) -> int:
        """Write *data*; by whole lines, the output of other runs cannot stand inside of them. The
        error number, or 0.
        """
        if reader in self._parts:
            part = self._parts[reader]
            data = _taken(part) + data
            # The text of a bar follows a carriage return: one that comes last may begin a line end.
            end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
            if not is_end and len(data) - end < _LONGEST_LINE:
                write(part, data[end:])
                data = data[:end]
        return write(self.targets[reader], data)

    def _note(self, where: bytes, number: int) -> None:
        """Note that writing *where* has failed with the error *number*."""
        if number and self.turns >= 0 and not (where == SHOWN and number in _READER_ENDED):
            os.pwrite(self.turns, bytes([number & 0xFF]), NOTES.index(where))

    def end(self, readers: Sequence[int]) -> bool:
        """Close *readers*; return whether others are left."""
        for reader in readers:
            shown, part = self.targets.pop(reader), self._parts.pop(reader, NOWHERE)
            close((reader, shown, part))
        if not self.targets and self._log >= 0:
            os.close(self._log)
            self._log = -1
        return bool(self.targets)


def _taken(file: int) -> bytes:
    """All that *file* holds; afterwards it is empty."""
    size = os.fstat(file).st_size
    if not size:
        return b""
    os.lseek(file, 0, os.SEEK_SET)
    data = os.read(file, size)
    os.lseek(file, 0, os.SEEK_SET)
    os.ftruncate(file, 0)
    return data


def close(numbers: Iterable[int]) -> None:
    """Close all descriptors of *numbers* that are one."""
    for one in numbers:
        if one != NOWHERE:
            os.close(one)


def write(target: int, data: bytes) -> int:
    """Write all of *data*; return the error number, or 0. No error stops a run."""
    try:
        while data and target != NOWHERE:
            data = data[os.write(target, data) :]
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def keep(log: int, data: bytes, most: int) -> int:
    """Write *data* to the *log*, which holds at most *most* bytes; the error number, or 0."""
    return write(log, data) or limited(log, most)


def limited(log: int, most: int) -> int:
    """Limit the *log*, as ``limit_log``; the error number, or 0."""
    try:
        limit_log(log, most)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def limit_log(log: int, most: int, is_shared: bool = False) -> None:
    """If the file *log* holds more than *most* bytes, keep its first half and its last lines, with
    a line between them that says how many bytes are left out. *most* 0: no limit. Raises OSError.

    *is_shared*: a run appends to it meanwhile; *log* itself is not opened to append.
    """
    size = os.fstat(log).st_size if most else 0
    if size <= most or not hasattr(os, "pread"):
        return
    half, before = most // 2, left_out(log, most)
    gone = before - half - (MARK_LENGTH if before else 0)
    if not is_shared:
        tail = _last_lines(log, most, size)
        os.ftruncate(log, half)
        write(log, _marked(gone + size, tail))
        return
    # The line is in its place before the end goes, so that nothing comes between the two.
    for _ in range(4):  # a run may print faster than it is copied
        text = _marked(gone + size, _last_lines(log, most, size))
        os.pwrite(log, text, half)
        known, size = size, os.fstat(log).st_size
        if size == known:
            break
    os.ftruncate(log, half + len(text))


def _last_lines(log: int, most: int, size: int) -> bytes:
    tail = os.pread(log, min(_TAIL, most // 4), size - min(_TAIL, most // 4))
    return tail[tail.find(b"\n") + 1 :]


def _marked(size: int, tail: bytes) -> bytes:
    """The *tail* of *size* bytes, below the line that says how many the others are."""
    return _MARK_LINE.format(size - len(tail)).encode() + tail


def left_out(log: int, most: int) -> int:
    """How many bytes ``limit_log`` has left out of the file *log*. Raises OSError."""
    if not most or not hasattr(os, "pread"):
        return 0
    line = os.pread(log, MARK_LENGTH, most // 2)
    count = line[len(_MARK) :].split(b" bytes", 1)[0].strip()
    return int(count) if line.startswith(_MARK) and count.isdigit() else 0


def _lock(turns: int, on: bool) -> None:
    if turns >= 0:
        os.lockf(turns, os.F_LOCK if on else os.F_ULOCK, 0)


def serve(control: socket.socket, turns: int, life: int, most: int) -> None:
    """Copy the output of the runs that come over *control*, until all of it has ended and the
    flow has closed *life*. A log holds at most *most* bytes.
    """
    control.setblocking(False)
    is_open = True
    with selectors.DefaultSelector() as waiting:
        waiting.register(life, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select(TICK if is_open else None):
                if key.data is None:
                    waiting.unregister(life)
                else:
                    _step(waiting, key.data)
            while is_open and (output := _received(control, turns, most)) is not None:
                is_open = isinstance(output, Output) and _begin(waiting, output)


def _begin(waiting: selectors.BaseSelector, output: Output) -> bool:
    if output.end(output.copy()):
        for reader in output.targets:
            waiting.register(reader, selectors.EVENT_READ, output)
    return True


def _step(waiting: selectors.BaseSelector, output: Output) -> None:
    ended = output.copy()
    for reader in ended:
        waiting.unregister(reader)
    output.end(ended)


def _received(control: socket.socket, turns: int, most: int) -> Output | bool | None:
    """The next run; None if there is none yet, False if the flow has ended or was killed."""
    try:
        data, found, _, _ = socket.recv_fds(control, 1, _MOST_DESCRIPTORS)
    except BlockingIOError:
        return None
    if not data:
        return False
    if data == LINES:
        count = len(found) // 3
        readers, shown, parts = found[:count], found[count:-count], found[-count:]
        return Output(readers, shown, NOWHERE, turns, parts=parts)
    *streams, log = found
    half = len(streams) // 2 if data == SHOWN else len(streams)
    return Output(streams[:half], streams[half:] or [NOWHERE] * half, log, turns, most)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), *map(int, sys.argv[2:5]))
