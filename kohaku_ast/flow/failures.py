"""Failed runs: the error of one on a line, and groups of those that failed alike."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from kohaku_ast.display.text import plain_line
from kohaku_ast.files import short_path
from kohaku_ast.flow.run import Run
from kohaku_ast.store.run_folder import RUNS, last_lines

if TYPE_CHECKING:
    from pathlib import Path

    from kohaku_ast.runner.outcome import Outcome
    from kohaku_ast.store.store import Runs

_MOST_GROUPS = 20
_MOST_NUMBERS = 8
_LOG_LINES = 10
_MOST_WIDTH = 200
_VARYING = re.compile(
    r"\S*[/\\]\S*"  # paths
    r"|\b0x[0-9a-fA-F]+|\b(?=\w*\d)[0-9a-fA-F]{8,}\b"  # addresses, parts of UUIDs
    r"|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
)


class Failed(Protocol):
    """A failed run: one of a flow, or a recorded one."""

    @property
    def number(self) -> str:
        """``[2/4]``, or its number in the store."""

    @property
    def title(self) -> str:
        """Its label."""

    @property
    def index(self) -> int:
        """Its place."""

    @property
    def outcome(self) -> Outcome | None:
        """How it ended."""

    @property
    def log(self) -> Path | None:
        """The file with its output."""


Again = Callable[[Run], str]
"""Gives the command that repeats a run; empty if there is none."""


def no_command(run: Run) -> str:
    """For flows that no command line describes."""
    return ""


def command_from_record(folder: Path, verb: str = "repeat") -> str:
    """The command that runs the record in *folder* again, with the values that it has."""
    root = short_path(str(folder.parent))
    store = ["--store", root] if root != str(RUNS) else []
    return shlex.join(["kogine", "runs", verb, folder.name, *store])


Resume = Callable[[object], str]
"""Gives the command that goes on with an interrupted flow, for the seed of its draws or None; empty
if there is none.
"""


def no_resume(seed: object) -> str:
    """For flows that keep no records."""
    return ""


@dataclass
class FailedRuns:
    """Runs that failed with the same error, with details of the first one."""

    #: Its number and its label.
    number: str
    label: str
    #: The first line of the error.
    error: str
    #: The last lines of its log, as plain text.
    lines: tuple[str, ...]
    log: str
    again: str
    #: The number of runs, and the indexes of the first of them.
    count: int = 1
    indexes: list[int] = field(default_factory=list)


class FailureSummary:
    """Groups of failed runs. It keeps no Run."""

    def __init__(self, again: Again = no_command) -> None:
        self.groups: dict[str, FailedRuns] = {}
        #: The number of runs in no group, because there are too many groups.
        self.others = 0
        self._again: Callable[[Any], str] = again

    def add(self, run: Failed) -> None:
        """Add *run*, which has failed."""
        key = error_key(run)
        group = self.groups.get(key)
        if group is not None:
            group.count += 1
        elif len(self.groups) < _MOST_GROUPS:
            group = self.groups[key] = self._group(run)
        else:
            self.others += 1
            return
        if len(group.indexes) < _MOST_NUMBERS:
            group.indexes.append(run.index)

    def _group(self, run: Failed) -> FailedRuns:
        return FailedRuns(
            run.number, run.title, error_line(run), log_lines(run, _LOG_LINES),
            str(run.log or ""), self._again(run),
        )  # fmt: skip


@dataclass(frozen=True)
class RecordedFailure:
    """A recorded run that failed; ``index`` is its number in the store."""

    number: str
    title: str
    index: int
    outcome: Outcome
    log: Path | None


def recorded_failures(runs: Runs) -> FailureSummary:
    """The groups of those of *runs* that have failed; their indexes are numbers in the store."""
    groups = FailureSummary()
    for run in runs.summaries:
        if run.status == "failed":
            record = runs.record(run)
            outcome = record.outcome()
            failed = RecordedFailure(str(run.number), run.label, run.number, outcome, record.log)
            groups.add(failed)
    return groups


def error_line(run: Failed) -> str:
    """The error of *run*, on one line."""
    outcome = run.outcome
    if outcome is None:
        return ""
    why = str(outcome.error) if outcome.error else f"exit status {outcome.exit_status}"
    return plain_line(why.strip().split("\n", 1)[0])


def error_key(run: Failed) -> str:
    """Equal for errors that differ only in numbers, addresses and paths."""
    outcome = run.outcome
    if outcome is None:
        return ""
    if outcome.error is not None:
        return f"{outcome.error.type}: {_VARYING.sub('#', outcome.error.message[:2000])}"
    # `sys.exit("no data")` leaves only the last line of its log.
    last = log_lines(run, 1)
    return f"{outcome.exit_status} {_VARYING.sub('#', last[0]) if last else ''}"


def log_lines(run: Failed, count: int) -> tuple[str, ...]:
    """The last *count* lines in the log of *run* that are not blank."""
    lines = last_lines(run.log, 2 * count) if run.log else []
    shown = [plain_line(line, _MOST_WIDTH) for line in lines]
    return tuple([line for line in shown if line][-count:])
