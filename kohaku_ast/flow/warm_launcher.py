"""The mode ``warm``: runs are forked from a server that has imported the script's libraries."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from kohaku_ast.flow.launchers import NO_ROOM, Done, Handle, ProcessLauncher, not_started
from kohaku_ast.flow.run import Run
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.job import pack
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.spawn import SpawnedRun
from kohaku_ast.runner.warm_client import WarmRun, WarmServer
from kohaku_ast.transform.find.modules import third_party_imports
from kohaku_ast.transform.find.source import decode

_AT_ONCE = 16
"""Runs that wait for a process: descriptors on their way count against our limit."""

_USUAL = 0.1
"""Seconds; a server that has imported everything needs some milliseconds for a process."""


class WarmLauncher(ProcessLauncher):
    """One WarmServer for each script; fresh interpreters where the system cannot fork."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._servers: dict[str, WarmServer] = {}
        self._turns = threading.Semaphore(_AT_ONCE)
        self._is_available = WarmServer.is_available()
        if not self._is_available:
            print("kogine: this system cannot fork: warm runs are spawned", file=sys.stderr)

    def start(self, run: Run, bound: Bound, done: Done) -> Handle:
        """Start it; while the server is still importing, it has no process yet."""
        handle = super().start(run, bound, done)
        if isinstance(handle, _Starting):
            handle.await_begin(_USUAL)
        return handle

    def begin(self, bound: Bound, **options: Any) -> Handle:
        """Fork one; the server is started when its first run is."""
        if not self._is_available:
            return SpawnedRun(bound, **options)
        options["data"] = pack(bound, options["wants_value"])
        start = partial(self._server(bound.launch).start, bound)
        return _Starting(start, options, self._turns, self.be_nice)

    def close(self) -> None:
        """End the servers."""
        for server in self._servers.values():
            server.close()
        super().close()

    def _server(self, launch: Launch) -> WarmServer:
        if launch.filename not in self._servers:
            source = decode(launch.data, launch.filename, launch.path0, launch.package)
            self._servers[launch.filename] = WarmServer(launch, third_party_imports(source))
        return self._servers[launch.filename]


class _Starting:
    """A run that its server starts when it can: it may import for as long as it likes, and Ctrl-C
    and the timeout are heard meanwhile.
    """

    def __init__(
        self,
        start: Callable[..., WarmRun],
        options: dict[str, Any],
        turns: threading.Semaphore,
        be_nice: Callable[[int], None],
    ) -> None:
        """``wait`` starts it. Raises OSError if its streams cannot be kept until then."""
        self._start, self._options, self._turns = start, options, turns
        self._be_nice = be_nice
        self._asked: WarmRun | None = None
        self._is_cancelled = False
        self._lock = threading.Lock()
        self._begun = threading.Event()
        self._streams = ExitStack()
        for name in ("stdout", "stderr"):
            if options[name] is not None:
                options[name] = os.dup(options[name])
                self._streams.callback(os.close, options[name])

    @property
    def pid(self) -> int:
        """The process; 0 before it is there."""
        return self._asked.pid if self._asked is not None else 0

    def await_begin(self, timeout: float) -> None:
        """Wait for its process, but not for long."""
        self._begun.wait(timeout)

    def wait(self, timeout: float | None = None) -> Outcome:
        """Start it, and give its Outcome when it is over."""
        try:
            run = self._started()
        except NO_ROOM as error:
            return not_started(error)
        finally:
            self._streams.close()
            self._begun.set()
        if run is None:
            return Outcome("failed", exit_status=1)
        self._be_nice(run.pid)
        outcome = run.wait(timeout)
        return not_started(OSError(run.refusal)) if run.refusal else outcome

    def _started(self) -> WarmRun | None:
        """None if it is not wanted any more."""
        while not self._turns.acquire(timeout=_USUAL):
            if self._is_cancelled:
                return None
        try:
            return self._start(asked=self._note, **self._options)
        finally:
            self._turns.release()

    def _note(self, asked: WarmRun) -> None:
        with self._lock:
            self._asked = asked
        if self._is_cancelled:
            asked.close()

    def signal(self, number: int) -> None:
        """As for Warmed."""
        import signal

        with self._lock:
            asked = self._asked
            self._is_cancelled = self._is_cancelled or (asked is None and number != signal.SIGCONT)
        if asked is not None:
            asked.signal(number)

    def close(self) -> None:
        """Give everything back; a process that still runs is killed."""
        self._streams.close()
        if self._asked is not None:
            self._asked.close()
