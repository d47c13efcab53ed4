"""What all views of progress bars share: the bars that are open, and what a bar says as text.

State of this process: the open bars, outermost first, and the lock for them.
"""

from __future__ import annotations

import os
from _thread import RLock
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Bar(Protocol):
        """A progress bar, as its view sees it."""

        n: float
        total: float | None
        desc: str
        postfix: str
        unit: str
        unit_scale: bool | float
        unit_divisor: int
        leave: bool | None
        disable: bool
        view: View | None
        #: The thread that has made it, and whether a ``for`` loop moves it.
        thread: int
        is_in_loop: bool
        #: The value of ``n``, and the part of that item that a bar inside of it has done.
        part: tuple[float, float]

        @property
        def elapsed(self) -> float:
            """Seconds since its start."""

        @property
        def rate(self) -> float | None:
            """Items a second."""

        def close(self) -> None:
            """End the bar."""

        def leave_to_parent(self) -> None:
            """Show nothing any more: this process was forked."""

    class View(Protocol):
        """Shows bars; each method is called with ``lock`` held."""

        #: Seconds between two calls of ``show`` for one bar.
        interval: float

        def open(self, bar: Bar) -> None:
            """Begin to show *bar*."""

        def show(self, bar: Bar, is_forced: bool) -> bool:
            """Show the state of *bar*; whether that was done. *is_forced*: it is not that the time
            has come, but the user has changed something.
            """

        def close(self, bar: Bar) -> None:
            """Show the last state of *bar*, or nothing of it any more (``leave``)."""


lock = RLock()
"""Held while bars are opened, painted and closed; a forked process has another one."""
_open: list[ref[Any]] = []
on_fork: list[Callable[[], None]] = []
"""Called in a forked process: what is shown there is its parent's."""
_is_watched = False


def open_bars() -> list[Bar]:
    """The open bars, in the order in which they were made."""
    return [bar for one in _open if (bar := one()) is not None]


def add_bar(bar: Bar) -> None:
    """Add *bar* to the open ones, until it is closed or nobody has it any more."""
    _watch_process()
    _open.append(ref(bar))


def remove_bar(bar: Bar) -> None:
    """Take *bar* off the open ones."""
    _open[:] = [one for one in _open if one() not in (None, bar)]


def close_all(only_loops: bool = False) -> None:
    """Close the open bars, the inner ones first; or those of ``for`` loops alone."""
    for bar in reversed(open_bars()):
        if bar.is_in_loop or not only_loops:
            bar.close()


def _watch_process() -> None:
    """Close the bars at the end of this process, and leave them alone in forked ones."""
    global _is_watched
    if not _is_watched:
        _is_watched = True
        import atexit

        atexit.register(close_all)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    global lock
    lock = RLock()  # another thread of the parent may have held it
    for bar in open_bars():
        bar.leave_to_parent()
    _open.clear()
    for forget in on_fork:
        forget()


# --- texts ---------------------------------------------------------------------------------------


def line_of(bar: Bar, encoding: str | None = "utf-8", more: str = "") -> str:
    """A line as tqdm prints it: ``train:  45%|####5     | 45/100 [00:12<00:15, 3.60it/s]``."""
    part = share_of(bar)
    meter = "" if part is None else f"{part:4.0%}|{_meter(part, encoding)}| "
    return f"{prefix_of(bar)}{meter}{stats_of(bar, more)}"


def prefix_of(bar: Bar) -> str:
    """``train: ``, or nothing without a description."""
    desc = bar.desc.rstrip()
    return desc and f"{desc}{'' if desc.endswith(':') else ':'} "


def share_of(bar: Bar) -> float | None:
    """The share of *bar* that is done, from 0 to 1; None if that is not known."""
    if not bar.total or bar.n >= bar.total + 0.5:
        return None
    return max(0.0, min(1.0, bar.n / bar.total))


def stats_of(bar: Bar, more: str = "") -> str:
    """``45/100 [00:12<00:15, 3.60it/s, loss=0.1]``, and *more* names and values."""
    rate, part = bar.rate, share_of(bar)
    count, left = counts_of(bar), ""
    if part is not None:
        assert bar.total is not None
        left = "<" + ("?" if rate is None else _time_text(max(0.0, bar.total - bar.n) / rate))
    parts = filter(None, [f"{_time_text(bar.elapsed)}{left}", rate_text(bar), bar.postfix, more])
    return f"{count} [{', '.join(parts)}]"


def counts_of(bar: Bar) -> str:
    """``45/100``; ``45it`` where the total is not known."""
    if share_of(bar) is None:
        return f"{_size(bar, bar.n)}{bar.unit}"
    return f"{_size(bar, bar.n)}/{_size(bar, bar.total or 0)}"


def rate_text(bar: Bar) -> str:
    """``3.60it/s``, or ``1.20s/it`` for a slow one."""
    rate = bar.rate
    if rate is None:
        return f"?{bar.unit}/s"
    if rate < 1 and not bar.unit_scale:
        return f"{1 / rate:.2f}s/{bar.unit}"
    return f"{_size(bar, rate) if bar.unit_scale else f'{rate:.2f}'}{bar.unit}/s"


def _size(bar: Bar, number: float) -> str:
    if not bar.unit_scale:
        return f"{number:.6g}" if isinstance(number, float) else str(number)
    if bar.unit_scale is not True:
        number *= bar.unit_scale
    for prefix in ("", "k", "M", "G", "T", "P", "E", "Z"):
        if abs(number) < 999.5:
            digits = 2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0
            return f"{number:.{digits}f}{prefix}"
        number /= bar.unit_divisor
    return f"{number:.1f}Y"


def _meter(part: float, encoding: str | None, width: int = 10) -> str:
    full = int(part * width)
    is_utf = "utf" in (encoding or "").lower()
    marks = " ▏▎▍▌▋▊▉█" if is_utf else " 123456789#"
    between = marks[int((part * width - full) * (len(marks) - 1))] if full < width else ""
    return (marks[-1] * full + between).ljust(width)


def _time_text(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"
