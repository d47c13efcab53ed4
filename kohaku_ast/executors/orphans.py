"""Orphans: the processes that the script of a run has started, when its worker is killed by -9.

The system kills the process of the run itself (``die_with_parent``), and no other. So each worker
starts a process that waits for the worker's end, and then kills what its runs have left: the
processes of their sessions, and those with the mark of a run among their variables. It is this
file, run by its path: it imports nothing of ours.

State of this process: ``_watch``.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MARK = "_KOGINE_ATTEMPT"
"""The variable that all processes of a run have: a text that no other one has."""

_LOOK_SECONDS = 1.0
_PAUSE = 0.05
_ROUNDS = 100
"""How often it looks for more: a process may start others as long as it lives."""


class _Watch:
    """The process that waits for the end of this one."""

    def __init__(self) -> None:
        """Start it. Raises OSError."""
        self.parent = os.getpid()
        self._lock = threading.Lock()
        reading, self._pipe = os.pipe()
        silent = [(os.POSIX_SPAWN_OPEN, one, os.devnull, os.O_WRONLY, 0) for one in (1, 2)]
        words = [sys.executable, "-I", "-S", os.path.abspath(__file__), str(self.parent)]
        # It does not belong to a run around this process, which ends before it.
        env = {name: value for name, value in os.environ.items() if name != MARK}
        try:
            # No Popen: nobody waits for a process that ends after this one.
            os.posix_spawn(
                words[0], words, env,
                file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), *silent],
                setsigmask=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
            )  # fmt: skip
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(reading)

    def tell(self, line: str) -> None:
        """Send it a *line*. Raises OSError if it is gone."""
        with self._lock:
            os.write(self._pipe, line.encode())


_watch: _Watch | None = None
_starting = threading.Lock()


def watch(pid: int, mark: str) -> None:
    """Kill what the run *mark* leaves, whose session is *pid*, if this process is killed."""
    global _watch
    if not hasattr(os, "posix_spawn"):
        return
    try:
        with _starting:
            if _watch is None or _watch.parent != os.getpid():  # this one was forked
                _watch = _Watch()
        _watch.tell(f"{pid} {mark}\n")
    except OSError:
        pass  # the run goes on without


def forget(pid: int) -> None:
    """The run whose session is *pid* has ended: what it has left may go on."""
    if _watch is not None and _watch.parent == os.getpid():
        try:
            _watch.tell(f"{pid}\n")
        except OSError:  # it is gone: what the run leaves may go on
            pass


# --- the process that waits ----------------------------------------------------------------------


def main() -> None:
    """Wait for the end of the process that has started this one, and kill what its runs leave."""
    try:
        os.setsid()  # who kills the group of the worker does not kill this one
    except OSError:
        pass
    _kill(_runs_at_the_end(int(sys.argv[1])))


def _runs_at_the_end(parent: int) -> dict[int, str]:
    """Session -> mark of the runs that go on when the process *parent* ends."""
    runs: dict[int, str] = {}
    rest, is_over = b"", False
    while True:
        # Not the end of the pipe alone: a process that the worker has forked may have it open. What
        # the worker has written before its end is read after it: it may end before this one starts.
        is_over = is_over or os.getppid() != parent
        if not select.select([0], [], [], 0 if is_over else _LOOK_SECONDS)[0]:
            if is_over:
                return runs
            continue
        data = os.read(0, 1 << 16)
        if not data:
            return runs
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            pid, _, mark = line.decode().partition(" ")
            if mark:
                runs[int(pid)] = mark
            else:
                runs.pop(int(pid), None)


def _kill(runs: Mapping[int, str]) -> None:
    if not os.path.isdir("/proc/self"):  # no Linux: the groups alone are known
        for pid in runs:
            _send(os.killpg, pid)
        return
    marks = [f"{MARK}={one}".encode() for one in runs.values()]
    for _ in range(_ROUNDS if runs else 0):
        every = map(int, filter(str.isdigit, os.listdir("/proc")))
        found = [pid for pid in every if _belongs(pid, runs, marks)]
        if not found:
            return
        for pid in found:
            _send(os.kill, pid)
        time.sleep(_PAUSE)


def _belongs(pid: int, runs: Mapping[int, str], marks: list[bytes]) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, _, _, session = file.read().rpartition(b")")[2].split()[:4]
        if state == b"Z":
            return False
        if int(session) in runs:
            return True
        with open(f"/proc/{pid}/environ", "rb") as file:
            return any(one in marks for one in file.read().split(b"\0"))
    except (OSError, ValueError):
        return False  # it has ended, or is of another user


def _send(kill: Callable[[int, int], None], pid: int) -> None:
    try:
        kill(pid, signal.SIGKILL)
    except OSError:
        pass  # it has ended


if __name__ == "__main__":
    main()
