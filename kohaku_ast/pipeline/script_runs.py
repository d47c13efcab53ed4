"""Runs of script nodes: here one at a time, or each in a process of its own; their keys.

Keeps, for this process, the lock of the runs here and the warm servers of the others.
"""

from __future__ import annotations

import ast
import os
import threading
import time
import warnings
from hashlib import blake2b
from os.path import basename
from typing import Any

from kohaku_ast.cache.code_text import without_remarks
from kohaku_ast.cache.function_imports import find_file
from kohaku_ast.errors import KogineError, PipelineError, UncrossableValue, UnusedOverride
from kohaku_ast.pipeline.failure import APART, ScriptTraceback
from kohaku_ast.runner.empty_stack import trimmed
from kohaku_ast.runner.inline import InlineRun
from kohaku_ast.runner.main_module import unused_messages
from kohaku_ast.transform.find.modules import absolute_name, find_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kohaku_ast.pipeline.script_file import ScriptFile
    from kohaku_ast.runner.bind import Bound
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.runner.outcome import Outcome

    #: What the starting call returned, and the globals that were asked for, as far as they exist.
    Result = tuple[Any, Mapping[str, Any]]
    State = tuple[int, ...]


#: ``__main__``, ``sys.argv`` and the rest are one script's. A script may run a pipeline itself.
_HERE = threading.RLock()
#: File and text of a script -> its server, once it has run here before; ended with this process.
_SERVERS: dict[tuple[str, bytes], Any] = {}
_MOST = 8  # servers, each with its libraries in memory; further scripts start from nothing
_LOCK = threading.Lock()


def run_script(
    file: ScriptFile, values: Mapping[str, Any], outputs: tuple[str, ...], wants_value: bool
) -> Result:
    """Run the script with *values* by target. Raises what it raises; PipelineError if it ends by
    ``sys.exit`` with anything but 0.
    """
    from kohaku_ast.config.config import Config

    config = Config(globals_dict=values, outputs=outputs)
    if APART.get():
        return _apart(file.binder().bind(config), wants_value)
    with _HERE:  # from here on: binding looks at the modules, which are another script's meanwhile
        return call(InlineRun(file.binder().bind(config), file.local))


def call(run: InlineRun) -> Result:
    """Run it here. Its name tells ``frames.cut`` that what lies below is the user's."""
    try:
        value = run.whole()
    except SystemExit as exit_:
        if exit_.code not in (None, 0):
            raise _exited(run.bound.launch, exit_.code) from exit_
        value = run.given.capture.value
    except BaseException as error:
        raise error.with_traceback(trimmed(error.__traceback__))  # noqa: B904  # it is the same
    finally:
        for message in unused_messages(run.bound.prepared):
            warnings.warn(message, UnusedOverride, stacklevel=3)
    outputs = run.outputs()
    run.release(value, outputs)
    return value, outputs


def _apart(bound: Bound, wants_value: bool) -> Result:
    """Run it in a process of its own, which ends with this one."""
    bound.wants_error = True
    outcome = _ended(_start(bound, wants_value))
    if outcome.status == "succeeded":
        return outcome.value, outcome.outputs
    raise _raised(bound.launch, outcome)


def _start(bound: Bound, wants_value: bool) -> Any:
    """A run under way: a fresh interpreter for the first of a script, since one may be all; the
    others are forked from a server that has imported its libraries.
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
    from kohaku_ast.pipeline.script_file import source_of
    from kohaku_ast.runner.warm_client import WarmServer
    from kohaku_ast.transform.find.modules import third_party_imports

    return WarmServer(launch, third_party_imports(source_of(launch)))


def _ended(handle: Any) -> Outcome:
    """The Outcome. Whatever ends the wait ends the script."""
    import signal

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, lambda *_: _end(handle)) if is_main else None
    try:
        return handle.wait()  # type: ignore[no-any-return]
    finally:
        handle.close()
        if is_main:
            signal.signal(signal.SIGTERM, before)


def _end(handle: Any) -> None:
    """The engine ends this worker process: the script that it waits for would go on."""
    import os
    import signal

    handle.signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _raised(launch: Launch, outcome: Outcome) -> BaseException:
    """What the script raised in its process, or why there is nothing of it."""
    found = outcome.error
    if found is None:
        return _exited(launch, outcome.exit_status)
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


def _exited(launch: Launch, code: object) -> PipelineError:
    shown = code if isinstance(code, int) else repr(code)
    return PipelineError(f"{basename(launch.shown)} ended early by sys.exit({shown}).")


_YOUNG = 2_000_000_000  # nanoseconds; FAT counts every other second


class ScriptTexts:
    """Of a script and of what it imports of the user's; files that have changed are read again."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._states: dict[str, State | None] = {}
        self._digests: tuple[tuple[str, bytes], ...] = ()

    def digests(self) -> tuple[tuple[str, bytes], ...]:
        """Path from the script's folder and digest of each file; the same object as long as
        nothing has changed.
        """
        if not self._states or not all(map(_is_same, self._states, self._states.values())):
            self._read()
        return self._digests

    def _read(self) -> None:
        folder, found = self._launch.path0, {}
        waiting = [("", self._launch.filename)]
        self._states = {}
        while waiting:
            name, path = waiting.pop()
            if path in self._states:
                continue
            self._states[path] = _state(path)
            data = _bytes(path)
            found[_label(path, folder)] = _digest(data)
            package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
            waiting += _imported(data, package, folder)
        digests = tuple(sorted(found.items()))
        if digests != self._digests:
            self._digests = digests


def _digest(data: bytes) -> bytes:
    try:
        text = without_remarks(ast.parse(data))
    except (SyntaxError, ValueError, RecursionError):
        text = data.decode("latin-1")
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def _label(path: str, folder: str) -> str:
    """Not the whole path: a project that lies elsewhere keeps its results."""
    inside = os.path.relpath(path, folder)
    return os.path.basename(path) if inside.startswith("..") else inside.replace(os.sep, "/")


def _is_same(path: str, before: State | None) -> bool:
    return before is not None and _state(path) == before


def _state(path: str) -> State | None:
    """As the system has it: time of the last change, size, number of the file. None for a file
    that has just been changed: within the clock's steps it could change again unseen.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    if time.time_ns() - found.st_mtime_ns < _YOUNG:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _imported(data: bytes, package: str, folder: str) -> Iterator[tuple[str, str]]:
    """The user's own modules that the text may import, each with its file."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return
    for name in _names(tree, package):
        module = find_module(folder, name)  # as the script finds it: its own folder comes first
        path = module.path if module else find_file(name)
        if path is not None:
            yield name, path


def _names(tree: ast.Module, package: str) -> Iterator[str]:
    """Each with its parents; what is no module is not found."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(node.module or "", node.level, package)
            names = [f"{base}.{alias.name}".strip(".") for alias in node.names]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
