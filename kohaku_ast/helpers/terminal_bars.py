"""Progress bars on a terminal: one display of rich for all that are open.

The display is taken away while text is printed and painted anew below it, by the thread that moves
a bar: a thread of our own would be in the way of a script that forks.

State of this process: the terminals that bars were shown on.
"""

from __future__ import annotations

import sys
from time import monotonic

from rich.console import Console
from rich.constrain import Constrain
from rich.live import Live
from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn

from kohaku_ast.helpers import bar_state
from kohaku_ast.helpers.bar_state import prefix_of, share_of, stats_of
from kohaku_ast.helpers.bar_views import TerminalClaim, WaitingView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from kohaku_ast.helpers.bar_state import Bar, View

_COLUMNS = (
    TextColumn("{task.description}", markup=False),
    BarColumn(bar_width=None),
    TextColumn("{task.fields[stats]}", markup=False),
)
_STREAMS = ("stdout", "stderr")
_SHARE, _BURST = 0.05, 0.1
"""Of all time, and seconds at once, that painting takes besides the regular times."""


class Terminal:
    """The bars on one terminal; each method is called with ``bar_state.lock`` held."""

    interval = 0.1

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._console = Console(
            file=stream, force_terminal=True, force_interactive=True, force_jupyter=False
        )
        self._tasks = Progress(
            *_COLUMNS,
            console=self._console,
            auto_refresh=False,
        )
        self._ids: dict[int, TaskID] = {}
        #: What is painted; None while it is taken away.
        self._live: Live | None = None
        self._painted = 0.0
        self._credit, self._seen = _BURST, monotonic()
        self._taken: dict[str, tuple[TextIO, _Above]] = {}
        #: Whether the last line that was printed has no end yet: nothing is painted behind it.
        self._is_mid_line = False
        self._error: object = None
        self._is_gone = False
        self._claim = TerminalClaim(stream)

    def may_paint(self) -> bool:
        """Whether no other process shows bars on it."""
        return bool(self._ids) or self._claim.take()

    def open(self, bar: Bar) -> None:
        """Paint it below the others."""
        if not self._ids:
            self._take_streams()
        self._ids[id(bar)] = self._tasks.add_task(bar.desc, total=None, stats="")
        self._set(bar)
        self._paint()

    def show(self, bar: Bar, is_forced: bool) -> bool:
        """Paint its state, if the time for it has come, or there is time left for it."""
        if id(bar) not in self._ids:
            return False
        self._set(bar)
        now = monotonic()
        is_due = self._may_paint() if is_forced else now >= self._painted + self.interval / 2
        if is_due:
            self._paint()
        return is_due

    def close(self, bar: Bar) -> None:
        """Take it away; its last state stays above the others, unless it leaves nothing."""
        if id(bar) not in self._ids:
            return
        self._set(bar)
        self._unpaint()
        task = self._ids.pop(id(bar))
        if bar.leave:
            self._print_last(task)
        self._tasks.remove_task(task)
        if self._ids:
            self._paint()
        else:
            self._give_streams_back()
            self._print_lines_of_others()
            self._claim.give_back()

    def _set(self, bar: Bar) -> None:
        part = share_of(bar)
        percent = "" if part is None else f"{part:4.0%} "
        self._tasks.update(
            self._ids[id(bar)],
            description=prefix_of(bar).rstrip(),
            # Without a total the bar of rich moves to and fro; at the end it is full.
            total=bar.total if part is not None else 1 if bar.disable else None,
            completed=bar.n if part is not None else int(bar.disable),
            stats=f"{percent}{stats_of(bar)}",
        )

    # --- painting --------------------------------------------------------------------------------

    def _paint(self) -> None:
        if self._is_mid_line or self._is_gone:
            return
        start = monotonic()
        self._print_lines_of_others()
        try:
            if self._live is None:
                # A new one each time: it would go up by the lines that it has painted before.
                self._live = Live(
                    get_renderable=lambda: self._table(self._tasks.tasks), console=self._console,
                    auto_refresh=False, transient=True, redirect_stdout=False,
                    redirect_stderr=False,
                )  # fmt: skip
                self._live.start(refresh=True)
                # It stays: nobody would show it again after a SIGKILL.
                self._console.show_cursor(True)
            else:
                self._live.refresh()
        except (OSError, ValueError):  # the terminal hung up, the stream is closed
            self._is_gone = True
        self._painted = monotonic()
        self._credit -= self._painted - start

    def _print_lines_of_others(self) -> None:
        lines = self._claim.lines()
        if lines:
            self._unpaint()
            try:
                self.stream.write(lines)
                self.stream.flush()
            except (OSError, ValueError):
                self._is_gone = True

    def _table(self, tasks: list[Task]) -> Constrain:
        has_descriptions = any(task.description for task in tasks)
        self._tasks.columns = _COLUMNS if has_descriptions else _COLUMNS[1:]
        # Room for the ``^C`` of the terminal: behind a full line it would be on the next one.
        width = max(10, self._console.width - 3)
        return Constrain(self._tasks.make_tasks_table(tasks), width)

    def _may_paint(self) -> bool:
        """Whether there is time left for a painting that is not due."""
        now = monotonic()
        self._credit = min(_BURST, self._credit + _SHARE * (now - self._seen))
        self._seen = now
        return self._credit > 0

    def _unpaint(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            try:
                live.stop()
            except (OSError, ValueError):
                self._is_gone = True

    def _print_last(self, task: TaskID) -> None:
        if self._is_gone:
            return
        found = [one for one in self._tasks.tasks if one.id == task]
        try:
            if self._is_mid_line:
                self.stream.write("\n")
                self._is_mid_line = False
            self._console.print(self._table(found))
        except (OSError, ValueError):
            self._is_gone = True

    # --- what others print -----------------------------------------------------------------------

    def print(self, stream: TextIO, text: str) -> int:
        """Write *text* on *stream*, which is this terminal too, above the bars."""
        with bar_state.lock:
            if getattr(sys, "last_value", None) is not self._error:
                bar_state.close_all()  # an exception ends the script, and Python prints it now
            self._unpaint()
            count = stream.write(text)
            if text:
                stream.flush()  # before the bars, which go another way
                self._is_mid_line = not text.endswith("\n")
            if self._ids and self._may_paint():
                self._paint()
            return count

    def _take_streams(self) -> None:
        self._error = getattr(sys, "last_value", None)
        self._is_mid_line = False
        for name in _STREAMS:
            stream = getattr(sys, name)
            # Not one that goes to a file: its text is no business of the terminal.
            if stream is not None and not isinstance(stream, _Above) and _is_tty(stream):
                above = _Above(stream, self)
                self._taken[name] = stream, above
                setattr(sys, name, above)
                _redirect_handlers(stream, above)

    def _give_streams_back(self) -> None:
        """Restore the streams, unless other code has replaced them meanwhile."""
        for name, (stream, above) in self._taken.items():
            if getattr(sys, name) is above:
                setattr(sys, name, stream)
            _redirect_handlers(above, stream)
        self._taken.clear()

    def forget(self) -> None:
        """Leave the terminal to the parent of this process, which was forked."""
        self._give_streams_back()
        self._live = None
        self._ids.clear()
        self._claim.forget()


def _is_tty(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _redirect_handlers(before: object, after: object) -> None:
    """Have the handlers of ``logging`` that write to *before* write to *after*."""
    logging: Any = sys.modules.get("logging")
    if logging is None:
        return
    for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
        for handler in getattr(logger, "handlers", ()):
            if getattr(handler, "stream", None) is before:
                handler.stream = after


class _Above:
    """Takes the place of ``sys.stdout`` or ``sys.stderr`` while bars are shown."""

    def __init__(self, stream: TextIO, terminal: Terminal) -> None:
        self.below, self._terminal = stream, terminal

    def write(self, text: str) -> int:
        try:
            return self._terminal.print(self.below, text)
        except BaseException as error:
            # Ctrl-C, a closed pipe: as if the stream itself had raised it, without frames of ours.
            BaseException.with_traceback(error, None)
            raise

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)


_terminals: list[Terminal] = []


def terminal_of(stream: TextIO) -> Terminal:
    """The Terminal of *stream*."""
    raw = stream.below if isinstance(stream, _Above) else stream
    for one in _terminals:
        if one.stream is raw:
            return one
    _terminals.append(Terminal(raw))
    return _terminals[-1]


def view_of(stream: TextIO) -> View:
    """The view for a bar that is made now on the terminal *stream*."""
    terminal = terminal_of(stream)
    if terminal.may_paint():
        return terminal
    return WaitingView(terminal.stream, TerminalClaim(terminal.stream))


def print_above(text: str, stream: TextIO) -> bool:
    """Print *text* on *stream* above the bars; False if there are none on it."""
    if isinstance(stream, _Above):
        stream.write(text)
        return True
    shown = [one for one in _terminals if one._ids]
    if not shown or not _is_tty(stream):
        return False
    shown[0].print(stream, text)
    return True


def forget_terminals() -> None:
    """Leave the terminals to the parent of this process, which was forked."""
    for one in _terminals:
        one.forget()
    _terminals.clear()


bar_state.on_fork.append(forget_terminals)
