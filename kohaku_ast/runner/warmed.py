"""A run in a process that a warm server has forked."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable

from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.process_outcome import PendingOutcome


class Warmed:
    """One run, under way. Every method may be called from any thread."""

    def __init__(
        self, number: int, shown: str, is_group: bool, wake: Callable[[], None] = lambda: None
    ) -> None:
        """*number* is the server's for it; *is_group*: whether it has a session of its own.

        *wake* has a server go on that somebody has stopped.
        """
        self.number = number
        self.pending = PendingOutcome()
        #: When it was asked for, in seconds since the epoch.
        self.started = self.pending.started
        #: The process; 0 before it is there.
        self.pid = 0
        #: Whether it was ended before it had a process.
        self.is_cancelled = False
        #: Why the server could start no process for it; empty if it did, or has ended itself.
        self.refusal = ""
        self._shown, self._is_group, self._wake = shown, is_group, wake
        self._lock = threading.RLock()
        self._begun, self._ended = threading.Event(), threading.Event()
        self._status = 0
        self._reason = ""

    def poll(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> Outcome:
        """The Outcome, when the process has ended; a process that was killed has one too.

        Raises ``subprocess.TimeoutExpired`` if it runs on after *timeout* seconds.
        """
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(self._shown, timeout or 0)
        if self._reason:
            return self.pending.lose(self._reason)
        return self.pending.settle(self._status)

    def signal(self, number: int) -> None:
        """Send a signal to all processes of its session if it has one of its own, else to it
        alone. One that is gone is no error; one that has no process yet is to have none.
        """
        if number == signal.SIGCONT:
            self._wake()
        elif self._cancel():
            return
        try:
            if self.pid and self._is_group:
                # As for a spawned run: those that it has left behind too.
                os.killpg(self.pid, number)
            elif self.pid and not self.poll():
                os.kill(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def close(self) -> None:
        """Give everything back; a process that still runs is killed."""
        if not self.poll():
            self.signal(signal.SIGKILL)
        self.wait()

    def await_begin(self) -> bool:
        """Whether there is a process, as soon as that is known."""
        self._begun.wait()
        return bool(self.pid)

    def _cancel(self) -> bool:
        with self._lock:
            if self.pid or self.poll():
                return False
            self.is_cancelled = True
            self.lose("it was ended before it had a process")
            return True

    def await_end(self, timeout: float) -> None:
        """Wait until it has ended, but not for longer than *timeout* seconds."""
        self._ended.wait(timeout)

    def begin(self, pid: int) -> None:
        """The server says that *pid* is its process."""
        with self._lock:
            self.pid = pid
            if self.is_cancelled:
                self.signal(signal.SIGKILL)
        self._begun.set()

    def end(self, pid: int, status: int) -> None:
        """The server says how it ended."""
        self._status = status
        self.begin(pid)
        self._ended.set()

    def refuse(self, reason: str) -> None:
        """There is no room for its process."""
        self.refusal = reason
        self.lose(reason)

    def lose(self, reason: str) -> None:
        """Nobody will say how it ended; what is left of it is killed."""
        self._reason = reason
        if self.pid:
            self.signal(signal.SIGKILL)
        self._begun.set()
        self._ended.set()
