"""The modes of a flow: runs in this process, in fresh interpreters, in forks of a warm server.

``auto`` is ``warm`` where that is safe, else ``spawn``.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

from kohaku_ast.config.config import Config
from kohaku_ast.flow.output import Copy, LogFailed, Tee, logged
from kohaku_ast.flow.run import (
    NO_ROOM,
    Done,
    Handle,
    Launcher,
    OpenLog,
    Run,
    WantsValue,
    not_started,
)
from kohaku_ast.flow.settings import REPEAT, WORKER, FlowSettings, files_variable
from kohaku_ast.frames import contextmanager
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.inline import run_inline, with_own_values
from kohaku_ast.runner.job import Packed, pack
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.local_modules import LocalModules
from kohaku_ast.runner.main_module import unused_messages
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.process_exit import Lend, lend_nothing
from kohaku_ast.runner.process_state import kept_descriptors
from kohaku_ast.runner.spawn import SpawnedRun, set_priority
from kohaku_ast.runner.warm_client import ThreadsLeftError, WarmRun, WarmServer
from kohaku_ast.store.environment import INDEX, RUN_DIR
from kohaku_ast.store.run_folder import has_plenty
from kohaku_ast.transform.find.modules import LibraryImport, places_of, third_party_imports
from kohaku_ast.transform.find.source import decode

MODES = ("auto", "inline", "spawn", "warm")


def usual_mode(launch: Launch) -> str:
    """The mode of runs of *launch* in processes of their own, if nobody asks for another one."""
    # A warm server reads the imports of a file; those of a notebook in a kernel are the kernel's.
    return "auto" if launch.has_file and not launch.in_kernel else "spawn"


class SettledMode(NamedTuple):
    """What ``auto`` comes to for one script."""

    #: ``warm`` or ``spawn``.
    mode: str
    #: In words for the user.
    reason: str
    #: The modules that are imported once, for all runs.
    imported: tuple[str, ...] = ()


def settle_mode(launch: Launch) -> SettledMode:
    """What the usual mode of *launch* comes to here and now. Imports its libraries, in a process of
    their own; runs nothing of the script.
    """
    if usual_mode(launch) != "auto":
        return SettledMode("spawn", f"the imports of {launch.shown} are read from a file alone")
    if not WarmServer.is_available():
        return SettledMode("spawn", "this system cannot fork")
    imports, said = _library_imports(launch), list[str]()
    with WarmServer(launch, imports, say=said.append, is_strict=True) as server:
        if server.preload():
            return SettledMode("spawn", said[0].removeprefix("auto: "))
    modules = dict.fromkeys(one.module for one in imports if places_of(launch.path0, one.top))
    names = () if said else tuple(modules)
    libraries = f"{', '.join(names)} (no thread is left)" if names else "no library of the script"
    reason = f"each run is forked from a process that has imported {libraries}"
    return SettledMode("warm", ". ".join([reason, *said]), names)


def _library_imports(launch: Launch) -> tuple[LibraryImport, ...]:
    return third_party_imports(decode(launch.data, launch.filename, launch.path0, launch.package))


def make_launcher(
    settings: FlowSettings,
    *,
    wants_value: WantsValue,
    warn: Callable[[Run, str], None],
    open_log: OpenLog = lambda run, bound: None,
    shows: bool = False,
    log_failed: LogFailed = lambda error: None,
) -> Launcher:
    """The Launcher for ``settings.mode``; an Executor is not shut down. The rest is as for
    InlineLauncher and ProcessLauncher.
    """
    if not isinstance(settings.mode, str):
        from kohaku_ast.executors.clusters import open_cluster
        from kohaku_ast.flow.executor_launcher import ExecutorLauncher

        cluster = open_cluster(settings.mode, settings.workers)
        return ExecutorLauncher(cluster, settings, open_log, wants_value=wants_value)
    if settings.mode == "inline":
        return InlineLauncher(warn, open_log, shows, log_failed, settings)
    kind = SpawnLauncher if settings.mode == "spawn" else WarmLauncher
    return kind(settings, open_log, wants_value=wants_value, shows=shows, log_failed=log_failed)


class InlineLauncher:
    """Runs in this process. The values of the Outcome are the script's own, no copies."""

    is_inline = True

    def __init__(
        self,
        warn: Callable[[Run, str], None],
        open_log: OpenLog = lambda run, bound: None,
        shows: bool = True,
        log_failed: LogFailed = lambda error: None,
        settings: FlowSettings = FlowSettings(),  # noqa: B008  # it is frozen
    ) -> None:
        """*warn* gets overrides without effect. *shows*: runs print to this process's streams, too,
        if they have logs.
        """
        self.settings = settings
        self.warn, self.open_log, self.log_failed = warn, open_log, log_failed
        self.lend: Lend = lend_nothing
        self._tee = Tee(shows, most=settings.log_limit)
        self._local: dict[str, LocalModules] = {}

    def start(self, run: Run, bound: Bound, done: Done) -> None:
        """Run it to its end. Raises KeyboardInterrupt after Ctrl-C."""
        folder = bound.launch.path0
        local = self._local.setdefault(folder, LocalModules(folder))
        os.environ[WORKER], os.environ[INDEX] = "0", str(run.index)
        if run.repeat is not None:
            os.environ[REPEAT] = str(run.repeat)
        log = self.open_log(run, bound)
        os.environ.update(files_variable(run))
        if not isinstance(
            run.work.configs, Config
        ):  # a single Config's values are passed as they are
            bound = with_own_values(bound, lambda message: self.warn(run, message))
        output = kept_descriptors() if log is None else logged(log, self._tee)
        with output, _in_folder(self.settings.cwd(run)), _as_current(run):
            outcome = run_inline(bound, local, self.lend)
        for message in unused_messages(bound.prepared):
            self.warn(run, message)
        self._tee.report_error(self.log_failed)
        done(run, outcome)

    def close(self) -> OSError | None:
        """Restore the environment."""
        for name in (WORKER, INDEX, REPEAT, RUN_DIR):
            os.environ.pop(name, None)
        return self._tee.close()


@contextmanager
def _as_current(run: Run) -> Iterator[None]:
    """Inside, what helpers keep belongs to *run*, also if the code around this flow is in another
    one, as the node of a recorded pipeline is.
    """
    if "kohaku_ast.helpers.run_context" not in sys.modules:
        yield  # then nobody has entered a run, and the environment says which one this is
        return
    from kohaku_ast.helpers.processes import SharedValues
    from kohaku_ast.helpers.run_context import CurrentRun, enter_run

    files = files_variable(run).get(RUN_DIR, "")
    with enter_run(CurrentRun(files, run.index, 0, run.repeat)), SharedValues({}):
        yield


@contextmanager
def _in_folder(folder: str | None) -> Iterator[None]:
    """Inside, *folder* is the working folder, if there is one."""
    if folder is None:
        yield
        return
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class ProcessLauncher:
    """Runs in other processes; ``begin`` of a subclass starts one."""

    is_inline = False

    def __init__(
        self,
        settings: FlowSettings,
        open_log: OpenLog,
        *,
        wants_value: WantsValue = True,
        shows: bool = False,
        log_failed: LogFailed = lambda error: None,
    ) -> None:
        """*shows*: runs print to this process's streams, too, if they have logs."""
        self.settings, self.open_log, self.log_failed = settings, open_log, log_failed
        self.lend: Lend = lend_nothing
        self.wants_value = wants_value
        self._tee = Tee(shows, guards=True, most=settings.log_limit)

    def start(self, run: Run, bound: Bound, done: Done) -> Handle:
        """Start it. Raises UncrossableValue, which names the value that cannot be sent."""
        self._tee.report_error(self.log_failed)  # of the runs before
        log = self.open_log(run, bound)
        copy = self._copy(log)
        try:
            handle = self.begin(
                bound,
                wants_value=self.wants_value,
                env=self.settings.environment(run),
                cwd=self.settings.cwd(run),
                stdout=copy.stdout if copy else log,
                stderr=copy.stderr if copy else log,
                # The signals of the terminal (Ctrl-C) reach the runs through the flow only.
                new_session=True,
            )
        except BaseException:
            if copy is not None:
                copy.close()
            raise
        finally:
            if copy is not None:
                copy.close_writers()
            elif log is not None:
                os.close(log)
        self.be_nice(handle.pid)
        try:
            _wait_for(handle, run, done, copy)
        except BaseException:  # no thread can be started
            handle.close()
            if copy is not None:
                copy.close()
            raise
        return handle

    def _copy(self, log: int | None) -> Copy | None:
        """The Copy of a run's output; None if the run prints to *log*, or here, itself."""
        if log is None:
            return self._tee.begin() if self.settings.workers > 1 else None
        return self._tee.begin(log) if self._tee.shows or not has_plenty(log) else None

    def begin(self, bound: Bound, **options: Any) -> Handle:
        """Start the process."""
        raise NotImplementedError

    def close(self) -> OSError | None:
        """Close the logs."""
        self._tee.report_error(self.log_failed)
        return self._tee.close()

    def be_nice(self, pid: int) -> None:
        """Set the priority of the process *pid*; 0: there is no process yet."""
        if self.settings.nice and pid:
            set_priority(pid, self.settings.nice)


class SpawnLauncher(ProcessLauncher):
    """A fresh interpreter for each run."""

    def begin(self, bound: Bound, **options: Any) -> Handle:
        """Start one."""
        return SpawnedRun(bound, **options)


def _wait_for(handle: Handle, run: Run, done: Done, copy: Copy | None) -> None:
    """Call *done* in a thread when the process has ended, whatever happens to it."""

    def wait() -> None:
        try:
            outcome = handle.wait()
            handle.close()
            if copy is not None:
                copy.finish()
        except BaseException as error:  # without a call of *done* the flow would wait for ever
            text = f"its end could not be observed: {error!r}"
            outcome = Outcome("failed", error=RunError("Lost", text, ""), exit_status=1)
        done(run, outcome)

    threading.Thread(target=wait, name=f"kogine-run-{run.index}", daemon=True).start()


_MOST_STARTING = 16
"""Runs that wait for a process: descriptors in transit count against the limit of this process."""

_FORK_SECONDS = 0.1
"""A server that has imported everything needs some milliseconds for a process."""


class WarmLauncher(ProcessLauncher):
    """One WarmServer for each script; fresh interpreters where the system cannot fork, and with
    ``auto`` also for a script whose imports leave threads.
    """

    def __init__(self, settings: FlowSettings, *arguments: Any, **options: Any) -> None:
        super().__init__(settings, *arguments, **options)
        self._servers: dict[str, WarmServer] = {}
        self._turns = threading.Semaphore(_MOST_STARTING)
        self._is_available = WarmServer.is_available()
        self._is_auto = settings.mode == "auto"
        if not (self._is_available or self._is_auto):
            print("kogine: this system cannot fork: warm runs are spawned", file=sys.stderr)

    def start(self, run: Run, bound: Bound, done: Done) -> Handle:
        """Start it; as long as the server imports, it has no process."""
        handle = super().start(run, bound, done)
        if isinstance(handle, _Starting):
            handle.await_begin(_FORK_SECONDS)
        return handle

    def begin(self, bound: Bound, **options: Any) -> Handle:
        """Fork one; the first run of a script starts its server."""
        if not self._is_available:
            return SpawnedRun(bound, **options)
        options["data"] = pack(bound, options["wants_value"])
        start = partial(self._server(bound.launch).start, bound)
        return _Starting(start, options, self._turns, self.be_nice, bound.argv)

    def close(self) -> OSError | None:
        """Close the servers and the logs."""
        for server in self._servers.values():
            server.close()
        return super().close()

    def _server(self, launch: Launch) -> WarmServer:
        if launch.filename not in self._servers:
            imports = _library_imports(launch)
            self._servers[launch.filename] = WarmServer(launch, imports, is_strict=self._is_auto)
        return self._servers[launch.filename]


class _Starting:
    """A run that waits for its server, which may import for minutes: Ctrl-C and the timeout work
    meanwhile.
    """

    def __init__(
        self,
        start: Callable[..., WarmRun],
        options: dict[str, Any],
        turns: threading.Semaphore,
        be_nice: Callable[[int], None],
        argv: list[str],
    ) -> None:
        """``wait`` starts it. Raises OSError if its streams cannot be duplicated."""
        self._start, self._options, self._turns = start, options, turns
        self._be_nice, self._argv = be_nice, argv
        self._run: WarmRun | SpawnedRun | None = None
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
        """The process; 0 as long as there is none."""
        return self._run.pid if self._run is not None else 0

    def await_begin(self, timeout: float) -> None:
        """Wait for its process, *timeout* seconds at most."""
        self._begun.wait(timeout)

    def wait(self, timeout: float | None = None) -> Outcome:
        """Start it, wait for its end and return its Outcome."""
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
        refusal = getattr(run, "refusal", "")
        return not_started(OSError(refusal)) if refusal else outcome

    def _started(self) -> WarmRun | SpawnedRun | None:
        """The started run; None if it was cancelled before."""
        while not self._turns.acquire(timeout=_FORK_SECONDS):
            if self._is_cancelled:
                return None
        try:
            return self._start(asked=self._on_request, **self._options)
        except ThreadsLeftError:
            return self._spawn()
        finally:
            self._turns.release()

    def _spawn(self) -> SpawnedRun | None:
        names = ("env", "cwd", "stdout", "stderr", "new_session")
        options = {name: self._options[name] for name in names}
        with self._lock:
            if self._is_cancelled:
                return None
            self._run = SpawnedRun(Packed(self._options["data"], self._argv), **options)
            return self._run

    def _on_request(self, run: WarmRun) -> None:
        with self._lock:
            self._run = run
        if self._is_cancelled:
            run.close()

    def signal(self, number: int) -> None:
        """Signal its process group; without a process, any signal but SIGCONT cancels it."""
        import signal

        with self._lock:
            run = self._run
            if not self.pid and number != signal.SIGCONT:
                self._is_cancelled = True
        if run is not None:
            run.signal(number)

    def close(self) -> None:
        """Release its streams and process; one that still runs is killed."""
        self._streams.close()
        if self._run is not None:
            self._run.close()
