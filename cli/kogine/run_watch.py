"""``kogine runs watch``: the runs of a store as they are now, whoever has started them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TextIO

from kogine.report import RowStream, printing
from kogine.run_tables import store_of

from kohaku_ast.display.live import can_be_painted
from kohaku_ast.display.text import exact_time, plain_line, short_time
from kohaku_ast.flow.live_table import LiveTable, RunRow
from kohaku_ast.flow.log_watch import metrics_text
from kohaku_ast.store.record import Record
from kohaku_ast.store.store import Runs, Store
from kohaku_ast.store.summary import RunSummary

_PAUSE = 1.0
"""Seconds between two looks at the store."""
_TAIL = 2000
"""Bytes of the end of a log in which its last line is looked for."""
_RUNNING = "running"


def start_watch(folder: str, where: str, form: str) -> Callable[[], int]:
    """The function that shows the runs that fit *where*, until none of them runs any more."""
    store = store_of(folder)
    store.runs(where)  # raises for a query that is wrong
    return lambda: _watch(store, where, form)


@printing
def _watch(store: Store, where: str, form: str) -> int:
    table: WatchTable | WatchLines = WatchLines(form)
    if form == "table" and can_be_painted(sys.stdout):
        table = WatchTable(sys.stdout)
    try:
        while table.show(store.runs(where)):
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        pass  # it only looks: the runs go on
    table.close()
    return 0


_COLUMNS = ("number", "id", "label", "status", "seconds")


class WatchLines:
    """A line, or a row of ``json`` or ``csv``, for each run that runs, and for each that has ended
    since.
    """

    def __init__(self, form: str) -> None:
        self._rows = None if form == "table" else RowStream(form, _COLUMNS)
        self._known: dict[str, str] = {}
        self._is_first = True

    def show(self, runs: Runs) -> bool:
        """Print what has changed; whether any of *runs* runs."""
        for one in reversed(runs.summaries):
            before = self._known.get(one.id, "")
            self._known[one.id] = one.status
            is_news = one.status == _RUNNING or not self._is_first
            if is_news and one.status != before:
                self._print(one)
        self._is_first = False
        sys.stdout.flush()
        is_on = _RUNNING in self._known.values()
        if self._rows is None and not is_on:
            print("no run is under way")
        return is_on

    def _print(self, one: RunSummary) -> None:
        if self._rows is not None:
            return self._rows.print(*(getattr(one, name) for name in _COLUMNS))
        took = "" if one.seconds is None else f" in {exact_time(one.seconds)} s"
        print(plain_line(f"{one.status} {one.number} {one.label}{took}"))
        return None

    def close(self) -> None:
        """There is nothing to put away."""


class WatchTable(LiveTable):
    """The table of ``kogine run --sweep``, read from records."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._runs: Runs | None = None

    def show(self, runs: Runs) -> bool:
        """Paint *runs*; whether any of them runs."""
        self._runs = runs
        self._paint()
        return any(one.status == _RUNNING for one in runs.summaries)

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._painter.release()

    def _rows(self, most: int) -> list[RunRow]:
        """The rows of running runs, then of the newest others if there is room; by number."""
        assert self._runs is not None
        found = self._runs.summaries
        order = sorted(range(len(found)), key=lambda n: (found[n].status != _RUNNING, n))[:most]
        rows = [_row(found[n], self._runs[n]) for n in order]
        return sorted(rows, key=lambda row: row.index)

    def _foot(self) -> str:
        assert self._runs is not None
        states = [one.status for one in self._runs.summaries]
        running = states.count(_RUNNING)
        others = [f"{states.count(one)} {one}" for one in dict.fromkeys(states) if one != _RUNNING]
        return ", ".join([f"{running} running" if running else "no run is under way", *others])


def _row(run: RunSummary, record: Record) -> RunRow:
    seconds = run.seconds
    if seconds is None:
        seconds = max(0.0, time.time() - datetime.fromisoformat(run.started).timestamp())
    last = run.error or (_last_line(record) if run.status == _RUNNING else "")
    cells = (
        str(run.number), run.status, run.label, short_time(seconds), "", "",
        metrics_text(record.metrics), last,
    )  # fmt: skip
    return RunRow(run.number, run.status, tuple(map(plain_line, cells)))


def _last_line(record: Record) -> str:
    """The last line that *record* has printed."""
    if record.log is None:
        return ""
    try:
        with open(record.log, "rb") as log:
            log.seek(max(0, log.seek(0, 2) - _TAIL))
            rows = log.read().splitlines()
    except OSError:
        return ""  # somebody has removed it
    return next(_texts(rows), "")


def _texts(rows: Sequence[bytes]) -> Iterator[str]:
    for row in reversed(rows):
        text = row.decode("utf-8", "replace").strip()
        if text:
            yield text
