"""``progress_bar`` and ``trange``: tqdm's everyday interface, for scripts however they run.

Where a bar is shown is chosen when it is made: on a terminal, in a notebook, as lines of text, or
in the live table of kogine. A bar looks at the clock once in 1 to 64 items, so that an item costs
far below 1 us.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident
from time import monotonic

from kohaku_ast.helpers import bar_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Any, Generic, TextIO, TypeVar, overload

    from kohaku_ast.helpers.bar_state import View

    T = TypeVar("T")

    class _Items(Generic[T]):
        """What a bar is iterated for."""
else:
    T = None

    class _Items:
        def __class_getitem__(cls, item):
            return cls


_FAST, _SLOW = 0.001, 0.02
_MOST_BETWEEN = 64
"""Items between two looks at the clock: so many may be slow before a fast loop's bar notices."""
_SMOOTHING = 0.3  # as in tqdm: weight of the newest rate
_FOR_LOOKS = frozenset(
    [
        "ascii",
        "bar_format",
        "colour",
        "delay",
        "dynamic_ncols",
        "gui",
        "lock_args",
        "maxinterval",
        "miniters",
        "ncols",
        "nrows",
        "position",
        "smoothing",
        "write_bytes",
    ]
)
"""Options of tqdm that say how a bar looks: they are taken, and change nothing here."""


class progress_bar(_Items[T]):  # noqa: N801  # it is used as a function, as tqdm is
    """An iterable that shows how far it is: ``for x in progress_bar(xs, desc="train"):``.

    Without an iterable it is moved by ``update``. Bars inside of others stand below them.
    """

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: progress_bar[T], iterable: Iterable[T], desc: str | None = None,
            total: float | None = None, **options: Any,
        ) -> None: ...  # fmt: skip

        @overload
        def __init__(
            self: progress_bar[Any], iterable: None = None, desc: str | None = None,
            total: float | None = None, **options: Any,
        ) -> None: ...  # fmt: skip

    def __init__(
        self,
        iterable: Iterable[T] | None = None,
        desc: str | None = None,
        total: float | None = None,
        *,
        unit: str = "it",
        unit_scale: bool | float = False,
        unit_divisor: int = 1000,
        disable: bool | None = False,
        leave: bool | None = True,
        file: TextIO | None = None,
        initial: float = 0,
        mininterval: float = 0.1,
        postfix: Mapping[str, object] | str | None = None,
        **others: object,
    ) -> None:
        """*total*: how many items there are, where the iterable has no length. *disable*: show
        nothing; None: only on a terminal. *leave*: the bar stays when it has ended; None: unless it
        is inside of another one. *file*: where it is shown, instead of stderr.

        Raises TypeError for an option that tqdm does not have.
        """
        _check_options(others)
        self.iterable, self.desc, self.unit = iterable, desc or "", unit
        self.unit_scale, self.unit_divisor, self.leave = unit_scale, unit_divisor, leave
        self.total = _length(iterable) if total is None else total
        if self.total == float("inf"):
            self.total = None
        #: How many items are done; and at the start.
        self.n = self.initial = initial
        self.postfix = postfix if isinstance(postfix, str) else _pairs(postfix or {})
        self.thread, self.mininterval = get_ident(), mininterval
        #: The part of an item that a bar inside of it has done, and the ``n`` that it is about.
        self.part: tuple[float, float] = (0.0, 0.0)
        self.is_in_loop = False
        self.view: View | None = None
        self.disable = disable is None or bool(disable)
        if disable is None or not disable:
            self._begin(file, only_terminal=disable is None)

    def _begin(self, file: TextIO | None, only_terminal: bool) -> None:
        self.view = choose_view(file, only_terminal)
        self.disable = self.view is None
        self._restart()
        if self.view is not None:
            with bar_state.lock:
                if self.leave is None:
                    self.leave = not bar_state.open_bars()
                bar_state.add_bar(self)
                self.view.open(self)

    def _restart(self) -> None:
        self._start = self._looked = self._rated = monotonic()
        self._ended = 0.0
        self._every, self._next = 1, self.n
        self._due, self._rated_n = self._looked + self._pace, self.n
        self._recent = (0.0, 0.0)  # items and seconds, the newest count most

    # --- moving ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[T]:
        if self.disable:
            yield from self.iterable  # type: ignore[misc]  # None: the TypeError of Python
            return
        self.is_in_loop = True
        try:
            for item in self.iterable:  # type: ignore[union-attr]
                yield item
                self.n = n = self.n + 1
                if n >= self._next:
                    self._look()
        except BaseException as error:
            # Of the iterable: its traceback goes from the loop to it, without this frame (3.11).
            BaseException.with_traceback(error, _below(error.__traceback__))
            raise
        finally:
            self.close()

    def update(self, n: float = 1) -> bool | None:
        """Move the bar by *n*; True if it was painted, else None."""
        if self.disable:
            return None
        self.n += n
        return True if (self.n >= self._next or n < 0) and self._look() else None

    def reset(self, total: float | None = None) -> None:
        """Begin anew at 0, for *total* items if it is given."""
        self.n = self.initial = 0
        if total is not None:
            self.total = None if total == float("inf") else total
        if not self.disable:
            self._restart()
            self.refresh()

    def close(self) -> None:
        """End the bar: nothing is shown of it any more after that, except its last state."""
        if self.disable:
            return
        self.disable, self._ended = True, monotonic()
        with bar_state.lock:
            if self.view is not None:
                self.view.close(self)
            bar_state.remove_bar(self)

    def _look(self) -> bool:
        """Look at the clock, and paint the bar if it is due."""
        now = monotonic()
        gap, self._looked = now - self._looked, now
        if gap < _FAST:
            self._every = min(_MOST_BETWEEN, self._every * 2)
        elif gap > _SLOW:
            self._every = 1
        self._next = self.n + self._every
        return now >= self._due and self._show(now)

    def _show(self, now: float, is_forced: bool = False) -> bool:
        if not is_forced or now > self._rated + 1:
            self._rate_until(now)
        with bar_state.lock:
            view = self.view
            if view is None or self.disable:
                return False
            self._due = now + self._pace
            return view.show(self, is_forced)

    @property
    def _pace(self) -> float:
        return max(self.view.interval, self.mininterval) if self.view is not None else 0.0

    def _rate_until(self, now: float) -> None:
        items, seconds = self.n - self._rated_n, now - self._rated
        if items and seconds > 0:
            before, took = self._recent
            left = 1 - _SMOOTHING
            self._recent = _SMOOTHING * items + left * before, _SMOOTHING * seconds + left * took
            self._rated, self._rated_n = now, self.n

    # --- what it shows ---------------------------------------------------------------------------

    def set_description(self, desc: str | None = None, refresh: bool = True) -> None:
        """Show *desc* before the bar."""
        self.desc = desc or ""
        if refresh:
            self.refresh()

    set_description_str = set_description

    def set_postfix(
        self,
        ordered_dict: Mapping[str, object] | None = None,
        refresh: bool = True,
        **more: object,
    ) -> None:
        """Show names and values behind the bar: ``loss=0.12, acc=0.9``."""
        self.set_postfix_str(
            _pairs({**(ordered_dict or {}), **dict(sorted(more.items()))}), refresh
        )

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Show the text *s* behind the bar."""
        self.postfix = str(s)
        if refresh:
            self.refresh()

    def refresh(self) -> None:
        """Paint the bar now, unless that has just been done very often."""
        if not self.disable:
            self._show(monotonic(), is_forced=True)

    def display(self) -> None:
        """As ``refresh``."""
        self.refresh()

    @staticmethod
    def write(s: object = "", file: TextIO | None = None, end: str = "\n") -> None:
        """Print *s* above all bars, on stdout or *file*."""
        stream = sys.stdout if file is None else file
        on_terminal: Any = sys.modules.get("kohaku_ast.helpers.terminal_bars")
        if stream is not None and not (
            on_terminal is not None and on_terminal.print_above(f"{s}{end}", stream)
        ):
            stream.write(f"{s}{end}")

    @property
    def elapsed(self) -> float:
        """Seconds from its start to its end, or to now."""
        return (self._ended or monotonic()) - self._start if self.view is not None else 0.0

    @property
    def rate(self) -> float | None:
        """Items a second: of late while it is open, over all when it has ended."""
        items, seconds = self._recent
        if self._ended or not seconds:
            items, seconds = self.n - self.initial, self.elapsed
        return items / seconds if items > 0 and seconds > 0 else None

    # --- as a container, and as a block ----------------------------------------------------------

    def __len__(self) -> int:
        if self.iterable is None:
            if self.total is None:
                raise TypeError("this progress_bar has neither an iterable nor a total")
            return int(self.total)
        length = _length(self.iterable)
        if length is None:
            length = self.total
        if length is None:
            raise TypeError(f"object of type {type(self.iterable).__name__!r} has no len()")
        return int(length)

    def __bool__(self) -> bool:
        if self.total is not None:
            return self.total > 0
        if self.iterable is None:
            raise TypeError("bool() of a progress_bar that has neither an iterable nor a total")
        return bool(self.iterable)

    def __contains__(self, item: object) -> bool:
        return item in self.iterable  # type: ignore[operator]

    def __enter__(self) -> progress_bar[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:
            pass  # at the end of Python its modules may be gone

    def leave_to_parent(self) -> None:
        """Show nothing any more: this is a forked process, and the bar is its parent's."""
        self.disable, self.view = True, None
        self._next = float("inf")  # of a loop that goes on


def trange(*args: int, **options: Any) -> progress_bar[int]:
    """``progress_bar(range(*args), **options)``."""
    return progress_bar(range(*args), **options)


def choose_view(file: TextIO | None, only_terminal: bool = False) -> View | None:
    """The View for a bar that is made now, on *file* or on stderr; None if there is none."""
    stream = sys.stderr if file is None else file
    if stream is None:
        return None
    if _is_terminal(stream):
        from kohaku_ast.helpers.terminal_bars import view_of

        return view_of(stream)
    return None if only_terminal else _other_view(stream, file)


def _other_view(stream: TextIO, file: TextIO | None) -> View:
    from kohaku_ast.helpers.bar_views import LinesView, NotebookView, RecordView
    from kohaku_ast.helpers.run_context import current_run

    run = current_run()
    if run is not None and run.record:
        return RecordView.of(run.record, stream)
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if file is None and getattr(shell, "kernel", None) is not None:
        return NotebookView(shell)
    return LinesView(stream)


def _is_terminal(stream: TextIO) -> bool:
    try:
        is_terminal = stream.isatty()
    except (AttributeError, ValueError):  # it is closed
        return False
    if "JPY_PARENT_PID" in os.environ:  # Jupyter sets it for kernels: `!python train.py` of a cell
        return False
    return is_terminal and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def _below(trace: TracebackType | None) -> TracebackType | None:
    return None if trace is None else trace.tb_next


def _length(iterable: object) -> float | None:
    try:
        return len(iterable)  # type: ignore[arg-type]
    except (TypeError, AttributeError):
        return None


def _check_options(others: Mapping[str, object]) -> None:
    unknown = [name for name in others if name not in _FOR_LOOKS]
    if unknown:
        raise TypeError(f"progress_bar() got an unexpected keyword argument {unknown[0]!r}")


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={_value(one)}" for name, one in values.items())


def _value(value: object) -> str:
    """*value* as tqdm shows it: a number, or an array of one number, in three digits."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not hasattr(type(value), "__float__"):
        return str(value)
    try:
        number: float = value if isinstance(value, int) else float(value)  # type: ignore[arg-type]
        short = f"{number:.3g}".replace("e+0", "e+").replace("e-0", "e-")
    except Exception:  # an array of several, whatever its library raises then
        return str(value)
    whole = str(number)
    return short if len(short) < len(whole) else whole
