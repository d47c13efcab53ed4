"""Warm runs: forked from an interpreter that has imported the script's libraries already."""

from __future__ import annotations

import itertools
import marshal
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kohaku_ast.runner import transport
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.job import launch_parts, pack
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.outcome import CrossingFile, Outcome, PendingOutcome, above_streams
from kohaku_ast.runner.spawn import deaf_children, fresh_command
from kohaku_ast.transform.find.modules import LibraryImport

_PER_RUN = (
    "KOGINE_", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"
)  # fmt: skip
"""Variables that differ from run to run, and that libraries read when they are used first."""

_MOST = 4
"""Servers that are kept, each with its own environment or working folder."""


class WarmServer:
    """Starts the runs of one script. For any thread; close it at the end."""

    def __init__(
        self,
        launch: Launch,
        imports: Sequence[LibraryImport],
        env: Mapping[str, str] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """*imports*: as ``third_party_imports`` gives them. *env* is that of runs that have none
        of their own. *say* is told what the user should know, once.
        """
        self._launch, self._imports, self._env = launch, tuple(imports), env
        self._say, self._said = say or _print, set[str]()
        self._lock = threading.Lock()
        self._servers: dict[object, WarmProcess] = {}
        self._broken: set[object] = set()
        self._is_closed = False

    @staticmethod
    def is_available() -> bool:
        """Whether this system can fork."""
        return hasattr(os, "fork") and sys.platform not in ("win32", "emscripten", "wasi")

    def start(
        self,
        bound: Bound,
        *,
        wants_value: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        new_session: bool = False,
        data: bytes | None = None,
        asked: Callable[[WarmRun], None] = lambda run: None,
    ) -> WarmRun:
        """Start a run; None is what this process has. Comes back when there is a process: the
        first time, when everything is imported. *asked* gets what waits for that meanwhile.
        *data* is *bound* if it has been packed before.

        Raises UncrossableValue if a value cannot be sent.
        """
        own = dict(env if env is not None else self._env if self._env is not None else os.environ)
        folder = _folder(cwd)
        streams = [_open(number, place) for place, number in enumerate((stdin, stdout, stderr))]
        data = pack(bound, wants_value) if data is None else data
        job = marshal.dumps((data, folder, own, parent_group(new_session)))
        imports = self._imports if _suits(bound) else ()
        while True:
            server, has_imports = self._server(folder, own, imports)
            run = server.ask(job, streams, new_session)
            asked(run)
            if run.await_begin() or self._is_given_up(run) or server.is_ready or not has_imports:
                return run
            self._break(folder, own, run)

    def _is_given_up(self, run: WarmRun) -> bool:
        return self._is_closed or run.is_cancelled

    def close(self) -> None:
        """End the servers, and what still runs."""
        with self._lock:
            self._is_closed = True
            servers, self._servers = list(self._servers.values()), {}
        for server in servers:
            server.close()

    def __enter__(self) -> WarmServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _server(
        self, folder: str, env: Mapping[str, str], imports: tuple[LibraryImport, ...]
    ) -> tuple[WarmProcess, bool]:
        """The one for such runs, and whether it has imports; a dead one is replaced."""
        key = _key(folder, env)
        with self._lock:
            imports = () if key in self._broken else imports
            found = self._servers.pop((key, imports), None)
            if found is None or found.has_ended:
                self._make_room()
                found = WarmProcess(self._launch, imports, env, folder, self._say_once)
            self._servers[key, imports] = found  # the last one used comes last
            return found, bool(imports)

    def _make_room(self) -> None:
        """Close the idle one that was used longest ago, if there are enough."""
        if len(self._servers) >= _MOST:
            idle = next((key for key, one in self._servers.items() if one.is_idle), None)
            if idle is not None:
                self._servers.pop(idle).close()

    def _break(self, folder: str, env: Mapping[str, str], run: WarmRun) -> None:
        """Its imports have ended a server: the next ones do without."""
        error = run.wait().error
        with self._lock:
            self._broken.add(_key(folder, env))
        self._say_once(
            f"warm: {error.message if error else ''} while it imported what "
            f"{self._launch.shown} imports: its runs import it themselves"
        )

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def _folder(cwd: str | None) -> str:
    """Where a run starts; empty if our own folder has been removed, which is no folder's name."""
    try:
        return os.path.abspath(cwd or os.getcwd())
    except FileNotFoundError:
        return ""


def _key(folder: str, env: Mapping[str, str]) -> object:
    """Libraries may read anything of these when they are imported."""
    return folder, frozenset(one for one in env.items() if not one[0].startswith(_PER_RUN))


def _suits(bound: Bound) -> bool:
    """Whether no module that has overrides of its own may have been imported already."""
    folder = os.path.join(bound.launch.path0, "")
    files = (file for file, _ in bound.prepared.modules.values())
    return all(os.path.realpath(file).startswith(folder) for file in files)


def _open(number: int | None, place: int) -> int:
    """The descriptor to send for *number*; -1 if it is closed."""
    wanted = place if number is None else number
    try:
        # One that is not inheritable was closed when we were started: something of ours has come
        # to lie in its place.
        is_open = number is not None or os.get_inheritable(place)
        os.fstat(wanted)
    except OSError:
        return -1
    return wanted if is_open else -1


def _print(text: str) -> None:
    print(f"kogine: warning: {text}", file=sys.stderr)


_PATIENCE = 5.0  # seconds


class WarmProcess:
    """A server with one environment and one working folder. For any thread."""

    def __init__(
        self,
        launch: Launch,
        imports: Sequence[LibraryImport],
        env: Mapping[str, str],
        cwd: str,
        say: Callable[[str], None],
    ) -> None:
        """Starts it; it imports while this goes on. *say* is told of imports that forking may
        not suit.
        """
        self._say, self._shown = say, launch.shown
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._runs: dict[int, WarmRun] = {}
        self._reason = ""
        #: Whether it has imported everything.
        self.is_ready = False
        self._stderr = CrossingFile()
        self._socket, theirs = map(_high, socket.socketpair())
        with theirs, CrossingFile() as out, CrossingFile(_plan(launch, imports)) as job:
            numbers = [theirs.fileno(), job.fileno()]
            words = [*map(str, numbers), str(len(imports)), launch.argv[0]]
            with deaf_children():
                self._process = subprocess.Popen(
                    [*fresh_command(), "serve", *words], pass_fds=numbers, env=env, cwd=cwd or None,
                    stdin=subprocess.DEVNULL, stdout=out.fileno(), stderr=self._stderr.fileno(),
                )  # fmt: skip
        self._thread = threading.Thread(target=self._listen, name="kogine-warm", daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it runs."""
        return not self._runs

    @property
    def has_ended(self) -> bool:
        """Whether it can fork no more."""
        return bool(self._reason)

    def ask(self, job: bytes, streams: Sequence[int], is_group: bool) -> WarmRun:
        """A run of *job*, perhaps without a process yet."""
        run = WarmRun(next(self._numbers), self._shown, is_group, self._wake)
        with self._lock, CrossingFile(job) as file:
            if self._reason:
                run.lose(self._reason)
            else:
                self._runs[run.number] = run
                descriptors = [file.fileno(), run.pending.file.fileno(), *streams]
                try:
                    transport.ask(self._socket, run.number, descriptors)
                except OSError:
                    pass  # it has died: the listener is about to say so to every run
        return run

    def _wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and what still runs."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.signal(signal.SIGKILL)
        if not self.is_ready:
            self._process.kill()
        self._wake()
        for run in runs:
            run.await_end(_PATIENCE)  # the server's zombies are nobody's when it has gone
        try:
            self._socket.shutdown(socket.SHUT_WR)
            self._process.wait(_PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
        self._thread.join()

    def _listen(self) -> None:
        try:
            while message := transport.receive(self._socket):
                self._hear(*message)
        except OSError:
            pass
        self._lose_all()

    def _hear(self, kind: str, *rest: Any) -> None:
        if kind == transport.READY:
            self.is_ready = True
            for name in rest[0]:
                self._say(_THREADS.format(name=name, script=self._shown))
            return
        number, *left = rest
        if kind == transport.STARTED:
            self._runs[number].begin(*left)
        elif kind == transport.ENDED:
            self._runs.pop(number).end(*left)
        elif kind == transport.FAILED:
            self._runs.pop(number).refuse(f"the warm server started no process: {left[0]}")

    def _lose_all(self) -> None:
        status = self._process.wait()
        with self._lock:
            self._reason = _how_ended(status, self._stderr.read())
            runs, self._runs = self._runs, {}
        for run in runs.values():
            run.lose(self._reason)
        self._stderr.close()
        self._socket.close()


_THREADS = (
    "warm: {name!r} started threads when it was imported, which a forked process has not; if "
    "{script} hangs or crashes, use spawn"
)


def _high(sock: socket.socket) -> socket.socket:
    return socket.socket(fileno=above_streams(sock.detach()))


def _plan(launch: Launch, imports: Sequence[LibraryImport]) -> bytes:
    return marshal.dumps((launch_parts(launch), [tuple(one) for one in imports]))


def _how_ended(status: int, printed: bytes) -> str:
    if status >= 0:
        lines = printed.decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return f"the warm server ended with exit status {status}" + (f": {last}" if last else "")
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the warm server was killed by {name}" + (" (out of memory?)" * (name == "SIGKILL"))


def parent_group(new_session: bool) -> int:
    """What a run's process joins; 0 for a session of its own."""
    return 0 if new_session else os.getpgrp()


class WarmRun:
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
