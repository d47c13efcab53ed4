"""What the code of a config does to the process, kept away from the script.

The working folder, the environment, streams, hooks, signal handlers, loggers and seeds that a
config has set are in force only while its code runs, which may be several times (a generator).
docs/reference/config-files.md lists all of it.

State of this process: all of this is changed while code of a config runs.
"""

from __future__ import annotations

import _thread
import _warnings
import builtins
import functools
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from kohaku_ast.frames import contextmanager, say

try:
    import _signal  # type: ignore[import-not-found]  # the enums of signal cost more than a config
except ImportError:
    import signal as _signal


class Process:
    """What the code of one config has set in this process."""

    def __init__(self) -> None:
        self._own: list[Any] | None = None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Inside, the process is as the config's code has left it; afterwards as it was."""
        host = _read()
        if self._own is not None:
            _write(self._own)
        try:
            yield
        finally:
            self._own = _read()
            _write(host)


def _read() -> list[Any]:
    return [read() for read, _ in _PARTS]


def _write(state: list[Any]) -> None:
    for (_, write), value in zip(_PARTS, state):
        write(value)


def read_folder() -> str:
    """The working folder; empty if it has been removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def write_folder(folder: str) -> None:
    """Return to *folder*. If it has been removed, be in a removed folder, as a program is that
    Python starts there: to stay where a run has gone would let the next one read, and remove,
    files in a folder that nobody has named.
    """
    try:
        os.chdir(folder)
    except OSError:
        import tempfile  # seldom needed

        gone = tempfile.mkdtemp(prefix="kogine-gone-")
        os.chdir(gone)
        os.rmdir(gone)


def read_environment() -> dict[Any, Any]:
    """The environment, as bytes: decoding all of them would take ten times as long."""
    return dict(getattr(os.environ, "_data", os.environ))


def write_environment(before: dict[Any, Any]) -> None:
    """Restore an environment that ``read_environment`` has returned."""
    if read_environment() == before:
        return
    decode = getattr(os.environ, "decodekey", str)
    names = {decode(name) if isinstance(name, bytes) else name: name for name in before}
    for name in [name for name in os.environ if name not in names]:
        del os.environ[name]
    for name, key in names.items():
        value = os.fsdecode(before[key])
        if os.environ.get(name) != value:
            os.environ[name] = value
    if hasattr(time, "tzset"):
        time.tzset()  # the C library has the time zone of the other environment


def read_builtins() -> dict[str, Any]:
    """The names of builtins, where programs put their own ``print``."""
    return dict(vars(builtins))


def write_builtins(before: dict[str, Any]) -> None:
    """Restore the old names. New ones stay: a library may have added them, which it does once."""
    names = vars(builtins)
    if names != before:
        names.update(before)


def read_collector() -> tuple[bool, tuple[int, ...]]:
    """Whether the garbage collector is on, and how often it runs."""
    return gc.isenabled(), gc.get_threshold()


def write_collector(before: tuple[bool, tuple[int, ...]]) -> None:
    """Restore what ``read_collector`` has returned."""
    (gc.enable if before[0] else gc.disable)()
    gc.set_threshold(*before[1])


def read_digits() -> int:
    """How many digits an int read from text may have; 0 in a Python without the limit."""
    return getattr(sys, "get_int_max_str_digits", int)()


def write_digits(before: int) -> None:
    """Restore what ``read_digits`` has returned."""
    if before != read_digits():
        sys.set_int_max_str_digits(before)


def read_stack() -> int:
    """The size of the stack of new threads; the only way to read it is to set it."""
    size = _thread.stack_size()
    return _thread.stack_size(size) or size


def read_umask() -> int:
    """The umask; the only way to read it is to set it."""
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def _read_alarm() -> float:
    """Seconds until SIGALRM arrives; 0 without an alarm."""
    read = getattr(_signal, "getitimer", None)
    return float(read(_signal.ITIMER_REAL)[0]) if read else 0.0


def _write_alarm(before: float) -> None:
    """Cancel the alarm of what ran, as the end of a process does; not the caller's own."""
    if not before and _read_alarm():
        _signal.setitimer(_signal.ITIMER_REAL, 0)


def _read_mask() -> set[int] | None:
    """The signals that are blocked in this thread."""
    mask = getattr(_signal, "pthread_sigmask", None)
    return mask(_signal.SIG_BLOCK, ()) if mask else None


def _write_mask(before: set[int] | None) -> None:
    if before is not None:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)


def _read_priority() -> int:
    """The niceness of the process."""
    return os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0


def _write_priority(before: int) -> None:
    if before != _read_priority():
        try:
            os.setpriority(os.PRIO_PROCESS, 0, before)
        except OSError:
            _say_stays("the priority (os.nice)")


def _read_cores() -> set[int]:
    """The cores that the process may use."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _write_cores(before: set[int]) -> None:
    if before != _read_cores():
        os.sched_setaffinity(0, before)


@functools.cache
def _resource() -> Any:
    """The module ``resource``, which a script that does not import it does not find loaded; None if
    the system has none. Cached: each inline run asks three times, and would load it anew.
    """
    is_loaded = "resource" in sys.modules
    try:
        import resource
    except ImportError:
        return None
    if not is_loaded:
        del sys.modules["resource"]
    return resource


@functools.cache
def _limit_numbers() -> list[tuple[str, int]]:
    names = [name for name in dir(_resource()) if name.startswith("RLIMIT_")]
    return [(name, getattr(_resource(), name)) for name in names]


def _read_limits() -> dict[str, tuple[int, int]]:
    """The limits of resources by name, each as it is in force and at most."""
    module = _resource()
    return {name: module.getrlimit(number) for name, number in _limit_numbers()}


def _write_limits(before: dict[str, tuple[int, int]]) -> None:
    now = _read_limits()
    for name, limit in before.items():
        if limit != now.get(name):
            module = _resource()
            try:
                module.setrlimit(getattr(module, name), limit)
            except (OSError, ValueError):
                _say_stays(f"the limit {name}")


def _say_stays(what: str) -> None:
    """Say that what ran has changed *what* for good: only root could raise it again."""
    say(
        f"kogine: warning: {what} was lowered by a config, or by a run in this process, and cannot "
        "be raised again: what runs next has it, too. Set it in the script, in a process of its "
        "own (--mode spawn)\n"
    )


def _read_faults() -> bool | None:
    """Whether ``faulthandler`` is on; None as long as the module is not loaded."""
    module: Any = sys.modules.get("faulthandler")
    return None if module is None else bool(module.is_enabled())


def _write_faults(before: bool | None) -> None:
    module: Any = sys.modules.get("faulthandler")
    if module is None or before == module.is_enabled():
        return
    if before:
        module.enable()
        return
    module.disable()
    if before is None:  # whoever had loaded it may have these in use
        module.cancel_dump_traceback_later()


def _return_to(folder: str) -> None:
    if folder != read_folder():
        write_folder(folder)


def _set_limit(limit: int) -> None:
    if limit != sys.getrecursionlimit():
        sys.setrecursionlimit(limit)


_ATTRIBUTES = (
    "argv", "stdin", "stdout", "stderr", "excepthook", "displayhook", "unraisablehook",
    "breakpointhook", "tracebacklimit", "ps1", "ps2", "pycache_prefix",
)  # fmt: skip


def attributes_part(*modules_and_names: tuple[Any, str]) -> _Part:
    """What reads these attributes of modules, and what restores them; some may not exist."""

    def write(values: list[object]) -> None:
        for (module, name), value in zip(modules_and_names, values):
            if value is not _DELETED:
                setattr(module, name, value)
            elif hasattr(module, name):
                delattr(module, name)

    return lambda: [getattr(one, name, _DELETED) for one, name in modules_and_names], write


_DELETED = object()
"""Stands for an attribute that does not exist."""


def _write_argv(words: list[str]) -> None:
    sys.argv[:] = words


def _read_filters() -> tuple[list[Any], list[Any], Any]:
    """The list of the filters of warnings, its content, and how warnings are shown: None as long as
    the module is not loaded.
    """
    module: Any = sys.modules.get("warnings")
    filters = _warnings.filters if module is None else module.filters
    shows = (module.showwarning, module.formatwarning) if module else None
    return filters, list(filters), shows


def write_filters(filters: list[Any], content: list[Any]) -> None:
    """Restore the list of the filters of warnings, once that module is loaded."""
    module: Any = sys.modules["warnings"]
    module.resetwarnings()  # the only public way to have modules read the filters again
    filters[:] = content
    module.filters = filters


def _return_filters(before: tuple[list[Any], list[Any], Any]) -> None:
    module: Any = sys.modules.get("warnings")
    if module is None or _read_filters() == before:
        return
    filters, content, shows = before
    write_filters(filters, content)
    own = shows or (module._showwarning_orig, module._formatwarning_orig)
    module.showwarning, module.formatwarning = own


_SIGNALS = tuple(map(int, _signal.valid_signals()))


def read_signals() -> tuple[dict[int, Any], int] | None:
    """The handlers of all signals and the descriptor that wakes an event loop; None in a thread
    other than the main one, where none of them can be set.
    """
    try:
        wakeup = _signal.set_wakeup_fd(-1)
    except ValueError:
        return None
    _signal.set_wakeup_fd(wakeup)
    return {one: _signal.getsignal(one) for one in _SIGNALS}, wakeup


def write_signals(before: tuple[dict[int, Any], int] | None) -> None:
    """Restore what ``read_signals`` has returned."""
    if before is None:
        return
    handlers, wakeup = before
    for one, handler in handlers.items():
        if handler is not None and _signal.getsignal(one) is not handler:
            _signal.signal(one, handler)
    _signal.set_wakeup_fd(wakeup)  # an event loop of the script takes it from that of a notebook


_WITH_STATE = {
    "logging", "random", "numpy", "torch", "jax", "matplotlib", "pandas", "sklearn", "decimal",
    "locale", "multiprocessing", "socket", "tempfile", "csv",
}  # fmt: skip
"""Modules whose state library_state.py knows; where none is loaded, that file is not either."""


def _read_libraries() -> tuple[dict[int, Any], Any, set[str]] | None:
    loaded = _WITH_STATE & sys.modules.keys()
    if not loaded:
        return None
    from kohaku_ast.config.library_state import read_libraries, read_logging

    return read_libraries(), read_logging(), {*sys.modules}


def _write_libraries(before: tuple[dict[int, Any], Any, set[str]] | None) -> None:
    if not _WITH_STATE & sys.modules.keys():
        return
    from kohaku_ast.config.library_state import (
        NO_LOGGING,
        begin_libraries,
        write_libraries,
        write_logging,
    )

    libraries, loggers, modules = before or ({}, NO_LOGGING, set())
    write_libraries(libraries)
    write_logging(loggers)
    begin_libraries(modules)  # a program that imports it next gets numbers of its own


_Part = tuple[Callable[[], Any], Callable[[Any], object]]
"""What reads a part of the state, and what restores it."""

SYSTEM_PARTS: tuple[_Part, ...] = (
    (_read_alarm, _write_alarm),
    (_read_mask, _write_mask),
    (_read_priority, _write_priority),
    (_read_cores, _write_cores),
    (_read_limits, _write_limits),
    (_read_faults, _write_faults),
)
"""What the system knows of the process."""

_PARTS: tuple[_Part, ...] = (
    (read_folder, _return_to),
    (read_environment, write_environment),
    (sys.getrecursionlimit, _set_limit),
    attributes_part(*((sys, name) for name in _ATTRIBUTES)),
    (lambda: list(sys.argv), _write_argv),
    (sys.getswitchinterval, sys.setswitchinterval),
    (read_collector, write_collector),
    (read_digits, write_digits),
    (read_stack, _thread.stack_size),
    (read_umask, os.umask),
    (read_builtins, write_builtins),
    (_read_filters, _return_filters),
    (read_signals, write_signals),
    *SYSTEM_PARTS,
    (_read_libraries, _write_libraries),
)
