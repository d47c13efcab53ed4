"""Report: what is said when a flow is over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TextIO

from kohaku_ast.display.live import Out
from kohaku_ast.flow.display.failures import Again, Failure, Failures, no_command
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import FAILED, Run


class Report(Observer):
    """The failures, grouped by equal error, and as the last line the counts."""

    def __init__(self, stream: TextIO, again: Again = no_command) -> None:
        self._out = Out(stream)
        self._failures = Failures(again)
        self._seed: object = None

    def on_end(self, run: Run) -> None:
        """Keep what is to be told of a failure."""
        self._seed = run.config.metadata.get("sweep_seed", self._seed)
        if run.state == FAILED:
            self._failures.add(run)

    def on_finish(self, summary: Summary) -> None:
        """Tell it."""
        broken = f"kogine: error: {summary.broken}" if summary.broken else ""
        self._out.say("interrupted" if summary.is_interrupted else "", broken)
        if summary.is_refused:
            return  # told as the mistake that it is
        for failure in self._failures.groups.values():
            self._out.say(*_lines(failure))
        others = self._failures.others
        self._out.say(f"failed ... and {others} more, with other errors" if others else "")
        self._out.say("" if self._seed is None else f"drawn with --seed {self._seed}")
        self._out.say(str(summary))


def _lines(failure: Failure) -> Iterator[str]:
    yield f"failed {failure.number} {failure.label}: {failure.error}"
    if failure.count > 1:
        yield f"  (and {failure.count - 1} more with the same error: {_numbers(failure)})"
    for line in failure.lines:
        yield f"  | {line}"
    if failure.log:
        yield f"  log: {_short(failure.log)}"
    if failure.again:
        yield f"  again: {failure.again}"


def _short(log: str) -> str:
    """From the working folder, if it lies below it."""
    try:
        short = os.path.relpath(log)
    except (OSError, ValueError):  # the folder is gone; another drive
        return log
    return log if short.startswith(os.pardir) else short


def _numbers(failure: Failure) -> str:
    """The numbers of all but the first."""
    others = [f"[{index + 1}]" for index in sorted(failure.indexes[1:])]
    return ", ".join(others) + (", ..." if failure.count > len(failure.indexes) else "")
