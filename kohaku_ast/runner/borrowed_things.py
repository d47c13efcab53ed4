"""The things of a process that a script borrows: how each is read and put back."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from kohaku_ast.runner import borrowed_interpreter as interpreter

try:
    import _signal  # type: ignore[import-not-found]  # the enums of signal cost more than a short run
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
    interpreter.read_time_zone()


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
    (interpreter.read_builtins, interpreter.write_builtins),
    (interpreter.read_umask, interpreter.write_umask),
    (interpreter.read_tracers, interpreter.write_tracers),
    (interpreter.read_collector, interpreter.write_collector),
    (interpreter.read_alarm, interpreter.write_alarm),
    (interpreter.read_streams, interpreter.write_streams),
    (_read_signals, _write_signals),
)
