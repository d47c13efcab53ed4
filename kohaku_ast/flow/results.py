"""Results of finished runs: the numbers that they printed, and Repeats, which groups the runs of a
Config that runs several times.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from math import inf, isfinite, nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeAlias

from kohaku_ast.display.text import plain_line
from kohaku_ast.flow.log_watch import read_metrics
from kohaku_ast.flow.run import SUCCEEDED, Observer, Run
from kohaku_ast.runner.outcome import Outcome

Numbers: TypeAlias = Mapping[str, tuple[float, float, int]]
"""Name of a result -> its mean, its standard deviation, and the number of runs that have it."""

_MOST_GROUPS = 1_000
_LINE_END = re.compile(rb"\r\n|[\r\n]")
_LONGEST_LINE = 1_000

_MOST_OF_LOG = 4 << 20
"""Bytes at the end of a log that are searched for the last number of each metric."""


def printed_metrics(path: Path) -> dict[str, float]:
    """The last number of each metric that a finished run has printed into the log at *path*."""
    found: dict[str, float] = {}
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MOST_OF_LOG))
            data = file.read(_MOST_OF_LOG)
    except OSError:
        return found
    for line in _LINE_END.split(data):
        if (b":" in line or b"=" in line) and len(line) <= _LONGEST_LINE:
            found |= read_metrics(plain_line(line.decode("utf-8", "replace")))
    return found


class Repeats(Observer):
    """Groups the runs of each Config that is repeated, with the mean and the spread of what they
    printed, returned and kept as outputs.
    """

    def __init__(self, metrics: bool) -> None:
        """*metrics*: whether printed numbers are read."""
        self._metrics = metrics
        #: Label of a Config -> the number of its runs, and the numbers of each name.
        self.groups: dict[str, tuple[int, dict[str, list[float]]]] = {}
        #: The number of runs in no group, because there are too many groups.
        self.others = 0

    def on_end(self, run: Run) -> None:
        """Add the numbers of *run*."""
        self._add(run)

    def on_skip(self, run: Run) -> None:
        """The same for a run that an earlier flow has done."""
        self._add(run)

    def _add(self, run: Run) -> None:
        if run.repeat is None:
            return
        group = run.group
        if group not in self.groups and len(self.groups) == _MOST_GROUPS:
            self.others += 1
            return
        count, numbers = self.groups.get(group, (0, {}))
        outcome = run.outcome
        if outcome is not None and outcome.status == SUCCEEDED:
            for name, number in self._numbers(run, outcome):
                numbers.setdefault(name, []).append(number)
        self.groups[group] = count + 1, numbers

    def _numbers(self, run: Run, outcome: Outcome) -> Iterator[tuple[str, float]]:
        printed = printed_metrics(run.log) if run.log and self._metrics else {}
        value = outcome.value
        named = dict(value) if isinstance(value, Mapping) else {"value": value}
        for name, one in {**printed, **named, **outcome.outputs}.items():
            number = as_number(one)
            if number is not None:
                yield str(name), number

    def rows(self) -> Iterator[tuple[str, int, Numbers]]:
        """For each Config its label, the number of its runs, and their numbers."""
        for group, (count, numbers) in self.groups.items():
            yield (
                group,
                count,
                {
                    name: (_mean(found), _spread(found), len(found))
                    for name, found in numbers.items()
                },
            )

    def lines(self) -> Iterator[str]:
        """The groups as text: ``repeated lr=0.1, 3 runs: loss=0.5 ± 0.02``."""
        for group, count, numbers in self.rows():
            pairs = " ".join(
                f"{name}={mean:.4g} ± {spread:.2g}" + (f" ({of} of them)" if of < count else "")
                for name, (mean, spread, of) in numbers.items()
            )
            runs = f"{count} run{'s' if count != 1 else ''}"
            yield plain_line(f"repeated {group}, {runs}: {pairs or 'no numbers'}")
        if self.others:
            yield f"repeated ... and {self.others} runs more, of other Configs"


def _mean(found: list[float]) -> float:
    try:
        return fmean(found)
    except ValueError:  # of inf and -inf
        return nan
    except OverflowError:  # the sum of the greatest numbers
        return sum(one / len(found) for one in found)


def _spread(found: list[float]) -> float:
    """The standard deviation; that of a nan or an infinite number is nan."""
    if not all(map(isfinite, found)):
        return nan
    try:
        return stdev(found) if len(found) > 1 else 0.0
    except OverflowError:
        return inf


def as_number(value: object) -> float | None:
    """*value* as a float if it is a number, or an array or a tensor of one number."""
    item = getattr(value, "item", None)
    try:
        # Not float(): numpy deprecates it for arrays of one number.
        plain: Any = item() if callable(item) and not isinstance(value, type) else value
        if isinstance(plain, (bool, str, bytes)) or not hasattr(type(plain), "__float__"):
            return None
        return float(plain)
    except Exception:  # an array of several, whatever its library raises then
        return None
