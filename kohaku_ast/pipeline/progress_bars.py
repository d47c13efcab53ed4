"""Progress bars for a pipeline's run: ``Pipeline(nodes, callbacks=[ProgressBar()])``."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TextIO

from kohaku_ast.display.graph_layout import listed, marked_up, one_line, time_text
from kohaku_ast.display.live import (
    Above,
    CellOutput,
    Out,
    Pace,
    Painter,
    Styles,
    Ticker,
    can_be_painted,
    in_notebook,
    is_debugged,
)
from kohaku_ast.display.text import fitted, short_time, width_of
from kohaku_ast.helpers.bar_views import TerminalClaim
from kohaku_ast.pipeline.callbacks import LastRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    from kohaku_ast.pipeline.callbacks import Context, NodeStats, Path
    from kohaku_ast.pipeline.execution import PipelineRun

    class Display(Protocol):
        """Shows rows in place of the previous ones."""

        def show(self, rows: Sequence[BarRow], is_last: bool) -> None:
            """Show *rows*; with *is_last* they stay."""


class ProgressBar(LastRun):
    """A bar for the pipeline and one for each pipeline and map inside it, with the nodes that run
    and the numbers of cached and failed ones.

    A terminal shows the bars at its bottom, below the output of nodes, a notebook below the cell.
    Elsewhere nothing is shown. A ProgressBar is a LastRun, too.
    """

    is_bar = True

    def __init__(self, stream: TextIO | None = None) -> None:
        """*stream* is the terminal (default: standard error)."""
        super().__init__()
        self._stream = stream
        self._display: Display | None = None
        self._ticker: Ticker | None = None
        self._started = 0.0

    def on_pipeline_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """The outermost one shows the first bar."""
        super().on_pipeline_start(name, inputs, context)
        self._begun()

    def on_map_start(self, items: int, context: Context) -> None:
        """The outermost one shows the first bar."""
        super().on_map_start(items, context)
        self._begun()

    def on_map_item_start(self, item: int, context: Context) -> None:
        """Starts the painting."""
        self._tick()

    def on_node_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """Starts the painting."""
        super().on_node_start(name, inputs, context)
        self._tick()

    def _begun(self) -> None:
        if self._open == 1:
            stream = sys.stderr if self._stream is None else self._stream
            self._display = choose(getattr(stream, "shown", stream))  # no bar is in a log
            self._started = time.monotonic()
            self._show()

    def _tick(self) -> None:
        # Not before something runs: an engine forks its processes first, without our thread.
        if self._ticker is None and self._display is not None:
            self._ticker = Ticker(self._show)
            self._ticker.start()

    def _closed(self) -> None:
        super()._closed()
        if self._open:
            return
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None
        self._show(is_last=True)
        self._display = None

    def _show(self, is_last: bool = False) -> None:
        if self._display is not None:
            rows = find_rows(self, time.monotonic() - self._started, is_last)
            self._display.show(rows, is_last)


def choose(stream: TextIO | None) -> Display | None:
    """The display for this process: a notebook's, a terminal's, or None."""
    if in_notebook():
        return NotebookBars()
    if stream is None or not can_be_painted(stream):
        return None
    return TerminalBars(stream)


def map_row(run: PipelineRun, items: int, seconds: float, is_over: bool) -> BarRow:
    """The row of a map of *items* that has taken *seconds*."""
    done, left = len(run.ended or ()), ""
    failed = len({id(one.error) for one in run.failures})
    if done and not is_over and seconds >= 1:
        left = f"{short_time(seconds * (items - done) / done)} left"
    took = (time_text if is_over else _running_text)(seconds)
    text = ", ".join(filter(None, [_counted(failed, "failed"), took, left]))
    return BarRow(one_line(run.pipeline.name, _LABEL), done, items, "items", text, bool(failed))


_MOST = 12  # rows
_LABEL = 24  # letters


@dataclass(frozen=True)
class BarRow:
    """One bar."""

    #: The name, indented by its depth.
    label: str
    done: int
    total: int
    #: ``nodes`` or ``items``.
    unit: str
    #: The running nodes, how many were cached, skipped or failed, how long it took.
    text: str
    #: Whether a node or item of it failed.
    has_failed: bool


def find_rows(seen: LastRun, seconds: float = 0.0, is_over: bool = False) -> list[BarRow]:
    """The rows of a run, outermost first. *seconds*: how long it has taken."""
    tallies = dict(list(seen.tallies.items()))
    paths = [path for path, tally in tallies.items() if tally.starts]
    ordered = sorted(paths, key=lambda path: _order(path, paths))
    name = seen.base[-1] if seen.base else ""
    took = (time_text if is_over else _running_text)(seconds)
    return [
        _row_of(path, path[-1] if path else name, tallies, "" if path else took, is_over)
        for path in ordered[:_MOST]
    ]


def _running_text(seconds: float) -> str:
    """Whole seconds, so that the text does not flicker."""
    return short_time(seconds) if seconds >= 1 else ""


def _order(path: Path, paths: list[Path]) -> tuple[int, ...]:
    """The sort key: each row below the pipeline around it, else in the order of their starts."""
    ways = (path[:length] for length in range(1, len(path) + 1))
    return tuple([paths.index(one) if one in paths else 0 for one in ways])


def _row_of(
    path: Path, name: str, tallies: Mapping[Path, NodeStats], took: str, is_over: bool
) -> BarRow:
    tally = tallies[path]
    total = tally.ended if is_over and not tally.broken else total_of(path, tallies)
    own = {one: tallies[one] for one in tallies if one[:-1] == path and one}
    if not tally.items:  # an imperative pipeline announces nothing
        total = max(total, tally.ended + sum(one.running for one in own.values()))
    parts = [
        "" if is_over else listed([one[-1] for one in own if own[one].running], 24),
        _counted(sum(one.cached for one in own.values()), "cached"),
        _counted(sum(one.skipped for one in own.values()), "skipped"),
        _counted(tally.broken, "failed"),
        took,
    ]
    return BarRow(
        "  " * len(path) + one_line(name, _LABEL),
        tally.ended,
        total,
        "items" if tally.items else "nodes",
        ", ".join(filter(None, parts)),
        bool(tally.broken),
    )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count else ""


def total_of(path: Path, tallies: Mapping[Path, NodeStats]) -> int:
    """How many nodes or items there will be. Inside a map it is an estimate: as many for each item
    as there were so far.
    """
    tally = tallies[path]
    for length in reversed(range(len(path))):
        outer = tallies.get(path[:length])
        if outer is not None and outer.items:
            each = tally.expected / max(1, tally.starts)
            return max(tally.expected, round(each * total_of(path[:length], tallies)))
    return tally.expected


class NotebookBars:
    """The bars as one output of a notebook's cell, which is updated."""

    def __init__(self) -> None:
        self._output = CellOutput()

    def show(self, rows: Sequence[BarRow], is_last: bool) -> None:
        """Show *rows* in place of the previous ones."""
        self._output.show(bars_html(rows))


def bars_html(rows: Sequence[BarRow]) -> str:
    """*rows* as an HTML table."""
    return f"<table>{''.join(map(_row_html, rows))}</table>"


def _row_html(row: BarRow) -> str:
    left = "text-align:left;white-space:pre"
    count = f"{row.done:,}/{row.total:,} {row.unit}"
    return (
        f'<tr><td style="{left}">{marked_up(row.label)}</td>'
        f'<td><progress value="{row.done}" max="{max(1, row.total)}">{count}</progress></td>'
        f'<td style="{left}">{count}</td><td style="{left}">{marked_up(row.text)}</td></tr>'
    )


class LineBars:
    """A line in ten seconds, and one at the end: for a file or a pipe."""

    def __init__(self, stream: TextIO) -> None:
        self._out, self._pace = Out(stream), Pace(10.0)
        self._pace.is_due()  # the first line comes after ten seconds

    def show(self, rows: Sequence[BarRow], is_last: bool) -> None:
        """Print *rows* if it is time."""
        if self._pace.is_due() or is_last:
            self._out.print(*[f"{row.label}: {_count(row)}  {row.text}".rstrip() for row in rows])


_WIDEST = 30


class TerminalBars:
    """The bars at the bottom of a terminal; the output of nodes goes above them."""

    def __init__(self, stream: TextIO, claim: TerminalClaim | None = None) -> None:
        self._painter = Painter(stream)
        self._styles = Styles(stream)
        self._above = Above(self._print)
        self._pid = os.getpid()
        # Bars of the helpers, here or in workers, would be painted over these.
        self._claim = claim or TerminalClaim(stream)
        self._take()
        is_utf = "utf" in self._painter.out.encoding.lower()
        self._full, self._rest = "━─" if is_utf else "#-"

    def show(self, rows: Sequence[BarRow], is_last: bool) -> None:
        """Show as many of *rows* as fit; with *is_last* they stay. A debugger has the terminal to
        itself: a bar would overwrite its prompt.
        """
        is_held = not is_last and is_debugged()
        if not is_held:
            self._take()
            self._paint(rows)
        if is_held or is_last:
            self._give_back()

    def _paint(self, rows: Sequence[BarRow]) -> None:
        columns, _ = self._painter.size()
        lines = self._claim.lines()
        if lines:
            self._painter.above(lines)
        label = max((width_of(row.label) for row in rows), default=0)
        count = max((len(_count(row)) for row in rows), default=0)
        bar = max(0, min(_WIDEST, columns - label - count - 4 - 20))
        self._painter.paint([self._line(row, (label, bar, count), columns) for row in rows])

    def _take(self) -> None:
        self._claim.take()
        self._above.take()

    def _give_back(self) -> None:
        """Leave the bars on the screen, and the terminal to others."""
        self._above.give_back()
        self._painter.release()
        self._claim.give_back()

    def _print(self, text: str) -> None:
        """Print the output of a node. A forked worker has a copy of the screen's state."""
        if os.getpid() != self._pid:
            self._painter, self._pid = self._painter.forked(), os.getpid()
        elif is_debugged():  # at once: what is typed before the next show has its answer, too
            self._give_back()
        self._painter.above(text)

    def _line(self, row: BarRow, widths: tuple[int, int, int], columns: int) -> tuple[str, int]:
        """The text of a row, and its width."""
        label, bar, count = widths
        before = fitted(row.label, label) + "  "
        after = f"  {_count(row).rjust(count)}  {row.text}".rstrip()
        before, after = self._painter.out.writable(before), self._painter.out.writable(after)
        room = columns - width_of(before) - bar
        if room < width_of(after):
            after = fitted(after, max(0, room), self._styles.ellipsis)
        line = before + self._bar(row, bar) + after
        return line, width_of(before) + bar + width_of(after)

    def _bar(self, row: BarRow, width: int) -> str:
        done = width if row.done >= row.total else width * row.done // row.total
        state = "failed" if row.has_failed else "succeeded" if row.done >= row.total else "running"
        return self._styles.state(state, self._full * done) + self._rest * (width - done)


def _count(row: BarRow) -> str:
    return f"{row.done:,}/{row.total:,} {row.unit}"
