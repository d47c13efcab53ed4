"""The bar of ``Pipeline.map``: a clock paints it, so that an item costs nothing but to be counted.

State of this process: whether it shows such a bar.
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kohaku_ast.pipeline.execution import PipelineRun
    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.progress_bars import Display

_SHORT = 1.0  # seconds of a map that shows nothing
_FORKING = {"parallel", "lent"}
_is_shown = False


def map_rows(run: PipelineRun, rows: Rows, keep: bool, progress: bool | None) -> list[Any]:
    """The results of *run* for *rows*; meanwhile a bar, if one is to be shown."""
    if _is_shown or not _may_show(run, progress):
        return run.map(rows, keep)
    with MapBar(run, len(rows), bool(progress)):
        return run.map(rows, keep)


def _may_show(run: PipelineRun, progress: bool | None) -> bool:
    """Whether a map may show a bar here. Most do not: this imports nothing."""
    engine, stream = run.scope.engine, sys.stderr
    if progress is False or not getattr(engine, "counts_items", False):
        return False
    if any(one.is_bar for one in run.scope.callbacks):
        return False
    try:
        return bool(progress or "IPython" in sys.modules or (stream and stream.isatty()))
    except (AttributeError, ValueError):  # it is closed
        return False


class MapBar:
    """The bar of a map of *items*.

    Where processes may be forked it is on the terminal from the beginning, so that what they print
    goes above it; of a short map nothing stays there. Nothing else is imported, or painted, before
    a second is over.
    """

    def __init__(self, run: PipelineRun, items: int, is_wanted: bool) -> None:
        from kohaku_ast.display.live import OFTEN, Ticker  # here: most maps show none

        self._run, self._items, self._is_wanted = run, items, is_wanted
        self._display: Display | None = None
        self._painted: Any = None
        self._started = time.monotonic()
        self._ticker = Ticker(self._show, OFTEN if is_wanted else _SHORT)

    def __enter__(self) -> None:
        global _is_shown
        _is_shown, self._run.ended = True, []
        kinds = {getattr(self._run.scope.engine, one, "") for one in ("map_kind", "node_kind")}
        if self._is_wanted or (sys.stderr.isatty() and not kinds.isdisjoint(_FORKING)):
            self._show()
        self._ticker.start()

    def __exit__(self, *_: object) -> None:
        global _is_shown
        self._ticker.stop()
        _is_shown = False
        if self._display is not None:
            is_short = time.monotonic() - self._started < _SHORT and not self._is_wanted
            self._display.show([] if is_short else [self._row(is_over=True)], True)

    def _show(self) -> None:
        row = self._row()
        if row == self._painted:
            return
        self._display = self._display or _display_for(self._is_wanted)
        if self._display is not None:
            self._painted = row
            self._display.show([row], False)

    def _row(self, is_over: bool = False) -> Any:
        from kohaku_ast.pipeline.progress_bars import map_row

        return map_row(self._run, self._items, time.monotonic() - self._started, is_over)


def _display_for(is_wanted: bool) -> Display | None:
    """The display for a map; None while another one paints on the terminal."""
    from kohaku_ast.display.live import can_be_painted, in_notebook
    from kohaku_ast.helpers.bar_views import TerminalClaim
    from kohaku_ast.pipeline.progress_bars import LineBars, NotebookBars, TerminalBars

    stream = getattr(sys.stderr, "shown", sys.stderr)
    if in_notebook():
        return NotebookBars()
    if stream is None or not can_be_painted(stream):
        return LineBars(stream) if is_wanted and stream is not None else None
    claim = TerminalClaim(stream)
    return TerminalBars(stream, claim) if claim.take() else None
