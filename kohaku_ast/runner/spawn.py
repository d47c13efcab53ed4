"""Runs in fresh interpreters, which get the compiled Program and its values from here."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kohaku_ast.frames import contextmanager
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.job import Packed, pack
from kohaku_ast.runner.launch import interpreter
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.process_outcome import CrossingFile, PendingOutcome, Unread

_FRESH = os.path.join(os.path.dirname(__file__), "fresh.py")
_PACKAGES = str(Path(__file__).parents[2])


class SpawnedRun:
    """A run that has been started in a process of its own. Every method is for any thread."""

    def __init__(
        self,
        bound: Bound | Packed,
        *,
        wants_value: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        new_session: bool = False,
        is_tied: bool = False,
    ) -> None:
        """Starts it. None for *env*, *cwd* or a descriptor stands for what this process has.
        *is_tied*: the system kills it when the thread that calls this ends, or its process.

        Raises UncrossableValue if a value cannot be sent.
        """
        data = bound.data if isinstance(bound, Packed) else pack(bound, wants_value)
        self._pending = PendingOutcome()
        #: When it was started, in seconds since the epoch.
        self.started = self._pending.clock.started
        self._is_group = new_session and hasattr(os, "killpg")
        try:
            with CrossingFile(data) as job:
                self.process = _start(
                    job, self._pending.file, bound.argv, is_tied, env=env, cwd=cwd, stdin=stdin,
                    stdout=stdout, stderr=stderr, start_new_session=new_session,
                )  # fmt: skip
        except BaseException:
            self._pending.file.close()
            raise
        self.pid: int = self.process.pid

    def poll(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def wait(self, timeout: float | None = None) -> Outcome:
        """The Outcome, after the process has ended; a killed process has one too.

        Raises ``subprocess.TimeoutExpired`` if it still runs after *timeout* seconds.
        """
        if timeout is not None:
            _await_end(self.process, timeout)
        return self._pending.settle(self.process.wait())

    def wait_unread(self, timeout: float | None = None) -> Unread:
        """As ``wait``, if another process is to make the Outcome."""
        if timeout is not None:
            _await_end(self.process, timeout)
        return self._pending.unread(self.process.wait())

    def signal(self, number: int) -> None:
        """Send a signal to all processes of its session if it has one of its own, else to it
        alone. A process that has ended is no error.
        """
        if not self._is_group:
            self.process.send_signal(number)
            return
        try:
            # Also after its end: it may have left others, and as long as one of them lives, the
            # number means no other group.
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def close(self) -> None:
        """End it: a process that still runs is killed."""
        if not self.poll():
            self.signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        self.wait()


def _start(
    job: CrossingFile, result: CrossingFile, argv: list[str], is_tied: bool, **popen: Any
) -> subprocess.Popen[bytes]:
    command = [*fresh_command(), f"run-in-{os.getpid()}" if is_tied else "run"]
    if sys.platform == "win32":
        return subprocess.Popen([*command, job.path, result.path, *argv], **popen)
    numbers = [job.fileno(), result.fileno()]
    with block_sigint():
        # The script and its arguments are there for lists of processes.
        return subprocess.Popen([*command, *map(str, numbers), *argv], pass_fds=numbers, **popen)


@contextmanager
def block_sigint() -> Iterator[None]:
    """Processes started inside do not get Ctrl-C until they unblock it: a traceback from before the
    script's first line would show nothing that the user has written.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def fresh_command() -> list[str]:
    """The command of an interpreter like this one that runs fresh.py; what to do follows."""
    return [*interpreter(), _FRESH, _PACKAGES]


def _await_end(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Wait for its end, without polling where the system allows it: Popen polls every 50 ms."""
    if not hasattr(os, "pidfd_open") or process.returncode is not None:
        process.wait(timeout)
        return
    try:
        ended = os.pidfd_open(process.pid)
    except ProcessLookupError:  # another thread has waited for it
        return
    except OSError:
        process.wait(timeout)
        return
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        if not poll.poll(max(0, timeout) * 1000):
            raise subprocess.TimeoutExpired(process.args, timeout)
    finally:
        os.close(ended)


def set_priority(pid: int, nice: int) -> None:
    """Give the process *pid* the niceness *nice*, if the system has priorities."""
    if hasattr(os, "setpriority"):
        try:
            os.setpriority(os.PRIO_PROCESS, pid, nice)
        except OSError:
            pass  # it has ended, or the user may not raise its priority


KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""The signal that no process survives."""
