"""A run in a fresh interpreter, which gets the compiled Program and its values from here."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.job import Packed, pack
from kohaku_ast.runner.outcome import CrossingFile, Outcome, PendingOutcome, Unread

_FRESH = os.path.join(os.path.dirname(__file__), "fresh.py")
_PACKAGES = str(Path(__file__).parents[2])


class SpawnedRun:
    """One run in a process of its own, under way. Every method may be called from any thread."""

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
    ) -> None:
        """Starts it. None is what this process has: *env*, *cwd*, and descriptors.

        Raises UncrossableValue if a value cannot be sent.
        """
        data = bound.data if isinstance(bound, Packed) else pack(bound, wants_value)
        self._pending = PendingOutcome()
        #: When, in seconds since the epoch.
        self.started = self._pending.started
        self._is_group = new_session and hasattr(os, "killpg")
        try:
            with CrossingFile(data) as job:
                self.process = _start(
                    job, self._pending.file, bound.argv, env=env, cwd=cwd, stdin=stdin,
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
        """The Outcome, when the process has ended; a process that was killed has one too.

        Raises ``subprocess.TimeoutExpired`` if it runs on after *timeout* seconds.
        """
        if timeout is not None:
            _await_end(self.process, timeout)
        return self._pending.settle(self.process.wait())

    def wait_unread(self, timeout: float | None = None) -> Unread:
        """As ``wait``, for who makes the Outcome in another process."""
        if timeout is not None:
            _await_end(self.process, timeout)
        return self._pending.unread(self.process.wait())

    def signal(self, number: int) -> None:
        """Send a signal to all processes of its session if it has one of its own, else to it
        alone. One that is gone is no error.
        """
        if not self._is_group:
            self.process.send_signal(number)
            return
        try:
            # Not only while it runs: it may have left others, and as long as one of them lives,
            # the number means no other group.
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def close(self) -> None:
        """Give everything back; a process that still runs is killed."""
        if not self.poll():
            self.signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        self.wait()


def run_spawned(bound: Bound, **options: Any) -> Outcome:
    """Run *bound* in a process of its own and wait for it. Ctrl-C reaches it as it reaches us."""
    spawned = SpawnedRun(bound, **options)
    try:
        return spawned.wait()
    except KeyboardInterrupt:
        # The terminal has sent it to the script too, which decides what comes of it.
        spawned.wait()
        raise


def _start(
    job: CrossingFile, result: CrossingFile, argv: list[str], **popen: Any
) -> subprocess.Popen[bytes]:
    command = [*fresh_command(), "run"]
    if sys.platform == "win32":
        return subprocess.Popen([*command, job.path, result.path, *argv], **popen)
    numbers = [job.fileno(), result.fileno()]
    with deaf_children():
        # The script and its arguments are there for who lists processes.
        return subprocess.Popen([*command, *map(str, numbers), *argv], pass_fds=numbers, **popen)


@contextmanager
def deaf_children() -> Iterator[None]:
    """What is started inside does not hear Ctrl-C before it asks to: what it would say while it
    gets ready is of nothing that the user has written.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def fresh_command() -> list[str]:
    """What starts an interpreter like this one; what it is to do comes after it."""
    return [*interpreter(), _FRESH, _PACKAGES]


def interpreter() -> list[str]:
    """The command of an interpreter with the options of this one."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, *_more_flags(flags)]


def _more_flags(flags: list[str]) -> list[str]:
    """What multiprocessing leaves out: -u, and options of -X that it does not know."""
    known = {flag.partition("=")[0] for flag in flags}
    more = []
    if sys.__stdout__ is not None and not hasattr(sys.__stdout__.buffer, "raw"):
        more.append("-u")
    for name, text in sys._xoptions.items():
        if name not in known:
            more += ["-X", name if text is True else f"{name}={text}"]
    return more


def _await_end(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Without looking again and again where the system can tell: Popen looks every 50 ms."""
    if not hasattr(os, "pidfd_open") or process.returncode is not None:
        process.wait(timeout)
        return
    try:
        ended = os.pidfd_open(process.pid)
    except ProcessLookupError:  # another thread has seen its end
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
    """Give the process *pid* the niceness *nice*, where there is such a thing."""
    if hasattr(os, "setpriority"):
        try:
            os.setpriority(os.PRIO_PROCESS, pid, nice)
        except OSError:
            pass  # it is over, or may not be that fast: it runs as it is
