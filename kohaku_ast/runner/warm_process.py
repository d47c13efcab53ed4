"""Our side of one warm server: starts it, asks it for runs and hears how they end."""

from __future__ import annotations

import itertools
import marshal
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kohaku_ast.runner import warm_wire
from kohaku_ast.runner.crossing_file import CrossingFile, above_streams
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.shipment import launch_parts
from kohaku_ast.runner.spawned import deaf_children, fresh_command
from kohaku_ast.runner.warmed import Warmed
from kohaku_ast.transform.find.modules import LibraryImport

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
        self._runs: dict[int, Warmed] = {}
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

    def ask(self, job: bytes, streams: Sequence[int], is_group: bool) -> Warmed:
        """A run of *job*, perhaps without a process yet."""
        run = Warmed(next(self._numbers), self._shown, is_group, self._wake)
        with self._lock, CrossingFile(job) as file:
            if self._reason:
                run.lose(self._reason)
            else:
                self._runs[run.number] = run
                descriptors = [file.fileno(), run.pending.file.fileno(), *streams]
                try:
                    warm_wire.ask(self._socket, run.number, descriptors)
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
            while message := warm_wire.receive(self._socket):
                self._hear(*message)
        except OSError:
            pass
        self._lose_all()

    def _hear(self, kind: str, *rest: Any) -> None:
        if kind == warm_wire.READY:
            self.is_ready = True
            for name in rest[0]:
                self._say(_THREADS.format(name=name, script=self._shown))
            return
        number, *left = rest
        if kind == warm_wire.STARTED:
            self._runs[number].begin(*left)
        elif kind == warm_wire.ENDED:
            self._runs.pop(number).end(*left)
        elif kind == warm_wire.FAILED:
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
