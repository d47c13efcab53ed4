"""Settings of the interpreter that a script borrows: how each is read and put back."""

from __future__ import annotations

import builtins
import gc
import io
import os
import sys
import threading
import time
from typing import Any

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
