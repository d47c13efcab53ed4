"""Saves and restores the state of this process around a script that runs inside it.

Threads that go on are not restored; library_state.py has what is restored inside libraries.

Without this, ``logging.basicConfig`` would do nothing from the second run on, and a handler that
a script adds would write every line twice.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from kohaku_ast.config.config_process import (
    SYSTEM_PARTS,
    attributes_part,
    read_builtins,
    read_collector,
    read_digits,
    read_environment,
    read_folder,
    read_signals,
    read_stack,
    read_umask,
    write_builtins,
    write_collector,
    write_digits,
    write_environment,
    write_filters,
    write_folder,
    write_signals,
)
from kohaku_ast.config.library_state import (
    begin_libraries,
    own_logging,
    read_libraries,
    write_libraries,
)
from kohaku_ast.frames import contextmanager
from kohaku_ast.runner.children import forget_loaded, hand_on
from kohaku_ast.runner.launch import Launch, folders_of
from kohaku_ast.runner.loaded_modules import hide_own, show_own
from kohaku_ast.runner.local_modules import MAINS, LocalModules, is_users, taken_from
from kohaku_ast.runner.process_exit import flush_at_exit, show_unflushed
from kohaku_ast.transform.program.bound_program import Prepared
from kohaku_ast.transform.program.load import above_streams


class ProcessState:
    """The state of this process while one script runs, which may be several times.

    In between it keeps the script's own state: the guard finds ``sys.path``, the signal handlers
    and the modules as the module body left them. Not for two threads at once.
    """

    def __init__(
        self,
        module: ModuleType,
        launch: Launch,
        prepared: Prepared,
        argv: Sequence[str],
        local: LocalModules | None = None,
    ) -> None:
        """*local* may serve many runs: it remembers which modules are the script's own."""
        self.module, self.launch, self.prepared = module, launch, prepared
        self.argv = list(argv)
        self.local = local or LocalModules(launch.path0)
        #: The script's own state; None until it has run for the first time.
        self.state: list[Any] | None = None
        #: The modules that are the script's own.
        self.modules: dict[str, ModuleType] = {}

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Inside, ``__main__``, ``sys.argv``, ``sys.path`` and all the rest are the script's."""
        with (
            outside_loop(),
            own_logging(),
            self._state(),
            self._modules(),
            kept_descriptors(),
            handed_on(self.prepared),
        ):
            yield

    @contextmanager
    def _state(self) -> Iterator[None]:
        host = read_state()
        known = set(sys.modules)
        try:
            if self.state is None:
                self._start()
            else:
                write_state(self.state)
            yield
        finally:
            self.state = read_state()
            lists = [list(getattr(sys, name)) for name in _HOOKS]
            write_state(host)
            for name, values in zip(_HOOKS, lists):
                _keep_hooks(getattr(sys, name), values, known)

    def _start(self) -> None:
        sys.argv = self.argv
        sys.path[:0] = folders_of(self.launch)
        # Files may have been added since, and a relative folder be another one.
        relative = [one for one in sys.path_importer_cache if not os.path.isabs(one)]
        for folder in (self.launch.path0, *relative):
            sys.path_importer_cache.pop(folder, None)
        begin_libraries()

    def _derived(self, host: Mapping[str, ModuleType]) -> set[str]:
        """The user's own modules in other folders, if one there has an override: it may have given
        its values to any of them.
        """
        if not self.prepared.modules and not self.prepared.later:
            return set()
        return {name for name, one in host.items() if name not in MAINS and is_users(name, one)}

    @contextmanager
    def _modules(self) -> Iterator[None]:
        """Inside, the modules of the script's folder that this process has imported are hidden;
        afterwards, those that the script has imported are removed. Libraries stay.
        """
        host = dict(sys.modules)
        for name in self.local.find(host) | self._derived(host):
            del sys.modules[name]
        hide_own(folders_of(self.launch))
        forget_loaded(self.prepared)
        sys.modules.update(self.modules)
        for name in MAINS:
            if name in host:
                sys.modules[name] = self.module
        try:
            yield
        finally:
            self.modules = _changed(host)
            for name in self.modules:
                del sys.modules[name]
            for name in self._wrong_libraries(host):
                _forget(name)
            sys.modules.update(host)
            show_own()

    def _wrong_libraries(self, host: Mapping[str, ModuleType]) -> set[str]:
        """The new libraries that have imported a module of the script in the place of another one:
        who imports them next is to have them with that one.
        """
        own = [self.modules[name] for name in self.local.shadows & self.modules.keys()]
        new = {name: one for name, one in sys.modules.items() if name not in host} if own else {}
        return taken_from(own, new)


def _forget(name: str) -> None:
    """Let the module be imported again."""
    module = sys.modules.pop(name)
    package, _, last = name.rpartition(".")
    if getattr(sys.modules.get(package), last, None) is module:
        delattr(sys.modules[package], last)


@contextmanager
def handed_on(prepared: Prepared) -> Iterator[None]:
    """Inside, the overrides are in force in modules and child processes."""
    patches = hand_on(prepared)
    try:
        yield
    finally:
        patches.undo()


def _changed(host: Mapping[str, ModuleType]) -> dict[str, ModuleType]:
    """The modules that are not as in *host*, without new libraries."""
    now = dict(sys.modules)
    if now | {name: host[name] for name in MAINS if name in host} == host:
        return {}  # for speed: looking at each of a thousand modules is a tenth of a short run
    local = {name for name, one in now.items() if name not in host and is_users(name, one)}
    return {
        name: module
        for name, module in now.items()
        if name in local or host.get(name, module) is not module
    }


def read_tracers() -> tuple[Any, ...]:
    """The functions of a debugger or profiler, for this thread and for new ones."""
    return sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()


def write_tracers(before: tuple[Any, ...]) -> None:
    """Restore those that have changed."""
    setters = sys.settrace, sys.setprofile, threading.settrace, threading.setprofile
    for now, wanted, set_ in zip(read_tracers(), before, setters):
        if now is not wanted:
            set_(wanted)


class _Stream:
    """A standard stream of the caller, with the settings that ``reconfigure`` changes."""

    __slots__ = ("number", "settings", "stream")

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self.stream, self.number = stream, stream.fileno()
        self.settings = _settings(stream)

    def restore(self) -> None:
        """Undo what a script did to it: it may have closed it or taken its buffer away."""
        try:
            is_whole = not self.stream.closed
        except ValueError:  # it was detached: the script has its buffer
            is_whole = False
        if not is_whole:
            self._open()
        elif _settings(self.stream) != self.settings:
            names = ("encoding", "errors", "line_buffering", "write_through")
            self.stream.reconfigure(**dict(zip(names, self.settings)))

    def _open(self) -> None:
        """Initialise it as ``create_stdio`` of CPython does; libraries may refer to the object."""
        is_input = self.number == 0
        raw = io.FileIO(self.number, "rb" if is_input else "wb", closefd=False)
        raw.name = f"<{('stdin', 'stdout', 'stderr')[min(self.number, 2)]}>"
        encoding, errors, lines, through = self.settings
        newline = None if is_input or sys.platform == "win32" else "\n"
        buffer = raw if through else io.BufferedReader(raw) if is_input else io.BufferedWriter(raw)
        self.stream.__init__(buffer, encoding, errors, newline, lines, through)  # type: ignore[misc]


def _settings(stream: io.TextIOWrapper) -> tuple[Any, ...]:
    return stream.encoding, stream.errors, stream.line_buffering, stream.write_through


def read_streams() -> list[_Stream]:
    """The standard streams that are as Python makes them."""
    stdin: Any = getattr(sys, "stdin", None)
    streams = [stdin] if _is_plain(stdin) and stdin.fileno() == 0 else []
    return [_Stream(one) for one in (*streams, *standard_streams()) if _is_plain(one)]


def write_streams(before: list[_Stream]) -> None:
    """Make them as they were, and usable: a script may have closed them."""
    for one in before:
        one.restore()


@contextmanager
def ending_streams() -> Iterator[list[object]]:
    """After the block, what a script has put in the place of standard output and error is flushed,
    as at the end of a process, and written to no more. The block gets a list, for those of the
    script's making that cannot be flushed.
    """
    before = standard_streams()
    unflushed: list[object] = []
    try:
        yield unflushed
    finally:
        for number, stream in enumerate(standard_streams()):
            error = flush_at_exit(stream)
            is_own = not any(stream is one for one in before)
            # The reader of the caller's own stream may have ended: that is no fault of the script.
            if error is not None and (is_own or not isinstance(error, OSError)):
                unflushed.append(stream)
                if number == 0:
                    show_unflushed(stream, error)
            if type(stream) is io.TextIOWrapper and is_own:
                _let_go(stream)


@contextmanager
def kept_descriptors() -> Iterator[None]:
    """After the block, the descriptors of the standard streams are open, and lead where they led
    before.
    """
    kept = {number: copy for number in (0, 1, 2) if (copy := _copy_of(number)) is not None}
    try:
        yield
    finally:
        for number, copy in kept.items():
            try:
                if not _is_one_file(number, copy):
                    os.dup2(copy, number)
                os.close(copy)
            except OSError:
                pass  # the script has closed all descriptors


def _copy_of(number: int) -> int | None:
    try:
        return above_streams(os.dup(number))
    except OSError:  # it is closed
        return None


def _is_one_file(number: int, other: int) -> bool:
    try:
        return os.path.samestat(os.fstat(number), os.fstat(other))
    except OSError:
        return False


def standard_streams() -> list[Any]:
    """``sys.stdout`` and ``sys.stderr``; a script may have deleted them."""
    return [getattr(sys, name, None) for name in ("stdout", "stderr")]


def flush(stream: Any) -> None:
    """Flush *stream*, whatever it is: it may be closed, or None."""
    try:
        stream.flush()
    except Exception:  # of a script's own class, too
        pass  # as for every process that ends with a closed stream


def _is_plain(stream: Any) -> bool:
    """Whether *stream* is as Python makes them: neither replaced, nor closed."""
    try:
        return type(stream) is io.TextIOWrapper and not stream.closed and stream.fileno() >= 0
    except (OSError, ValueError):
        return False


def _let_go(stream: io.TextIOWrapper) -> None:
    """Close *stream*, of the script, if it writes to a standard descriptor: the garbage collector
    would close it later, with the buffer or the descriptor that it shares with the caller's.
    """
    try:
        if stream.fileno() in (1, 2):
            stream.close()
    except (OSError, ValueError):  # it is closed, has no descriptor, or its reader has ended
        pass


_ATTRIBUTES = (
    "argv", "stdin", "stdout", "stderr", "excepthook", "displayhook", "unraisablehook",
    "breakpointhook", "dont_write_bytecode", "tracebacklimit", "ps1", "ps2", "pycache_prefix",
    "last_type", "last_value", "last_traceback", "last_exc",
)  # fmt: skip
_HOOKS = ("meta_path", "path_hooks")
_LISTS = ("path", *_HOOKS)


def _keep_hooks(hooks: list[Any], left: list[Any], known: Collection[str]) -> None:
    """Keep, in *hooks* of the caller, those that libraries have added while a script imported them
    for the first time: they stay loaded, and will not add them again. *left* are the script's, and
    *known* the modules that the caller had.
    """

    def is_library(hook: Any) -> bool:
        name = str(getattr(hook, "__module__", ""))
        module = sys.modules.get(name)
        return module is not None and name not in known and not is_users(name, module)

    new = [one for one in left if not any(one is other for other in hooks) and is_library(one)]
    first = next((place for place, one in enumerate(left) if any(one is two for two in hooks)), 0)
    for one in new:
        at_top = any(one is other for other in left[:first])
        hooks.insert(0 if at_top else len(hooks), one)


def read_state() -> list[Any]:
    """The state of this process, part by part."""
    return [read() for read, _ in _PARTS]


def write_state(state: list[Any]) -> None:
    """Restore a state that ``read_state`` has returned."""
    for (_, write), value in zip(_PARTS, state):
        write(value)


def _list(module: ModuleType, name: str) -> _Part:
    """The list itself and its content."""

    def read() -> tuple[list[object], list[object]]:
        value = getattr(module, name)
        return value, list(value)

    def write(value: tuple[list[object], list[object]]) -> None:
        value[0][:] = value[1]
        setattr(module, name, value[0])

    return read, write


_Part = tuple[Callable[[], Any], Callable[[Any], object]]
"""What reads a part of the state, and what restores it."""

_PARTS: tuple[_Part, ...] = (
    attributes_part(*((sys, name) for name in _ATTRIBUTES)),
    attributes_part(
        (warnings, "showwarning"), (warnings, "formatwarning"), (threading, "excepthook")
    ),
    *(_list(sys, name) for name in _LISTS),
    (_list(warnings, "filters")[0], lambda value: write_filters(*value)),
    (read_folder, write_folder),
    (read_environment, write_environment),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (read_builtins, write_builtins),
    (read_umask, os.umask),
    (read_tracers, write_tracers),
    (read_collector, write_collector),
    (read_digits, write_digits),
    (read_stack, threading.stack_size),
    *SYSTEM_PARTS,
    (read_libraries, write_libraries),
    (read_streams, write_streams),
    (read_signals, write_signals),
)


@contextmanager
def outside_loop() -> Iterator[None]:
    """Inside, this thread has no running loop and its own loop policy: ``asyncio.run`` and
    ``get_event_loop`` do what they do at the start of a process.

    The loop that was running waits, as for every function that it calls.
    """
    if "asyncio" in sys.modules:
        with _no_running_loop(), _own_policy():
            yield
    else:  # then no loop is running either
        yield


@contextmanager
def _no_running_loop() -> Iterator[None]:
    import asyncio

    loop: Any = asyncio._get_running_loop()
    if loop is None:
        yield
        return
    task: Any = asyncio.current_task(loop)
    if task is not None:
        asyncio._leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if task is not None:
            asyncio._enter_task(loop, task)


@contextmanager
def _own_policy() -> Iterator[None]:
    from asyncio import events

    # Python 3.14 warns of the public names and uses these itself.
    read = getattr(events, "_get_event_loop_policy", events.get_event_loop_policy)
    write = getattr(events, "_set_event_loop_policy", events.set_event_loop_policy)
    policy = read()
    write(None)
    try:
        yield
    finally:
        write(policy)
