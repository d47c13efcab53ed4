"""Warm runs: forked from a server that has imported the script's libraries already.

This is the side of the flow; warm_server.py and warm_child.py are the processes that it starts.
"""

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
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.process_outcome import CrossingFile, PendingOutcome, name_signal
from kohaku_ast.runner.spawn import block_sigint, fresh_command
from kohaku_ast.transform.find.modules import LibraryImport
from kohaku_ast.transform.program.load import above_streams

_PER_RUN = (
    "KOGINE_", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"
)  # fmt: skip
"""Variables that differ from run to run, and that libraries read at their first use."""

_MOST = 4
"""Servers at one time, each with its own environment or working folder."""


class WarmServer:
    """Starts the runs of one script. For any thread; close it at the end."""

    def __init__(
        self,
        launch: Launch,
        imports: Sequence[LibraryImport],
        env: Mapping[str, str] | None = None,
        say: Callable[[str], None] | None = None,
        is_strict: bool = False,
    ) -> None:
        """*imports* are those of ``third_party_imports``. *env* is for runs that have none of their
        own. *say* gets each message for the user, once. *is_strict*: if the imports leave threads,
        nothing is forked.
        """
        self._launch, self._imports, self._env = launch, tuple(imports), env
        self._is_strict = is_strict
        self._say, self._messages = say or _print, set[str]()
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
        """Start a run; None stands for what this process has. Returns when the run has a process:
        the first time, that is when everything is imported. *asked* gets the run before that.
        *data* are the bytes of *bound*, if it has been packed already.

        Raises UncrossableValue if a value cannot be sent, and ThreadsLeftError if it is strict.
        """
        own = dict(env if env is not None else self._env if self._env is not None else os.environ)
        folder = _folder(cwd)
        streams = [_open(number, place) for place, number in enumerate((stdin, stdout, stderr))]
        data = pack(bound, wants_value) if data is None else data
        job = marshal.dumps((data, folder, own, parent_group(new_session)))
        imports = self._imports if _suits(bound) else ()
        while True:
            server, has_imports = self._server(folder, own, imports)
            run = server.request(job, streams, new_session)
            asked(run)
            has_begun = run.await_begin()
            if self._is_strict and server.threads:
                raise ThreadsLeftError
            if has_begun or self._is_given_up(run) or server.is_ready or not has_imports:
                return run
            error = run.wait().error
            self._break(folder, own, error.message if error else "")

    def preload(self) -> list[str]:
        """Import now, for runs in this process's folder and environment; the imports that have left
        threads, for which a strict server forks nothing.
        """
        folder = _folder(None)
        server, has_imports = self._server(folder, os.environ, self._imports)
        threads = server.await_imports()
        if has_imports and not server.is_ready:
            self._break(folder, os.environ, server.reason)
        return threads

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
        """The server for such runs, and whether it has imports; a dead one is replaced."""
        key = _key(folder, env)
        with self._lock:
            imports = () if key in self._broken else imports
            server = self._servers.pop((key, imports), None)
            is_refused = server is not None and self._is_strict and bool(server.threads)
            if server is None or (server.has_ended and not is_refused):
                self._make_room()
                server = WarmProcess(
                    self._launch, imports, env, folder, self._say_once, self._is_strict
                )
            self._servers[key, imports] = server  # the last one used comes last
            return server, bool(imports)

    def _make_room(self) -> None:
        """Close the idle server that was used longest ago, if there are ``_MOST``."""
        if len(self._servers) >= _MOST:
            idle = next((key for key, one in self._servers.items() if one.is_idle), None)
            if idle is not None:
                self._servers.pop(idle).close()

    def _break(self, folder: str, env: Mapping[str, str], reason: str) -> None:
        """The imports have ended the server, for *reason*: the next servers start without them."""
        with self._lock:
            self._broken.add(_key(folder, env))
        self._say_once(
            f"warm: {reason} while it imported what "
            f"{self._launch.shown} imports: its runs import it themselves"
        )

    def _say_once(self, text: str) -> None:
        if text not in self._messages:
            self._messages.add(text)
            self._say(text)


def _folder(cwd: str | None) -> str:
    """The folder that a run starts in; empty if our own has been removed."""
    try:
        return os.path.abspath(cwd or os.getcwd())
    except FileNotFoundError:
        return ""


def _key(folder: str, env: Mapping[str, str]) -> object:
    """What a server is for: libraries may read all of it when they are imported."""
    return folder, frozenset(one for one in env.items() if not one[0].startswith(_PER_RUN))


def _suits(bound: Bound) -> bool:
    """Whether the server has imported no module that *bound* has overrides for."""
    for name, (file, _) in bound.prepared.modules.items():
        beside = os.path.join(bound.launch.path0, name.partition(".")[0])
        if not os.path.realpath(file).startswith((f"{beside}.py", os.path.join(beside, ""))):
            return False
    return not bound.prepared.later


def _open(number: int | None, place: int) -> int:
    """The descriptor to send for *number*; -1 if it is closed."""
    wanted = place if number is None else number
    try:
        # One that is not inheritable was closed when we were started: a file of ours has got its
        # number since.
        is_open = number is not None or os.get_inheritable(place)
        os.fstat(wanted)
    except OSError:
        return -1
    return wanted if is_open else -1


def _print(text: str) -> None:
    print(f"kogine: warning: {text}", file=sys.stderr)


class ThreadsLeftError(Exception):
    """The imports of the script have left threads, which a forked process would not have."""


_PATIENCE = 5.0  # seconds for a server to end


class WarmProcess:
    """A server with one environment and one working folder. For any thread."""

    def __init__(
        self,
        launch: Launch,
        imports: Sequence[LibraryImport],
        env: Mapping[str, str],
        cwd: str,
        say: Callable[[str], None],
        is_strict: bool = False,
    ) -> None:
        """Starts it; it imports in the background. *say* gets a message about each import that may
        not work after a fork; it ends after such an import if it *is_strict*.
        """
        self._say, self._shown, self._is_strict = say, launch.shown, is_strict
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._runs: dict[int, WarmRun] = {}
        #: How it ended; empty as long as it has not.
        self.reason = ""
        #: Whether it has imported everything.
        self.is_ready = False
        #: The imports that have left threads.
        self.threads: list[str] = []
        self._settled = threading.Event()
        self._stderr = CrossingFile()
        self._socket, theirs = map(_high, socket.socketpair())
        with theirs, CrossingFile() as out, CrossingFile(_plan(launch, imports, is_strict)) as job:
            numbers = [theirs.fileno(), job.fileno()]
            words = [*map(str, numbers), str(len(imports)), launch.argv[0]]
            with block_sigint():
                self._process = subprocess.Popen(
                    [*fresh_command(), "serve", *words], pass_fds=numbers, env=env, cwd=cwd or None,
                    stdin=subprocess.DEVNULL, stdout=out.fileno(), stderr=self._stderr.fileno(),
                )  # fmt: skip
        self._thread = threading.Thread(target=self._listen, name="kogine-warm", daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether none of its runs is running."""
        return not self._runs

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return bool(self.reason)

    def await_imports(self) -> list[str]:
        """Wait until it has imported everything, or has ended; the imports that left threads."""
        self._settled.wait()
        return self.threads

    def request(self, job: bytes, streams: Sequence[int], is_group: bool) -> WarmRun:
        """Ask for a run of *job*; it may have no process yet."""
        run = WarmRun(next(self._numbers), self._shown, is_group, self._wake)
        with self._lock, CrossingFile(job) as file:
            if self.reason:
                run.lose(self.reason)
            else:
                self._runs[run.number] = run
                descriptors = [file.fileno(), run.pending.file.fileno(), *streams]
                try:
                    transport.send_request(self._socket, run.number, descriptors)
                except OSError:
                    pass  # it has died: the listener is about to end every run
        return run

    def _wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and its runs."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.signal(signal.SIGKILL)
        if not self.is_ready:
            self._process.kill()
        self._wake()
        for run in runs:
            run.await_end(_PATIENCE)  # nobody reaps the server's children after it
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
        except OSError:  # the server has ended: what it had under way is lost
            pass
        self._lose_all()

    def _hear(self, kind: str, *rest: Any) -> None:
        if kind == transport.READY:
            self.is_ready, self.threads = True, rest[0]
            for name in self.threads:
                text = _SPAWNED if self._is_strict else _THREADS
                self._say(text.format(name=name, script=self._shown))
            self._settled.set()
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
            self.reason = _how_ended(status, self._stderr.read())
            runs, self._runs = self._runs, {}
        for run in runs.values():
            run.lose(self.reason)
        self._stderr.close()
        self._socket.close()


_THREADS = (
    "warm: {name!r} started threads when it was imported, which a forked process has not; if "
    "{script} hangs or crashes, use spawn"
)
_SPAWNED = (
    "auto: {name!r} started threads when it was imported, which a forked process has not: each run "
    "of {script} gets a fresh interpreter (--mode spawn)"
)


def _high(sock: socket.socket) -> socket.socket:
    return socket.socket(fileno=above_streams(sock.detach()))


def _plan(launch: Launch, imports: Sequence[LibraryImport], is_strict: bool) -> bytes:
    return marshal.dumps((launch_parts(launch), [tuple(one) for one in imports], is_strict))


def _how_ended(status: int, printed: bytes) -> str:
    if status >= 0:
        lines = printed.decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return f"the warm server ended with exit status {status}" + (f": {last}" if last else "")
    return f"the warm server was killed by {name_signal(-status)}"


def parent_group(new_session: bool) -> int:
    """The process group that a run joins; 0 for a session of its own."""
    return 0 if new_session else os.getpgrp()


class WarmRun:
    """A warm run that has been started. Every method may be called from any thread."""

    def __init__(
        self, number: int, shown: str, is_group: bool, wake: Callable[[], None] = lambda: None
    ) -> None:
        """*number* is the server's for it; *is_group*: whether it has a session of its own.

        *wake* continues a server that somebody has stopped.
        """
        self.number = number
        self.pending = PendingOutcome()
        #: When it was requested, in seconds since the epoch.
        self.started = self.pending.clock.started
        #: The process; 0 before there is one.
        self.pid = 0
        #: Whether it was ended before it had a process.
        self.is_cancelled = False
        #: Why the server could start no process for it; empty if it did, or if the server ended.
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
        """The Outcome, after the process has ended; a killed process has one too.

        Raises ``subprocess.TimeoutExpired`` if it still runs after *timeout* seconds.
        """
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(self._shown, timeout or 0)
        if self._reason:
            return self.pending.lose(self._reason)
        return self.pending.settle(self._status)

    def signal(self, number: int) -> None:
        """Send a signal to all processes of its session if it has one of its own, else to it
        alone. A process that has ended is no error; a run without a process yet gets none.
        """
        if number == signal.SIGCONT:
            self._wake()
        elif self._cancel():
            return
        try:
            if self.pid and self._is_group:
                # As for a spawned run: also to the processes that it has left behind.
                os.killpg(self.pid, number)
            elif self.pid and not self.poll():
                os.kill(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def close(self) -> None:
        """End it: a process that still runs is killed."""
        if not self.poll():
            self.signal(signal.SIGKILL)
        self.wait()

    def await_begin(self) -> bool:
        """Wait until it has a process, or will have none; whether it has."""
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
        """Wait until it has ended, for *timeout* seconds at most."""
        self._ended.wait(timeout)

    def begin(self, pid: int) -> None:
        """Take *pid*, from the server, as its process."""
        with self._lock:
            self.pid = pid
            if self.is_cancelled:
                self.signal(signal.SIGKILL)
        self._begun.set()

    def end(self, pid: int, status: int) -> None:
        """Take its exit status from the server."""
        self._status = status
        self.begin(pid)
        self._ended.set()

    def refuse(self, reason: str) -> None:
        """End it, since the server could start no process."""
        self.refusal = reason
        self.lose(reason)

    def lose(self, reason: str) -> None:
        """End it without a status, which nobody knows; a process of it is killed."""
        self._reason = reason
        if self.pid:
            self.signal(signal.SIGKILL)
        self._begun.set()
        self._ended.set()
