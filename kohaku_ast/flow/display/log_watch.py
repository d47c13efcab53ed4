"""LogWatch: reads the logs of the runs under way, and notes at each run what it has seen there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from kohaku_ast.display.live import Pace
from kohaku_ast.display.text import plain_line
from kohaku_ast.flow.display.log_tail import LogTail
from kohaku_ast.flow.display.metrics import read_metrics
from kohaku_ast.flow.display.progress_text import read_progress
from kohaku_ast.flow.display.seen import Seen, new_seen, seen_of
from kohaku_ast.flow.observer import Observer
from kohaku_ast.flow.run import Run

_BLOCK = 16_384  # bytes of one log at one look
_LAST_BLOCK = 65_536  # and when the run is over
_BUDGET = 0.005  # seconds of one look, 4 times a second: at most 2 % of a core
_MOST_LINES = 200  # that are read for metrics at one look
_MOST_NAMES = 50


class LogWatch(Observer):
    """First of the observers: the others show what it has noted."""

    def __init__(self, metrics: bool = True) -> None:
        """*metrics*: whether numbers that scripts print are read."""
        self.metrics = metrics
        self._tails: dict[int, LogTail] = {}
        self._pace = Pace(0.25)
        self._turn = 0

    def on_start(self, run: Run, total: int | None) -> None:
        """Whatever an attempt before it has printed is forgotten."""
        new_seen(run)

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Look at one log after the other until the time for it is spent."""
        if not running or not self._pace.is_due():
            return
        end = time.monotonic() + _BUDGET
        first = self._turn % len(running)
        for run in (*running[first:], *running[:first]):
            self._turn += 1
            self._look(run, _BLOCK)
            if time.monotonic() > end:
                return

    def on_retry(self, run: Run, seconds: float) -> None:
        """The next attempt has a log of its own, by the same name."""
        self._tails.pop(run.index, None)

    def on_end(self, run: Run) -> None:
        """Read what is left."""
        self._look(run, _LAST_BLOCK, is_last=True)
        self._tails.pop(run.index, None)

    def _look(self, run: Run, most: int, is_last: bool = False) -> None:
        if run.log is None:
            return
        tail = self._tails.get(run.index)
        if tail is None or tail.path != run.log:
            tail = self._tails[run.index] = LogTail(run.log)
        lines = tail.read(most)
        seen = seen_of(run)
        _note_last(seen, [*lines[-20:], tail.rest])
        if self.metrics:
            _note_metrics(seen, [*lines, tail.rest] if is_last else lines)


def _note_last(seen: Seen, lines: list[bytes]) -> None:
    """The last line, and the progress that the last line which speaks of it gives."""
    is_first = True
    for data in reversed(lines):
        text = plain_line(data.decode("utf-8", "replace")).strip()
        if not text:
            continue
        if is_first:
            seen.line, is_first = text, False
        progress = read_progress(text)
        if progress is not None:
            seen.progress = progress
            return


def _note_metrics(seen: Seen, lines: list[bytes]) -> None:
    found = [line for line in lines if b":" in line or b"=" in line]
    for data in found[-_MOST_LINES:]:
        if len(data) > 1000:
            continue
        for name, number in read_metrics(plain_line(data.decode("utf-8", "replace"))).items():
            if name in seen.metrics or len(seen.metrics) < _MOST_NAMES:
                seen.metrics[name] = number
