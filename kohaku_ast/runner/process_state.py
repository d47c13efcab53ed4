"""What a script that runs inside this process borrows of it, and how it is given back.

Threads that go on and what a script does to libraries are not borrowed.

Without this, ``logging.basicConfig`` would do nothing from the second run on, and a handler that
a script adds would write every line twice.
"""

from __future__ import annotations

import builtins
import gc
import io
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kohaku_ast.runner.children import give_back, hand_on, spawners
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.local_modules import MAINS, LocalModules, find_local
from kohaku_ast.transform.program.bound_program import Prepared

if TYPE_CHECKING:
    import logging


class Borrowed:
    """The process, lent to one script as often as it needs it.

    The script's own side is kept in between: its guard finds ``sys.path``, its handlers and its
    modules as its module body left them. Not for two threads at once.
    """

    def __init__(
        self,
        module: ModuleType,
        launch: Launch,
        prepared: Prepared,
        argv: Sequence[str],
        local: LocalModules | None = None,
    ) -> None:
        """*local* remembers from run to run which modules are the script's own."""
        self.module, self.launch, self.prepared = module, launch, prepared
        self.argv = list(argv)
        self.local = local or LocalModules(launch.path0)
        #: The script's side: None until it has run for the first time.
        self.state: list[Any] | None = None
        #: The modules that are the script's own.
        self.modules: dict[str, ModuleType] = {}

    @contextmanager
    def inside(self) -> Iterator[None]:
        """``__main__``, ``sys.argv``, ``sys.path`` and all the rest are the script's inside."""
        with (
            outside_loop(),
            own_logging(),
            self._modules(),
            self._state(),
            handed_on(self.prepared),
        ):
            yield

    @contextmanager
    def _state(self) -> Iterator[None]:
        host = read_things()
        try:
            if self.state is None:
                self._start()
            else:
                write_things(self.state)
            yield
        finally:
            self.state = read_things()
            write_things(host)

    def _start(self) -> None:
        sys.argv = self.argv
        sys.path.insert(0, self.launch.path0)
        sys.path_importer_cache.pop(self.launch.path0, None)  # files may have been added since

    @contextmanager
    def _modules(self) -> Iterator[None]:
        """Modules of the script's own folder that this process has imported are hidden inside,
        and those that the script imports are forgotten after; libraries stay.
        """
        host = dict(sys.modules)
        for name in self.local.find(host):
            del sys.modules[name]
        sys.modules.update(self.modules)
        for name in MAINS:
            if name in host:
                sys.modules[name] = self.module
        try:
            yield
        finally:
            self.modules = _changed(host, self.launch.path0)
            for name in self.modules:
                del sys.modules[name]
            sys.modules.update(host)


@contextmanager
def handed_on(prepared: Prepared) -> Iterator[None]:
    """The overrides are in force in modules and children inside."""
    finders, functions = list(sys.meta_path), spawners()
    give_back({})  # another script may be running: its children are not ours
    hand_on(prepared)
    added = [one for one in sys.meta_path if one not in finders]
    try:
        yield
    finally:
        sys.meta_path[:] = [one for one in sys.meta_path if one not in added]
        give_back(functions)


def _changed(host: Mapping[str, ModuleType], folder: str) -> dict[str, ModuleType]:
    """The modules that are not as in *host*, less the libraries that are new."""
    now = dict(sys.modules)
    if now | {name: host[name] for name in MAINS if name in host} == host:
        return {}  # quickly: of a short run, looking at each of a thousand is a tenth
    new = {name: module for name, module in now.items() if name not in host}
    local = find_local(new, folder)
    return {
        name: module
        for name, module in now.items()
        if name in local or host.get(name, module) is not module
    }


try:
    import _signal  # type: ignore[import-not-found]  # the enums of signal cost more than a short run
except ImportError:
    import signal as _signal

_Streams = list[tuple[io.TextIOWrapper, tuple[Any, ...]]]


def read_builtins() -> dict[str, Any]:
    """What is in builtins: scripts put their own ``print`` there."""
    return dict(vars(builtins))


def write_builtins(before: dict[str, Any]) -> None:
    """Make it that again. New names stay: a library that is imported once may have added them."""
    names = vars(builtins)
    if names != before:
        names.update(before)


def read_umask() -> int:
    """The one way to read it is to set it."""
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def write_umask(mask: int) -> None:
    """For the files of the next run."""
    os.umask(mask)


def read_tracers() -> tuple[Any, ...]:
    """Functions that a debugger or profiler has set, for this thread and for new ones."""
    return sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()


def write_tracers(before: tuple[Any, ...]) -> None:
    """Set them again, if they are others now."""
    setters = sys.settrace, sys.setprofile, threading.settrace, threading.setprofile
    for now, wanted, set_ in zip(read_tracers(), before, setters):
        if now is not wanted:
            set_(wanted)


def read_collector() -> bool:
    """Whether garbage is collected."""
    return gc.isenabled()


def write_collector(is_enabled: bool) -> None:
    """Go on with it, or not."""
    (gc.enable if is_enabled else gc.disable)()


def read_alarm() -> float:
    """Seconds until SIGALRM comes; 0 if it does not."""
    read = getattr(_signal, "getitimer", None)
    return float(read(_signal.ITIMER_REAL)[0]) if read else 0.0


def write_alarm(before: float) -> None:
    """An alarm ends with its process. The caller's own has gone on meanwhile, and is left."""
    if not before and read_alarm():
        _signal.setitimer(_signal.ITIMER_REAL, 0)


def read_time_zone() -> None:
    """From an environment that has been put back: the C library keeps what it had read."""
    if hasattr(time, "tzset"):
        time.tzset()


def read_streams() -> _Streams:
    """How standard output and error write."""
    found = [one for one in (sys.stdout, sys.stderr) if type(one) is io.TextIOWrapper]
    return [(one, _manner(one)) for one in found if not one.closed]


def write_streams(before: _Streams) -> None:
    """As before ``reconfigure``."""
    for stream, manner in before:
        if not stream.closed and _manner(stream) != manner:
            names = ("encoding", "errors", "line_buffering", "write_through")
            stream.reconfigure(**dict(zip(names, manner)))


def _manner(stream: io.TextIOWrapper) -> tuple[Any, ...]:
    return stream.encoding, stream.errors, stream.line_buffering, stream.write_through


_Whole = tuple[int, Any]
"""What ``logging.disable`` was given, and what ``logging.captureWarnings`` has put away."""

_NAMES = ("level", "handlers", "filters", "propagate", "disabled")


@contextmanager
def own_logging() -> Iterator[None]:
    """Loggers are after the block as they were before it. Those of libraries that were imported
    in it stay as the library made them: it will not be imported again.
    """
    before, whole = _read() if "logging" in sys.modules else ({}, (0, None))
    try:
        yield
    finally:
        if "logging" in sys.modules:
            _write(before, whole)


def _loggers() -> dict[str, logging.Logger]:
    import logging

    named = logging.Logger.manager.loggerDict
    found = {name: one for name, one in named.items() if isinstance(one, logging.Logger)}
    return {"": logging.root, **found}


def _read() -> tuple[dict[str, list[Any]], _Whole]:
    """Of each logger its set-up, and what holds for all of them."""
    import logging

    loggers = _loggers()
    state = {name: [_copy(vars(one)[key]) for key in _NAMES] for name, one in loggers.items()}
    captured = getattr(logging, "_warnings_showwarning", None)
    return state, (loggers[""].manager.disable, captured)


def _copy(value: object) -> object:
    return list(value) if isinstance(value, list) else value


def _write(before: dict[str, list[Any]], whole: _Whole) -> None:
    import logging

    loggers, (disabled, captured) = _loggers(), whole
    if loggers[""].manager.disable != disabled:
        logging.disable(disabled)
    vars(logging)["_warnings_showwarning"] = captured
    for name, logger in loggers.items():
        if name in before:
            _set(logger, before[name])
        elif not name or name.partition(".")[0] not in sys.modules:
            _set(logger, [30 if not name else 0, [], [], True, False])  # 30: WARNING


def _set(logger: logging.Logger, values: list[Any]) -> None:
    now = vars(logger)
    if [now[key] for key in _NAMES] == values:
        return
    for key, value in zip(_NAMES, values):
        now[key] = _copy(value)
    logger.manager._clear_cache()  # type: ignore[attr-defined]  # what isEnabledFor remembers


try:
    import _signal  # the enums of signal cost more than a short run
except ImportError:
    import signal as _signal

_SIGNALS = tuple(map(int, signal.valid_signals()))

_ATTRIBUTES = (
    "argv", "stdin", "stdout", "stderr", "excepthook", "displayhook", "unraisablehook",
    "breakpointhook", "dont_write_bytecode",
)  # fmt: skip
_LISTS = ("path", "meta_path", "path_hooks")


def read_things() -> list[Any]:
    """What all borrowed things are now."""
    return [read() for read, _ in _THINGS]


def write_things(state: list[Any]) -> None:
    """Make all of them what ``read_things`` gave."""
    for (_, write), value in zip(_THINGS, state):
        write(value)


def _attributes(*modules_and_names: tuple[ModuleType, str]) -> _Thing:
    def write(values: list[object]) -> None:
        for (module, name), value in zip(modules_and_names, values):
            setattr(module, name, value)

    return lambda: [getattr(module, name) for module, name in modules_and_names], write


def _list(module: ModuleType, name: str) -> _Thing:
    """The very list and what is in it."""

    def read() -> tuple[list[object], list[object]]:
        found = getattr(module, name)
        return found, list(found)

    def write(value: tuple[list[object], list[object]]) -> None:
        value[0][:] = value[1]
        setattr(module, name, value[0])

    return read, write


def _read_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it has been removed: there is none to come back to
        return ""


def _write_folder(folder: str) -> None:
    try:
        os.chdir(folder)
    except FileNotFoundError:
        pass


def _write_filters(value: tuple[list[Any], list[Any]]) -> None:
    warnings.resetwarnings()  # the one public way to have modules ask again
    value[0][:] = value[1]
    warnings.filters = value[0]


def _read_environment() -> dict[Any, Any]:
    # What it keeps inside is bytes: decoding all of it would take ten times as long.
    return dict(getattr(os.environ, "_data", os.environ))


def _write_environment(before: dict[Any, Any]) -> None:
    if _read_environment() == before:
        return
    decode = getattr(os.environ, "decodekey", str)
    names = {decode(name) if isinstance(name, bytes) else name: name for name in before}
    for name in [name for name in os.environ if name not in names]:
        del os.environ[name]
    for name, key in names.items():
        value = os.fsdecode(before[key])
        if os.environ.get(name) != value:
            os.environ[name] = value
    read_time_zone()


def _read_signals() -> tuple[dict[int, Any], int] | None:
    if threading.current_thread() is not threading.main_thread():
        return None  # nobody can set them there
    wakeup = _signal.set_wakeup_fd(-1)
    _signal.set_wakeup_fd(wakeup)
    return {one: _signal.getsignal(one) for one in _SIGNALS}, wakeup


def _write_signals(value: tuple[dict[int, Any], int] | None) -> None:
    if value is None:
        return
    handlers, wakeup = value
    for one, handler in handlers.items():
        if handler is not None and _signal.getsignal(one) is not handler:
            _signal.signal(one, handler)
    _signal.set_wakeup_fd(wakeup)  # an event loop of the script takes it from a notebook's


_Thing = tuple[Callable[[], Any], Callable[[Any], None]]
"""What reads a borrowed thing, and what puts it back."""

_THINGS: tuple[_Thing, ...] = (
    _attributes(*((sys, name) for name in _ATTRIBUTES)),
    _attributes((warnings, "showwarning"), (warnings, "formatwarning")),
    *(_list(sys, name) for name in _LISTS),
    (_list(warnings, "filters")[0], _write_filters),
    (_read_folder, _write_folder),
    (_read_environment, _write_environment),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (read_builtins, write_builtins),
    (read_umask, write_umask),
    (read_tracers, write_tracers),
    (read_collector, write_collector),
    (read_alarm, write_alarm),
    (read_streams, write_streams),
    (_read_signals, _write_signals),
)


@contextmanager
def outside_loop() -> Iterator[None]:
    """Inside, this thread has no running loop and a loop policy of its own: ``asyncio.run`` and
    ``get_event_loop`` do what they do at the start of a process.

    The loop that was running waits, as it does for every function that it calls.
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

    # Python 3.14 warns of the public names and has these for itself.
    read = getattr(events, "_get_event_loop_policy", events.get_event_loop_policy)
    write = getattr(events, "_set_event_loop_policy", events.set_event_loop_policy)
    policy = read()
    write(None)
    try:
        yield
    finally:
        write(policy)
