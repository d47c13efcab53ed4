"""Resumed: the runs of earlier flows that stand in for runs of this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from kohaku_ast.flow.run import FAILED, RUNNING, SUCCEEDED, Run
from kohaku_ast.runner.bind import Bound
from kohaku_ast.store import own_modules
from kohaku_ast.store.environment import host
from kohaku_ast.store.facts import working_folder
from kohaku_ast.store.find import Finished
from kohaku_ast.store.identity import program_hash, without_content
from kohaku_ast.store.record import Record


class Resumed:
    """What of a flow was done before."""

    def __init__(
        self, finished: Finished, retry_failed: bool, warn: Callable[[str, str], None]
    ) -> None:
        """*warn* gets a subject, of which it speaks once, and a sentence."""
        own_modules.forget()  # of the flow before, in a notebook
        self._finished, self._warn = finished, warn
        self._statuses = (SUCCEEDED,) if retry_failed else (SUCCEEDED, FAILED)
        #: How the runs that were not run again had ended -> how many.
        self.skipped: Counter[str] = Counter()
        #: Of these: at another git commit than now.
        self.elsewhere = 0

    def is_done(self, run: Run, bound: Bound, identity: str, commit: str) -> bool:
        """Whether there is a record for *run*, which then gets its Outcome, folder and log."""
        wanted = set(bound.config.outputs) if bound.config else set()
        record = self._take(identity, wanted) or self._taken_meanwhile(run, identity, wanted)
        if record is None:
            self._warn_of_change(run, bound)
            self._warn_of_value(run, bound)
            return False
        run.outcome, run.folder, run.log = record.outcome(), record.folder, record.log
        self.skipped[record.status] += 1
        self.elsewhere += bool(record.commit and commit and record.commit != commit)
        self._warn_of_text(record)
        return True

    def __str__(self) -> str:
        """What was skipped, in a sentence; empty if nothing was."""
        good, bad = self.skipped[SUCCEEDED], self.skipped[FAILED]
        parts = [f"{good} that succeeded before"] if good else []
        parts += [f"{bad} that failed before (--retry-failed runs them again)"] if bad else []
        hint = f"; {self.elsewhere} of them at another git commit" if self.elsewhere else ""
        return f"skipped {' and '.join(parts)}{hint}" if parts else ""

    def _take(self, identity: str, wanted: set[str]) -> Record | None:
        for status in self._statuses:
            # Of a failed run there are no outputs.
            record = self._finished.take(identity, status, wanted if status == SUCCEEDED else ())
            if record is not None:
                return record
        return None

    def _taken_meanwhile(self, run: Run, identity: str, wanted: set[str]) -> Record | None:
        """Of a run that was under way in another flow when this one began."""
        record = self._finished.take(identity, RUNNING)
        if record is None or record.status == RUNNING:
            self._warn_of_orphan(run, record)
            return None
        is_enough = record.status == FAILED or record.wanted >= wanted
        return record if record.status in self._statuses and is_enough else None

    def _warn_of_text(self, record: Record) -> None:
        for name in record.only_shown:
            text = (
                f"{name!r} of a run that is skipped was recorded as text only "
                f"({record.folder.name}): its Outcome has none. Let the script give back plain "
                "values or the path of a file, or run without --resume."
            )
            self._warn(f"text of {name}", text)

    def _warn_of_orphan(self, run: Run, record: Record | None) -> None:
        if record is not None:
            text = (
                f"{run.label}: {_where_it_runs(record)} ({record.folder.name}); "
                "it is run a second time."
            )
            self._warn(f"orphan {record.identity}", text)

    def _warn_of_change(self, run: Run, bound: Bound) -> None:
        script = bound.launch.shown
        start = script, bound.program.entry_name, run.label
        if self._finished.knows_other(start, program_hash(bound, working_folder())):
            text = (
                f"{run.label} has succeeded before, but {script} or a module that it imports has "
                "changed since: such runs are run again."
            )
            self._warn(f"change of {script}", text)

    def _warn_of_value(self, run: Run, bound: Bound) -> None:
        found = without_content(bound)
        if found is not None:
            target, reason = found
            text = (
                f"{run.label}: {target!r} holds what cannot be told to be the same in another "
                f"process ({reason}): such runs are always run again."
            )
            self._warn(f"value of {target}", text)


def _where_it_runs(record: Record) -> str:
    there = record.facts["host"]
    if there != host():
        return f"was running on {there!r} when its record was last written"
    process = record.facts["process"] or record.facts["flow"]
    return f"still runs in process {process['pid']} of another flow"
