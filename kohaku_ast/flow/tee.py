"""Tee: what runs print goes where our own output goes, and into their logs as well."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
from typing import Any

from kohaku_ast.flow import tee_process
from kohaku_ast.flow.terminal_end import terminal_ends

_PATIENCE = 1.0  # seconds for what processes that outlive a run still hold
_BY_PROCESS = hasattr(socket, "send_fds")


class Tee:
    """For all runs of a flow, from any thread."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def begin(self, log: int) -> Copy:
        """A run begins to print; *log*, a descriptor, is taken over.

        A terminal stays one for the run. What would be one file for it stays in one order.
        """
        shown = [_copied(1)] if _is_one_place() else [_copied(1), _copied(2)]
        readers, writers = zip(*map(_ends, shown))
        done, told = os.pipe()
        self._hand_over([*readers, *shown, log, told])
        return Copy(writers[0], writers[-1], done)

    def _hand_over(self, descriptors: list[int]) -> None:
        if not _BY_PROCESS:
            _copy_in_threads(descriptors)
            return
        with self._lock:
            if self._control is None:
                self._start()
            assert self._control is not None
            try:
                socket.send_fds(self._control, [b"x"], descriptors)
            finally:
                for one in descriptors:
                    os.close(one)

    def _start(self) -> None:
        self._control, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                # Alone it is fast, and no file in the working folder can hide a module from it.
                [sys.executable, "-I", "-S", tee_process.__file__, str(other.fileno())],
                pass_fds=[other.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def close(self) -> None:
        """No run will begin any more. It is gone when nobody prints any more."""
        with self._lock:
            if self._control is None or self._process is None:
                return
            self._control.close()
            self._control = None
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.returncode = 0  # it serves what the runs have left running


class Copy:
    """Of one run."""

    def __init__(self, stdout: int, stderr: int, done: int) -> None:
        #: For the run; they are the same if it prints everything to one place.
        self.stdout, self.stderr = stdout, stderr
        self._done = done

    def close_writers(self) -> None:
        """The run has them now: its end is seen when nobody else holds them."""
        for one in {self.stdout, self.stderr}:
            os.close(one)

    def finish(self) -> None:
        """Wait for the rest of the output."""
        if _BY_PROCESS:
            # Not select(): of descriptors above 1023 it knows nothing.
            wait = select.poll()
            wait.register(self._done, select.POLLIN)
            wait.poll(_PATIENCE * 1000)
        else:
            waiting = threading.Thread(target=os.read, args=(self._done, 1), daemon=True)
            waiting.start()
            waiting.join(_PATIENCE)
        self.close()

    def close(self) -> None:
        """Wait for nothing."""
        os.close(self._done)


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
    return terminal_ends(shown) if os.isatty(shown) else os.pipe()


def _copy_in_threads(descriptors: list[int]) -> None:
    """Where descriptors cannot be sent to another process."""
    *streams, log, told = descriptors
    half = len(streams) // 2
    left = list(streams[:half])

    def copy(reader: int, shown: int) -> None:
        while data := tee_process.read(reader):
            tee_process.write(log, data)
            tee_process.write(shown, data)
        left.remove(reader)
        ends: list[Any] = [reader, shown, *([] if left else [log, told])]
        for one in ends:
            os.close(one)

    for pair in zip(streams[:half], streams[half:]):
        threading.Thread(target=copy, args=pair, name="kogine-tee", daemon=True).start()
