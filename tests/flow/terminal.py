"""Pseudo terminals whose screen can be read."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyte

PATIENCE = 60.0


class Terminal:
    """A screen on one end of a pseudo terminal; *slave* is the other end."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.master, self.slave = pty.openpty()
        self._start(columns, rows)

    def _start(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self._stream = pyte.ByteStream(self.screen)
        #: All that came.
        self.data = b""
        self._set_size()

    def _set_size(self) -> None:
        fcntl.ioctl(
            self.master, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0)
        )

    def read(self, seconds: float = 0.0) -> bool:
        """Take what has come; whether there was anything."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        self.data += data
        self._stream.feed(data)
        return bool(data)

    def shown(self) -> list[str]:
        """The lines of the screen, as far as there is something on them."""
        while self.read():
            pass
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def wait_for(self, is_there: Callable[[str], bool]) -> list[str]:
        """The screen when it is as wanted."""
        end = time.monotonic() + PATIENCE
        while not is_there("\n".join(self.shown())):
            assert time.monotonic() < end, "\n".join(self.shown())
            self.read(1.0)
        return self.shown()

    def resize(self, columns: int, rows: int) -> None:
        """As terminals do it: lines that have become too long go on in the next."""
        lines = [line.rstrip() for line in self.screen.display[: self.screen.cursor.y]]
        self.columns, self.rows = columns, rows
        self.screen.resize(rows, columns)
        self.screen.reset()
        self._stream.feed("".join(f"{line}\r\n" for line in lines).encode())
        self._set_size()

    def close(self) -> None:
        for number in (self.master, self.slave):
            try:
                os.close(number)
            except OSError:
                pass


class Program(Terminal):
    """A program that has the terminal as its own."""

    def __init__(
        self, command: Sequence[str], folder: Path, columns: int = 80, rows: int = 24
    ) -> None:
        read, write = os.pipe()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.read(read, 1)  # not before the size is set
                os.chdir(folder)
                os.environ["TERM"] = "xterm-256color"
                os.environ.pop("NO_COLOR", None)
                os.execv(command[0], command)  # type: ignore[arg-type]
            finally:
                os._exit(127)
        self.slave = -1
        os.close(read)
        self._start(columns, rows)
        os.write(write, b"x")
        os.close(write)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def end(self) -> int:
        """Its exit status, when it is over; all of its output has come."""
        end = time.monotonic() + PATIENCE
        while True:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.shown()
                self.close()
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, "\n".join(self.shown())
