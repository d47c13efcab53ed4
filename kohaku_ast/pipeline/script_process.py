"""Processes of script nodes: how each starts, with which variables, and how it ended.

State of a worker process: the warm servers.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from hashlib import blake2b
from os.path import basename
from subprocess import TimeoutExpired
from typing import Any

from kohaku_ast.errors import (
    KogineError,
    PipelineError,
    PipelineTypeError,
    UncrossableValue,
    check_type,
    did_you_mean,
    unknown,
)
from kohaku_ast.frames import put_part
from kohaku_ast.pipeline.failure import IN_WORKER, ScriptTraceback
from kohaku_ast.transform.find.modules import third_party_imports
from kohaku_ast.transform.find.source import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.runner.bind import Bound
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.runner.outcome import Outcome

    #: The return value of the starting call, and the wanted globals that exist.
    Result = tuple[Any, Mapping[str, Any]]

MODES = ("inline", "spawn")
ENV = ("pass", "set")


class OwnProcess:
    """The variables of a script node's own process. Frozen."""

    __slots__ = ("passed", "values")

    def __init__(self, passed: tuple[str, ...] | None, values: Mapping[str, str]) -> None:
        #: Names, or patterns such as ``AWS_*``, of those that it gets from here; None: all.
        self.passed = passed
        #: Those that it has besides.
        self.values = dict(values)

    def variables(self) -> dict[str, str]:
        """Its whole environment."""
        from kohaku_ast.store.environment import passed_on  # most pipelines do without

        outer = os.environ if self.passed is None else passed_on(os.environ, self.passed)
        return {**outer, **self.values}

    def identity(self) -> Iterator[tuple[str, bytes]]:
        """What of it is in the key of a result: what is set, and what is passed by name. Each has a
        name, which ``explain_cache`` shows.
        """
        for name, value in sorted(self.values.items()):
            yield f"env {name}", _digest(value)
        if self.passed is not None:
            yield "env pass", _digest(" ".join(self.passed))
            for name in sorted(os.environ):
                if name not in self.values and any(fnmatchcase(name, one) for one in self.passed):
                    yield f"env {name}", _digest(os.environ[name])

    def fields(self) -> dict[str, Any]:
        """As the user writes it."""
        found: dict[str, Any] = {} if self.passed is None else {"pass": [*self.passed]}
        return {**found, **({"set": self.values} if self.values else {})}

    def shown(self) -> dict[str, Any]:
        """The same for a record, without secrets."""
        from kohaku_ast.store.environment import SECRET, is_secret

        found, values = self.fields(), self.values.items()
        shown = {name: SECRET if is_secret(name, one) else one for name, one in values}
        return {**found, "set": shown} if shown else found

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnProcess, (self.passed, self.values)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def read_process(mode: str, env: Any, who: str) -> OwnProcess | None:
    """The process that *mode* and *env* ask for; None for this one. Raises PipelineError."""
    check_type(mode, str, f"{who}: mode is 'inline' or 'spawn'", PipelineError)
    if mode not in MODES:
        raise PipelineError(f"{who}: {unknown('mode', mode, MODES)}")
    if env is None:
        return OwnProcess(None, {}) if mode == "spawn" else None
    if mode != "spawn":
        raise PipelineError(
            f"{who}: env is for a process of its own, and the script runs in that of the pipeline, "
            'whose variables belong to all nodes. Add mode="spawn", or take env away.'
        )
    check_type(env, Mapping, f"{who}: env is a dict with pass and set", PipelineError)
    for key in env:
        if key not in ENV:
            hint = did_you_mean(str(key), ENV) or f" It has: {', '.join(ENV)}."
            raise PipelineError(f"{who}: env has no key {key!r}.{hint}")
    values = _checked_values(env.get("set", {}), who)
    passed = env.get("pass")
    if passed is not None:
        passed = _checked_names(passed, values, who)
    return OwnProcess(passed, values)


def _checked_values(values: Any, who: str) -> dict[str, str]:
    check_type(values, Mapping, f"{who}: env.set is a dict of names and texts", PipelineError)
    for name, value in values.items():
        _check_name(name, f"{who}: env.set")
        if not isinstance(value, str):
            raise PipelineTypeError(
                f"{who}: env.set.{name} is {value!r}: the value of a variable is a text, as in "
                f'"{value}".'
            )
    return dict(values)


def _checked_names(passed: Any, values: Mapping[str, str], who: str) -> tuple[str, ...]:
    check_type(passed, (list, tuple), f"{who}: env.pass is a list of names", PipelineError)
    for name in passed:
        _check_name(name, f"{who}: env.pass")
        if name in values:
            raise PipelineError(f"{who}: env.pass names {name!r}, which env.set gives a value.")
    return tuple(passed)


def _check_name(name: Any, who: str) -> None:
    if not isinstance(name, str) or not name or "=" in name or "\0" in name:
        raise PipelineError(f"{who}: {name!r} cannot be the name of a variable.")


# --- its runs ------------------------------------------------------------------------------------


#: File and text of a script -> its server (None after its first run); ends with this process.
_SERVERS: dict[tuple[str, bytes], Any] = {}
_MOST = 8  # servers, each with its libraries in memory; other scripts get fresh interpreters
_LOCK = threading.Lock()


def result_of(bound: Bound, outcome: Outcome) -> Result:
    """What a run in a process of its own has left; raises what it raised."""
    if outcome.status == "succeeded":
        return outcome.value, outcome.outputs
    raise _error_of(bound.launch, outcome)


def start(bound: Bound, wants_value: bool, is_fresh: bool, **options: Any) -> Any:
    """Start the run, with *options* for its environment and output. Unless *is_fresh*, only the
    first run of a script gets a fresh interpreter, since it may be the only one; later ones are
    forked from a server that has imported the libraries.
    """
    from kohaku_ast.runner.spawn import SpawnedRun

    bound.wants_error = True
    server = None if is_fresh else _server_of(bound.launch)
    if server is None:
        # A worker that is killed takes the script with it.
        return SpawnedRun(bound, wants_value=wants_value, is_tied=IN_WORKER.get(), **options)
    return server.start(bound, wants_value=wants_value, **options)


def _server_of(launch: Launch) -> Any:
    """The server of the script; None for its first run."""
    from kohaku_ast.runner.warm_client import WarmServer

    key = launch.filename, launch.data
    with _LOCK:
        if key not in _SERVERS:
            _SERVERS[key] = None
        elif _SERVERS[key] is None and WarmServer.is_available() and _has_room():
            source = decode(launch.data, launch.filename, launch.path0, launch.package)
            _SERVERS[key] = WarmServer(launch, third_party_imports(source))
        return _SERVERS[key]


def _has_room() -> bool:
    return len(_SERVERS) - list(_SERVERS.values()).count(None) < _MOST


def wait(handle: Any, tick: Callable[[], None] | None = None) -> Outcome:
    """The Outcome. If the wait is interrupted, the script is ended. *tick* is called meanwhile."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    if is_main:
        signal.signal(signal.SIGTERM, lambda *_: _kill(handle, before))
    try:
        while True:
            try:
                return handle.wait(tick and _TICK)  # type: ignore[no-any-return]
            except TimeoutExpired:
                assert tick is not None
                tick()
    finally:
        handle.close()
        if is_main:
            signal.signal(signal.SIGTERM, before)


_TICK = 0.25  # seconds


def _kill(handle: Any, before: Any) -> None:
    """On SIGTERM: kill the script, which would run on without this process; then do as *before*."""
    handle.signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _error_of(launch: Launch, outcome: Outcome) -> BaseException:
    """The exception of the script in its process, or a PipelineError that says how it ended."""
    found = outcome.error
    if found is None:
        return exit_error(launch, outcome.exit_status)
    if outcome.raised is not None:
        error = outcome.raised
        if not isinstance(error, KogineError):
            put_part(error, "__cause__", ScriptTraceback(found.traceback))
        return error
    if found.type == "UncrossableValue":
        return UncrossableValue(f"{basename(launch.shown)}: {found.message}")
    made = PipelineError(f"{basename(launch.shown)}: {found}")
    made.__cause__ = ScriptTraceback(found.traceback) if found.traceback else None
    return made


def exit_error(launch: Launch, code: object) -> PipelineError:
    """For a script that called ``sys.exit`` with *code*."""
    shown = code if isinstance(code, int) else repr(code)
    return PipelineError(f"{basename(launch.shown)} ended early by sys.exit({shown}).")
