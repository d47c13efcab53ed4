"""Runs of script nodes: in this process one at a time, or each in a process of its own.

State of this process: the lock of the runs in it, and the warm servers of the others.
"""

from __future__ import annotations

import os
import signal
import threading
import warnings
from os.path import basename
from typing import Any

from kohaku_ast.errors import KogineError, PipelineError, UncrossableValue, UnusedOverride
from kohaku_ast.pipeline.failure import IN_WORKER, ScriptTraceback
from kohaku_ast.pipeline.script_file import source_of
from kohaku_ast.runner.empty_stack import trimmed
from kohaku_ast.runner.inline import InlineRun
from kohaku_ast.runner.main_module import unused_messages
from kohaku_ast.transform.find.modules import third_party_imports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kohaku_ast.pipeline.script_file import ScriptFile
    from kohaku_ast.runner.bind import Bound
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.runner.outcome import Outcome

    #: The return value of the starting call, and the wanted globals that exist.
    Result = tuple[Any, Mapping[str, Any]]


#: ``__main__``, ``sys.argv`` and the like belong to one script. It may run a pipeline itself.
_HERE = threading.RLock()
#: File and text of a script -> its server (None after its first run); ends with this process.
_SERVERS: dict[tuple[str, bytes], Any] = {}
_MOST = 8  # servers, each with its libraries in memory; other scripts get fresh interpreters
_LOCK = threading.Lock()


def run_script(
    file: ScriptFile, values: Mapping[str, Any], outputs: tuple[str, ...], wants_value: bool
) -> Result:
    """Run the script with *values* by target. Raises what the script raises; PipelineError if it
    calls ``sys.exit`` with a status other than 0.
    """
    from kohaku_ast.config.config import Config

    config = Config(globals_dict=values, outputs=outputs)
    if IN_WORKER.get():
        return _run_elsewhere(file.binder().bind(config), wants_value)
    with _HERE:  # binding reads sys.modules, which may be those of another script until then
        return call(InlineRun(file.binder().bind(config), file.local))


def call(run: InlineRun) -> Result:
    """Run it in this process. ``trim_traceback`` knows this function by its name: the frames below
    it are the user's.
    """
    try:
        value = run.whole()
    except SystemExit as exit_:
        if exit_.code not in (None, 0):
            raise _exit_error(run.bound.launch, exit_.code) from exit_
        value = run.given.capture.value
    except BaseException as error:
        raise error.with_traceback(trimmed(error.__traceback__))  # noqa: B904  # it is the same
    finally:
        for message in unused_messages(run.bound.prepared):
            warnings.warn(message, UnusedOverride, stacklevel=3)
    outputs = run.outputs()
    run.release(value, outputs)
    return value, outputs


def _run_elsewhere(bound: Bound, wants_value: bool) -> Result:
    """Run it in a process of its own, which ends when this one ends."""
    bound.wants_error = True
    outcome = _wait(_start(bound, wants_value))
    if outcome.status == "succeeded":
        return outcome.value, outcome.outputs
    raise _error_of(bound.launch, outcome)


def _start(bound: Bound, wants_value: bool) -> Any:
    """Start the run. The first run of a script gets a fresh interpreter, since it may be the only
    one; later ones are forked from a server that has imported the libraries.
    """
    from kohaku_ast.runner.spawn import SpawnedRun
    from kohaku_ast.runner.warm_client import WarmServer

    key = bound.launch.filename, bound.launch.data
    with _LOCK:
        if key not in _SERVERS:
            _SERVERS[key] = None
        elif _SERVERS[key] is None and WarmServer.is_available() and _has_room():
            _SERVERS[key] = _server(bound.launch)
        server = _SERVERS[key]
    if server is None:
        return SpawnedRun(bound, wants_value=wants_value)
    return server.start(bound, wants_value=wants_value)


def _has_room() -> bool:
    return len(_SERVERS) - list(_SERVERS.values()).count(None) < _MOST


def _server(launch: Launch) -> Any:
    from kohaku_ast.runner.warm_client import WarmServer

    return WarmServer(launch, third_party_imports(source_of(launch)))


def _wait(handle: Any) -> Outcome:
    """The Outcome. If the wait is interrupted, the script is ended."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, lambda *_: _kill(handle)) if is_main else None
    try:
        return handle.wait()  # type: ignore[no-any-return]
    finally:
        handle.close()
        if is_main:
            signal.signal(signal.SIGTERM, before)


def _kill(handle: Any) -> None:
    """On SIGTERM: kill the script, which would run on without this worker process."""
    handle.signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _error_of(launch: Launch, outcome: Outcome) -> BaseException:
    """The exception of the script in its process, or a PipelineError that says how it ended."""
    found = outcome.error
    if found is None:
        return _exit_error(launch, outcome.exit_status)
    if outcome.raised is not None:
        error = outcome.raised
        if not isinstance(error, KogineError):
            error.__cause__ = ScriptTraceback(found.traceback)
        return error
    if found.type == "UncrossableValue":
        return UncrossableValue(f"{basename(launch.shown)}: {found.message}")
    made = PipelineError(f"{basename(launch.shown)}: {found}")
    made.__cause__ = ScriptTraceback(found.traceback) if found.traceback else None
    return made


def _exit_error(launch: Launch, code: object) -> PipelineError:
    shown = code if isinstance(code, int) else repr(code)
    return PipelineError(f"{basename(launch.shown)} ended early by sys.exit({shown}).")
