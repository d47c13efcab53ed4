"""Progress bars for a run: ``Pipeline(nodes, callbacks=[ProgressBar()])``."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

from kohaku_ast.pipeline.last_run import LastRun
from kohaku_ast.pipeline.progress_rows import find_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    from kohaku_ast.pipeline.callbacks import Context
    from kohaku_ast.pipeline.progress_rows import Row

    class Display(Protocol):
        """Shows rows in the place of those before."""

        def show(self, rows: Sequence[Row], is_last: bool) -> None:
            """*is_last*: they stay."""


_OFTEN = 0.1  # seconds between two paintings


class ProgressBar(LastRun):
    """A bar for the pipeline and one for each pipeline and map inside it, with what runs, what
    was cached and what failed.

    On a terminal at its bottom, below what nodes print; in a notebook below the cell; nowhere
    else. It is a LastRun, too.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        """*stream* is the terminal (default: standard error)."""
        super().__init__()
        self._stream = stream
        self._display: Display | None = None
        self._ticker: _Ticker | None = None
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
        """From now on it is painted."""
        self._tick()

    def on_node_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """From now on it is painted."""
        super().on_node_start(name, inputs, context)
        self._tick()

    def _begun(self) -> None:
        if self._open == 1:
            self._display = choose(sys.stderr if self._stream is None else self._stream)
            self._started = time.monotonic()
            self._show()

    def _tick(self) -> None:
        # Not before something runs: an engine forks its processes first, without our thread.
        if self._ticker is None and self._display is not None:
            self._ticker = _Ticker(self._show)
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


class _Ticker(threading.Thread):
    """Paints while nodes run: one may take hours in which nothing is told."""

    def __init__(self, show: Callable[[], None]) -> None:
        super().__init__(name="kogine-progress", daemon=True)
        self._paint = show
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(_OFTEN):
            self._paint()

    def stop(self) -> None:
        """Nothing is painted after it."""
        self._over.set()
        self.join()


def choose(stream: TextIO | None) -> Display | None:
    """What can show rows here: a notebook, a terminal, or nothing."""
    if _in_notebook():
        from kohaku_ast.pipeline.progress_notebook import NotebookBars

        return NotebookBars()
    from kohaku_ast.flow.display.choose import can_be_painted

    if stream is None or not can_be_painted(stream):
        return None
    from kohaku_ast.pipeline.progress_terminal import TerminalBars  # rich: 45 ms

    return TerminalBars(stream)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
