"""LogWatch: reads metrics and progress from the logs of the runs under way; LogWarnings.

Progress is read from ``12/100``, ``[12/100]``, ``45%`` at the start of a line, in brackets or
beside a bar or a word such as ``done``, and from the bars of tqdm, Keras and rich. ``epoch 3/10``
counts the epochs before it; other progress on the line counts as a part of that epoch. The bars of
``kohaku_ast.helpers`` write theirs to the record.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from kohaku_ast.display.live import Out, Pace
from kohaku_ast.display.text import plain_line
from kohaku_ast.flow.run import Observer, Run, Summary
from kohaku_ast.store.metrics import MetricSeries, Number, SeriesTail
from kohaku_ast.store.run_folder import SERIES, last_lines, read_event

_BLOCK = 16_384  # bytes of one log that are read at once
_MOST_BEHIND = 32 << 20
"""Bytes that a run may print faster than they are read; what is before them is left out."""
_BUDGET = 0.005  # seconds for all logs, 4 times a second: at most 2 % of a core


class LogWatch(Observer):
    """Reads the logs. It comes first of the observers: the others use what it has read."""

    def __init__(self, metrics: bool = True, log_limit: int = 0) -> None:
        """*metrics*: whether numbers that scripts print are read as metrics. *log_limit*: as for
        ``limit_log``.
        """
        self.metrics, self._limit = metrics, log_limit
        self._tails: dict[int, LogTail] = {}
        self._logged: dict[int, SeriesTail] = {}
        self._files: dict[int, int] = {}
        self._pace = Pace(0.25)
        self._turn = 0

    def on_start(self, run: Run, total: int | None) -> None:
        """Forget the log of an earlier attempt."""
        run.metrics = new_seen(run).metrics

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Read a block of one log after the other until the time for it is used up."""
        if not running or not self._pace.is_due():
            return
        end = time.monotonic() + _BUDGET
        for run in running:
            self._forget_lost(run)
            self._read_logged(run)
            self._read_event(run)
        first = self._turn % len(running)
        waiting = [*running[first:], *running[:first]]
        while waiting:
            self._turn += 1
            run = waiting.pop(0)
            if self._read_block(run):
                waiting.append(run)
            if time.monotonic() > end:
                return

    def on_retry(self, run: Run, seconds: float) -> None:
        """Read the rest of the log: the next attempt has a new one with the same name."""
        self.finish(run)

    def finish(self, run: Run) -> None:
        """Read the rest of what *run*, which has ended, has logged and printed."""
        self._forget_lost(run)
        self._files.pop(run.index, None)
        self._read_logged(run)
        self._read_event(run)
        self._logged.pop(run.index, None)
        while self._read_block(run):
            pass
        tail = self._tails.pop(run.index, None)
        if tail is not None and tail.rest:
            self._note(run, [tail.rest], b"")

    def _forget_lost(self, run: Run) -> None:
        """Forget what was read of *run* if its log is another file: a cluster has begun it again,
        because a worker was lost.
        """
        try:
            found = -1 if run.log is None else os.stat(run.log).st_ino
        except OSError:
            return
        if self._files.setdefault(run.index, found) != found:
            self._files[run.index] = found
            self._tails.pop(run.index, None)
            self._logged.pop(run.index, None)
            run.metrics = new_seen(run).metrics

    def _read_logged(self, run: Run) -> None:
        """Read what the script has given to the logger of the helpers."""
        if run.folder is None:
            return
        tail = self._logged.get(run.index)
        if tail is None:
            path = os.path.join(run.folder, SERIES)
            tail = self._logged[run.index] = SeriesTail(path)
        for point in tail.read_logged():
            seen = seen_of(run)
            seen.metrics.update(seen.series.add_logged(point))

    def _read_event(self, run: Run) -> None:
        """Read what the progress bars of the helpers say, if it is new."""
        event = None if run.folder is None else read_event(run.folder)
        seen = seen_of(run)
        if event is None or event == seen.event:
            return
        # What stands behind a bar is no metric yet: when it was read is chance. Its last line is.
        seen.event, seen.progress, seen.line = event, event["progress"], plain_line(event["line"])

    def _read_block(self, run: Run) -> bool:
        """Read the next block of the log of *run*; whether there is more."""
        if run.log is None:
            return False
        tail = self._tails.get(run.index)
        if tail is None or tail.path != run.log:
            tail = self._tails[run.index] = LogTail(run.log, self._limit)
        lines = tail.read(_BLOCK)
        self._note(run, lines, tail.rest)
        seen_of(run).series.is_incomplete |= tail.has_skipped
        return tail.has_more

    def _note(self, run: Run, lines: list[bytes], rest: bytes) -> None:
        seen = seen_of(run)
        _note_last(seen, [*lines[-20:], rest])
        if self.metrics:
            now = run.now()
            for line in lines:
                seen.metrics.update(seen.series.add_line(line, now))


def _note_last(seen: Seen, lines: list[bytes]) -> None:
    """Set the last line, and the progress of the last line that has one."""
    is_first = True
    for data in reversed(lines):
        text = plain_line(data.decode("utf-8", "replace")).strip()
        if not text:
            continue
        if is_first:
            seen.line, is_first = text, False
        # While a bar of the helpers is open, it counts: it knows the progress of the whole run.
        progress = None if seen.event.get("open") else read_progress(text)
        if progress is not None:
            seen.progress = progress
            return


_END = re.compile(rb"\r\n|[\r\n]")
_LONGEST_LINE = 4096


class LogTail:
    """Reads the new lines of one log. The file is open only during a read."""

    def __init__(self, path: Path, limit: int = 0) -> None:
        """*limit*: as for ``limit_log``, which may shorten the log at any time."""
        self.path, self._limit = path, limit
        #: The last line, which has no end yet.
        self.rest = b""
        #: Whether more is there already, and whether text was left out.
        self.has_more = self.has_skipped = False
        #: Of all that was printed, also what the log does not hold any more.
        self._offset = 0
        #: Whether the offset is inside of a line whose beginning was not read.
        self._is_cut = False

    def read(self, most: int) -> list[bytes]:
        """The lines that have ended in the next *most* bytes.

        A carriage return ends a line too: progress bars overwrite themselves with it. A log that
        cannot be read has no lines.
        """
        try:
            data = self._more(most)
        except OSError:
            self.has_more = False
            return []
        if not data:
            return []
        *lines, self.rest = _END.split(self.rest + data)
        self.rest = self.rest[-_LONGEST_LINE:]
        return lines

    def _more(self, most: int) -> bytes:
        # Here: it loads socket, and a pipeline that imports this module reads no logs.
        from kohaku_ast.flow.output_process import left_out

        with open(self.path, "rb", buffering=0) as log:
            left = left_out(log.fileno(), self._limit)
            size = os.fstat(log.fileno()).st_size
            if not left and size == self._limit // 2 < self._offset:
                self.has_more = False
                return b""  # its end is about to be written
            offset, shift, end = self._place(size, left)
            log.seek(offset - shift)
            data = log.read(min(most, end - offset)) or b""
            if left_out(log.fileno(), self._limit) != left:
                self.has_more = True
                return b""  # it was limited meanwhile
        if offset != self._offset:
            # The rest of a line without its beginning could be read as another metric.
            self.rest, self.has_skipped = b"", True
            self._is_cut = offset > self._offset and (not left or offset != self._limit // 2 + left)
        self._offset = offset + len(data)
        self.has_more = self._offset < size + shift or end < size
        return self._after_cut(data)

    def _place(self, size: int, left: int) -> tuple[int, int, int]:
        """Where to read on in all that was printed, how far that is from its place in the log of
        *size* bytes, and where to stop. The log lacks *left* bytes.
        """
        from kohaku_ast.flow.output_process import MARK_LENGTH

        head = self._limit // 2
        moved = left - MARK_LENGTH if left else 0
        offset = min(self._offset, size + moved)
        if left and offset < head:
            return max(offset, head - _MOST_BEHIND), 0, head
        offset = max(offset, size + moved - _MOST_BEHIND, head + left if left else 0)
        return offset, moved, size + moved

    def _after_cut(self, data: bytes) -> bytes:
        """*data* without the rest of a line whose beginning was not read."""
        if not self._is_cut:
            return data
        _, *rest = _END.split(data, maxsplit=1)
        self._is_cut = not rest
        return rest[0] if rest else b""


_MARK = "kogine: warning: "
_LAST_LINES = 20  # of a log that are searched for warnings
_MOST = 20


class LogWarnings(Observer):
    """Collects the warnings that kogine has printed to the logs; prints each once, at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._out = Out(stream)
        self._counts: dict[str, int] = {}

    def on_end(self, run: Run) -> None:
        """Search the end of the log."""
        for line in map(plain_line, last_lines(run.log, _LAST_LINES) if run.log else ()):
            if line.startswith(_MARK) and (line in self._counts or len(self._counts) < _MOST):
                self._counts[line] = self._counts.get(line, 0) + 1

    def on_finish(self, summary: Summary) -> None:
        """Print the warnings."""
        for line, count in self._counts.items():
            runs = f" ({count} runs)" if count > 1 else ""
            self._out.print(line + runs)


def metrics_text(metrics: dict[str, Number]) -> str:
    """``loss=0.12 acc=0.9``."""
    return " ".join(f"{name}={number_text(number)}" for name, number in metrics.items())


def number_text(number: Number) -> str:
    """*number* in about ten characters at most."""
    return str(number) if isinstance(number, int) and abs(number) < 10**9 else f"{number:.5g}"


_LONGEST = 400
_FRACTION = re.compile(r"(?<![\w./:,-])(\d{1,12})\s?(?:/|\bof\b)\s?(\d{1,12})(?![\w/%]|[.,]\d)")
_EPOCH = re.compile(r"(?i)\bepochs?\b[\s:#=]{0,3}\[?(\d{1,9})\s?(?:/|of)\s?(\d{1,9})(?![\w/%.])\]?")
_PERCENT = r"(?<![\w.,+-])(\d{1,3}(?:\.\d{1,6})?)\s?%"
_PERCENTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"^\s*{_PERCENT}",
        rf"\[\s*{_PERCENT}\s*\]",
        rf"{_PERCENT}\s?\|",
        rf"(?i)\b(?:progress|completed?|done|finished)\b[\s:=]{{0,3}}{_PERCENT}",
        rf"(?i){_PERCENT}\s+(?:complete|done|finished)",
        rf"[━╸╺█▏▎▍▌▋▊▉░▒▓]{{3}}\s*\|?\s*{_PERCENT}",
        rf"\[[=#>. -]{{3,300}}\]\s*{_PERCENT}",
    )
)
# `Accuracy: 9800/10000` is a score.
_SCORE = re.compile(r"(?i)\b(?:acc|accuracy|correct|score|precision|recall|errors?)[\s:=]{0,3}\Z")


def read_progress(line: str) -> float | None:
    """The progress in *line*, between 0 and 1; None if there is none."""
    if len(line) > _LONGEST or not ("%" in line or "/" in line or " of " in line):
        return None
    epoch = _EPOCH.search(line)
    if epoch is None:
        return _inner(line)
    done, whole = int(epoch[1]), int(epoch[2])
    if not 0 <= done <= whole or whole == 0:
        return _inner(line)
    inner = _inner(line[: epoch.start()] + line[epoch.end() :])
    if inner is None:
        # Scripts print it at the end or the start of an epoch, counted from 0 or from 1.
        return done / whole
    return min(1.0, (max(done, 1) - 1 + inner) / whole)


def _inner(line: str) -> float | None:
    for pattern in _PERCENTS:
        found = pattern.search(line)
        if found and float(found[1]) <= 100:
            return float(found[1]) / 100
    for fraction in _FRACTION.finditer(line):
        done, whole = int(fraction[1]), int(fraction[2])
        if done <= whole and whole > 1 and not _SCORE.search(line[: fraction.start()]):
            return done / whole
    return None


_NOTE = "seen"


@dataclass
class Seen:
    """The contents of a run's log; only ``LogWatch`` changes it."""

    #: The last line that is not blank, as plain text.
    line: str = ""
    #: Between 0 and 1; None if the log has no progress.
    progress: float | None = None
    #: What the progress bars of the helpers have said last; empty if nothing.
    event: Mapping[str, Any] = field(default_factory=dict)
    #: Name of a metric -> its last value; and all their values.
    metrics: dict[str, Number] = field(default_factory=dict)
    series: MetricSeries = field(default_factory=MetricSeries)


def seen_of(run: Run) -> Seen:
    """The Seen of *run*; an empty one if its log was not read."""
    found = run.notes.get(_NOTE)
    return found if isinstance(found, Seen) else Seen()


def lacks_metrics(run: Run) -> bool:
    """Whether metrics of *run* are left out: it printed too fast, or too many names."""
    return seen_of(run).series.is_incomplete


def new_seen(run: Run) -> Seen:
    """A new Seen in the ``notes`` of *run*."""
    run.notes[_NOTE] = seen = Seen()
    return seen
