"""Tee: what runs print goes where our own output goes, and into their logs as well."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence

from kohaku_ast.flow import tee_process
from kohaku_ast.flow.tee_process import Output
from kohaku_ast.flow.terminal_end import terminal_ends
from kohaku_ast.runner.crossing_file import CrossingFile

_PATIENCE = 1.0  # seconds for what processes that outlive a run still hold
_BY_PROCESS = hasattr(socket, "send_fds")
_PIPE_SIZE = 1 << 20
"""Bytes that a run may print before anybody looks, where a pipe can have that many."""


class Tee:
    """For all runs of a flow, from any thread."""

    def __init__(self) -> None:
        self._copying: _Copying | None = None
        self._lock = threading.Lock()

    def begin(self, log: int) -> Copy:
        """A run begins to print; *log*, a descriptor, is taken over.

        A terminal stays one for the run. What would be one file for it stays in one order.
        """
        shown = [_copied(1)] if _is_one_place() else [_copied(1), _copied(2)]
        readers, writers = zip(*map(_ends, shown))
        if not _BY_PROCESS:
            return Copy(Output(readers, shown, log), writers, in_threads=True)
        with self._lock:
            if self._copying is None or not self._copying.is_alive():
                self._copying = _Copying()
            output = Output(readers, shown, log, self._copying.turns)
            copy = Copy(output, writers)
            try:
                self._copying.hand_over([*readers, *shown, log])
            except BaseException:
                copy.close_writers()
                copy.close()
                raise
        return copy

    def close(self) -> None:
        """No run will begin any more. It is gone when nobody prints any more."""
        with self._lock:
            if self._copying is not None:
                self._copying.close()
                self._copying = None


class _Copying:
    """The process that copies, whatever becomes of this one."""

    def __init__(self) -> None:
        self._control, other = socket.socketpair()
        # Its end is seen at once, new runs only when it looks.
        reader, self._life = os.pipe()
        self._file = CrossingFile(b"")
        self.turns = self._file.fileno()
        numbers = [other.fileno(), self.turns, reader]
        with other:
            self._process = subprocess.Popen(
                # Alone it is fast, and no file in the working folder can hide a module from it.
                [sys.executable, "-I", "-S", tee_process.__file__, *map(str, numbers)],
                pass_fds=numbers, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        os.close(reader)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def hand_over(self, descriptors: Sequence[int]) -> None:
        """It will copy; this process may, too."""
        for one in descriptors[: len(descriptors) // 2]:
            os.set_blocking(one, False)
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.send_fds(self._control, [b"x"], descriptors)
                return
            except OSError as error:
                # As many are under way as this user may have open: it will take some.
                if error.errno != errno.ETOOMANYREFS or time.monotonic() > deadline:
                    raise
                time.sleep(tee_process.TICK)

    def close(self) -> None:
        self._control.close()
        os.close(self._life)
        self._file.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.returncode = 0  # it serves what the runs have left running


class Copy:
    """Of one run."""

    def __init__(self, output: Output, writers: Sequence[int], in_threads: bool = False) -> None:
        """*in_threads*: nobody else copies, so that threads of this process do."""
        #: For the run; they are the same if it prints everything to one place.
        self.stdout, self.stderr = writers[0], writers[-1]
        self._output = output
        self._threads = _copy_in_threads(output) if in_threads else []

    def close_writers(self) -> None:
        """The run has them now: its end is seen when nobody else holds them."""
        for one in {self.stdout, self.stderr}:
            os.close(one)

    def finish(self) -> None:
        """Copy the rest of the output, or see it copied."""
        for one in self._threads:
            one.join(_PATIENCE)
        deadline = time.monotonic() + _PATIENCE
        try:
            while not self._threads and self._output.end(self._output.copy()):
                left = deadline - time.monotonic()
                if left < 0 or not _comes(self._output.targets, left):
                    break
        finally:
            self.close()

    def close(self) -> None:
        """Wait for nothing."""
        if not self._threads:
            self._output.end([*self._output.targets])


def _comes(readers: Iterable[int], seconds: float) -> bool:
    """Whether there is something to read, or an end, in time."""
    with selectors.DefaultSelector() as waiting:
        for one in readers:
            waiting.register(one, selectors.EVENT_READ)
        return bool(waiting.select(seconds))


def _is_one_place() -> bool:
    """Whether our stdout and stderr are the same file, pipe or terminal."""
    try:
        return os.path.sameopenfile(1, 2)
    except OSError:
        return False


def _copied(number: int) -> int:
    try:
        return os.dup(number)
    except OSError:  # closed
        return os.open(os.devnull, os.O_WRONLY)


def _ends(shown: int) -> tuple[int, int]:
    """Where is read what a run prints that is shown at *shown*, and where it prints."""
    return terminal_ends(shown) if os.isatty(shown) else _pipe()


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass  # this user has many
    return reader, writer


def _copy_in_threads(output: Output) -> list[threading.Thread]:
    """Where descriptors cannot be sent to another process."""

    def copy(reader: int) -> None:
        while output.copy_one(reader):
            pass
        output.end([reader])

    found = []
    for one in output.targets:
        found.append(threading.Thread(target=copy, args=(one,), name="kogine-tee", daemon=True))
        found[-1].start()
    return found
