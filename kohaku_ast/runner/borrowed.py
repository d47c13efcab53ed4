"""What a script that runs inside this process borrows of it, and how it is given back.

``os.environ``, threads, ``atexit`` and what a script does to libraries are not borrowed.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from kohaku_ast.runner.children import give_back, hand_on, spawners
from kohaku_ast.runner.event_loop import outside_loop
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.prepared import Prepared

_ATTRIBUTES = (
    "argv", "stdin", "stdout", "stderr", "excepthook", "displayhook", "unraisablehook",
    "breakpointhook",
)  # fmt: skip
_LISTS = ("path", "meta_path", "path_hooks")
_MAINS = ("__main__", "__mp_main__")
_OURS = ("kohaku_ast", "kogine")


class Borrowed:
    """The process, lent to one script as often as it needs it.

    The script's own side is kept in between: its guard finds ``sys.path``, its handlers and its
    modules as its module body left them. Not for two threads at once.
    """

    def __init__(self, module: ModuleType, launch: Launch, prepared: Prepared) -> None:
        self.module, self.launch, self.prepared = module, launch, prepared
        #: The script's side: None until it has run for the first time.
        self.state: list[Any] | None = None
        #: The modules that are the script's own.
        self.modules: dict[str, ModuleType] = {}

    @contextmanager
    def inside(self) -> Iterator[None]:
        """``__main__``, ``sys.argv``, ``sys.path`` and all the rest are the script's inside."""
        with outside_loop(), self._modules(), self._state(), _handed_on(self.prepared):
            yield

    @contextmanager
    def _state(self) -> Iterator[None]:
        host = _read()
        try:
            if self.state is None:
                self._start()
            else:
                _write(self.state)
            yield
        finally:
            self.state = _read()
            _write(host)

    def _start(self) -> None:
        sys.argv = self.launch.argv
        sys.path.insert(0, self.launch.path0)
        sys.path_importer_cache.pop(self.launch.path0, None)  # files may have been added since

    @contextmanager
    def _modules(self) -> Iterator[None]:
        """Modules of the script's own folder that this process has imported are hidden inside,
        and those that the script imports are forgotten after; libraries stay.
        """
        host = dict(sys.modules)
        for name in find_local(host, self.launch.path0):
            del sys.modules[name]
        sys.modules.update(self.modules)
        for name in _MAINS:
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
def _handed_on(prepared: Prepared) -> Iterator[None]:
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
    new = {name: module for name, module in now.items() if name not in host}
    local = find_local(new, folder)
    return {
        name: module
        for name, module in now.items()
        if name in local or host.get(name, module) is not module
    }


def find_local(modules: Mapping[str, ModuleType], folder: str) -> set[str]:
    """The names of those of *modules* that lie in *folder* and belong to no library."""
    is_local = _locator(folder)
    return {
        name
        for name, module in modules.items()
        if name not in _MAINS and name.partition(".")[0] not in _OURS and _lies(module, is_local)
    }


def _lies(module: ModuleType, is_local: Callable[[str], bool]) -> bool:
    """By its file; of a namespace package, all folders."""
    try:
        names = vars(module)
        places = [names["__file__"]] if names.get("__file__") else list(names.get("__path__", ()))
        return bool(places) and all(map(is_local, places))
    except (TypeError, AttributeError):  # anything can stand in sys.modules
        return False


def _locator(folder: str) -> Callable[[str], bool]:
    """Says whether a file is below *folder*. Asked for every module, so that it remembers."""
    top = os.path.join(os.path.realpath(folder), "")
    libraries = tuple(
        os.path.join(os.path.realpath(one), "") for one in set(sysconfig.get_paths().values())
    )
    known: dict[str, bool] = {}

    def is_local(file: str) -> bool:
        place = os.path.dirname(file)
        if place not in known:
            real = os.path.join(os.path.realpath(place), "")
            known[place] = real.startswith(top) and not _in_library(real, libraries, top)
        return known[place]

    return is_local


def _in_library(place: str, libraries: tuple[str, ...], top: str) -> bool:
    """Whether *place* is in an installed library that the script itself is no part of."""
    below = place[len(top) :].split(os.sep)
    inside = tuple(one for one in libraries if one.startswith(top))
    return "site-packages" in below or "dist-packages" in below or place.startswith(inside)


def _read() -> list[Any]:
    return [read() for read, _ in _THINGS]


def _write(state: list[Any]) -> None:
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


def _read_signals() -> tuple[dict[int, Any], int] | None:
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        return None  # nobody can set them there
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    return {one: signal.getsignal(one) for one in signal.valid_signals()}, wakeup


def _write_signals(value: tuple[dict[int, Any], int] | None) -> None:
    import signal

    if value is None:
        return
    handlers, wakeup = value
    for one, handler in handlers.items():
        if handler is not None and signal.getsignal(one) is not handler:
            signal.signal(one, handler)
    signal.set_wakeup_fd(wakeup)  # an event loop of the script takes it from a notebook's


_Thing = tuple[Callable[[], Any], Callable[[Any], None]]
"""What reads a borrowed thing, and what puts it back."""

_THINGS: tuple[_Thing, ...] = (
    _attributes(*((sys, name) for name in _ATTRIBUTES)),
    _attributes((warnings, "showwarning"), (warnings, "formatwarning")),
    *(_list(sys, name) for name in _LISTS),
    (_list(warnings, "filters")[0], _write_filters),
    (_read_folder, _write_folder),
    (_read_signals, _write_signals),
)
