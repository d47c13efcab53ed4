"""LogWatch: reads metrics and progress from the logs of the runs under way; LogWarnings.

A metric is read if the whole line consists of metrics; ``docs/reference/flow-output.md`` lists the
forms.

Progress is read from ``12/100``, ``[12/100]``, ``45%`` at the start of a line, in brackets or
beside a bar or a word such as ``done``, and from the bars of tqdm, Keras and rich. ``epoch 3/10``
counts the epochs before it; other progress on the line counts as a part of that epoch.
"""

from __future__ import annotations

import builtins
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, TypeAlias

from kohaku_ast.display.live import Out, Pace
from kohaku_ast.display.text import plain_line
from kohaku_ast.flow.run import Observer, Run, Summary
from kohaku_ast.store.run_folder import last_lines

_BLOCK = 16_384  # bytes of one log that are read at once
_LAST_BLOCK = 65_536  # the same after the end of the run
_BUDGET = 0.005  # seconds for all logs, 4 times a second: at most 2 % of a core
_MOST_LINES = 200  # of one log that are searched for metrics at once
_MOST_NAMES = 50


class LogWatch(Observer):
    """Reads the logs. It comes first of the observers: the others show what it has read."""

    def __init__(self, metrics: bool = True) -> None:
        """*metrics*: whether numbers that scripts print are read as metrics."""
        self.metrics = metrics
        self._tails: dict[int, LogTail] = {}
        self._pace = Pace(0.25)
        self._turn = 0

    def on_start(self, run: Run, total: int | None) -> None:
        """Forget the log of an earlier attempt."""
        new_seen(run)

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Read one log after the other until the time for it is used up."""
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
        """Close the log: the next attempt has a new one with the same name."""
        self._tails.pop(run.index, None)

    def on_end(self, run: Run) -> None:
        """Read the rest of its log."""
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
    """Set the last line, and the progress of the last line that has one."""
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


_END = re.compile(rb"\r\n|[\r\n]")
_LONGEST_LINE = 4096


class LogTail:
    """Reads the new lines of one log. The file is open only during a read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: The last line, which has no end yet.
        self.rest = b""
        self._offset = 0

    def read(self, most: int) -> list[bytes]:
        """The lines that have ended since the last call, in the last *most* bytes.

        A carriage return ends a line too: progress bars overwrite themselves with it. A log that
        cannot be read has no lines.
        """
        try:
            data = self._more(most)
        except OSError:
            return []
        if not data:
            return []
        *lines, self.rest = _END.split(self.rest + data)
        self.rest = self.rest[-_LONGEST_LINE:]
        return lines

    def _more(self, most: int) -> bytes:
        size = os.stat(self.path).st_size
        if size < self._offset:  # it was truncated: read from the start
            self._offset, self.rest = 0, b""
        if size == self._offset:
            return b""
        is_skipped = size - self._offset > most
        if is_skipped:
            self._offset, self.rest = size - most, b""
        with open(self.path, "rb", buffering=0) as log:
            log.seek(self._offset)
            data = log.read(most) or b""
        self._offset += len(data)
        # The rest of a line without its beginning could be read as another metric.
        return _END.split(data, maxsplit=1)[-1] if is_skipped else data


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


Number: TypeAlias = int | float
"""A metric: int if it is written as an integer."""

_LONGEST = 400
_NUMBER = r"([-+]?(?:(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][-+]?\d{1,4})?|inf|nan|Infinity|NaN))"
_WORD = r"[^\W\d][\w./@-]{0,60}"
_NAME = rf"({_WORD}(?:[ ]{_WORD}){{0,2}})"
_PAIR = re.compile(rf"{_NAME}(?:[ \t]*=[ \t]*|[ \t]*:[ \t]+){_NUMBER}(?:[ ]?%)?(?=[\s,;|)]|\Z)")
_COUNTER = re.compile(
    r"((?i:epoch|step|iter|iteration|batch|round|episode|trial|fold))"
    r"[ #:]{1,2}(\d{1,12})(?:[ ]?(?:/|of)[ ]?\d{1,12})?(?=[\s,;|:)\]]|\Z)[:]?"
)
_BESIDE = re.compile(
    r"[\s,;|()\u2013\u2022\u00b7]+"
    r"|-(?=\s)"
    r"|\[\d{1,12}/\d{1,12}[ ]\(\d{1,3}%\)\]"  # [640/60000 (1%)]
    r"|\[?\d{1,12}[ ]?/[ ]?\d{1,12}\]?(?=[\s,;|:]|\Z):?"  # [12/100]
    r"|\d{1,3}%(?=[\s,;|:]|\Z):?"
    r"|(?:ETA:[ ])?\d{1,6}(?:\.\d{1,6})?(?:us|µs|ms|s|m|h)(?:/\w{1,10})?(?=[\s,;|]|\Z)"  # 3ms/step
    r"|\[[=#>. -]{2,300}\]|[━╸╺]{2,300}"
)
_ENTRY = re.compile(rf"\s*(['\"])([^'\"{{}}]{{1,120}})\1\s*:\s*{_NUMBER}\s*(,|\}}\Z)")
_TQDM = re.compile(
    r"\d{1,3}%\|.{0,300}\| *\d{1,12}/\d{1,12} \[[^\]]{0,60}?(?:it|s|B)(?:/\w+)?, (.*)\]\Z"
)
# The last line of a traceback: `KeyError: 3`, `json.decoder.JSONDecodeError: 3`.
_ERRORS = frozenset(
    name
    for name, one in vars(builtins).items()
    if isinstance(one, type) and issubclass(one, BaseException)
)
_OTHER_ERROR = re.compile(r"(?:\w+\.)+\w+(?:Error|Exception)")


def read_metrics(line: str) -> dict[str, Number]:
    """Name -> number, in the order of *line*; empty if it holds other text as well."""
    if len(line) > _LONGEST or not ("=" in line or ":" in line):
        return {}
    line = line.strip()
    if line.startswith("{"):
        return _pairs(_entries(line))
    if "%|" in line:
        bar = _TQDM.search(line)
        return _pairs(_parts(bar[1])) if bar else {}
    return _pairs(_parts(line))


class _OtherTextError(Exception):
    """The line holds text that is no metric."""


def _pairs(found: Iterator[tuple[str, str]]) -> dict[str, Number]:
    try:
        return {name: _number(text) for name, text in found}
    except _OtherTextError:
        return {}


def _parts(line: str) -> Iterator[tuple[str, str]]:
    """The pairs of ``epoch 3/10 | loss: 0.1, acc=0.9``."""
    position = 0
    while position < len(line):
        found = _PAIR.match(line, position) or _COUNTER.match(line, position)
        if found:
            if found[1] in _ERRORS or _OTHER_ERROR.fullmatch(found[1]):
                raise _OtherTextError
            yield found[1], found[2]
        else:
            found = _BESIDE.match(line, position)
        if not found:
            raise _OtherTextError
        position = found.end()


def _entries(line: str) -> Iterator[tuple[str, str]]:
    """The pairs of ``{'loss': 0.1, "acc": 0.9}``."""
    position = 1
    while position < len(line):
        found = _ENTRY.match(line, position)
        if not found:
            raise _OtherTextError
        yield found[2], found[3]
        position = found.end()


def _number(text: str) -> Number:
    try:
        return int(text)
    except ValueError:
        return float(text)


def metrics_text(metrics: dict[str, Number]) -> str:
    """``loss=0.12 acc=0.9``."""
    return " ".join(f"{name}={number_text(number)}" for name, number in metrics.items())


def number_text(number: Number) -> str:
    """*number* in about ten characters at most."""
    return str(number) if isinstance(number, int) and abs(number) < 10**9 else f"{number:.5g}"


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
    #: Name of a metric -> its last value.
    metrics: dict[str, Number] = field(default_factory=dict)


def seen_of(run: Run) -> Seen:
    """The Seen of *run*; an empty one if its log was not read."""
    found = run.notes.get(_NOTE)
    return found if isinstance(found, Seen) else Seen()


def new_seen(run: Run) -> Seen:
    """A new Seen in the ``notes`` of *run*."""
    run.notes[_NOTE] = seen = Seen()
    return seen
