"""ResumedRuns: the runs of a flow that earlier flows, or others at the same time, have finished."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from kohaku_ast.files import Claims
from kohaku_ast.flow.run import FAILED, RUNNING, SUCCEEDED, Run
from kohaku_ast.runner.bind import Bound
from kohaku_ast.store import own_modules
from kohaku_ast.store.environment import host
from kohaku_ast.store.identity import program_hash, without_content
from kohaku_ast.store.record import MEANWHILE, Finished, Record, working_folder
from kohaku_ast.store.run_folder import CHECKPOINTS, CLAIMS, FILES, mark_root


class ResumedRuns:
    """Finds the runs that earlier flows finished, and counts those that are skipped."""

    def __init__(
        self,
        root: Path,
        retry_failed: bool,
        warn: Callable[[str, str], None],
        tell: Callable[[str], None],
    ) -> None:
        """*warn* gets a subject, about which it warns once, and a sentence; *tell* a sentence."""
        own_modules.forget()  # those of an earlier flow in this process
        self._finished, self._warn, self._tell = Finished(root), warn, tell
        self._statuses = (SUCCEEDED,) if retry_failed else (SUCCEEDED, FAILED)
        self._root = root
        #: The runs that this flow has under way; another one that resumes leaves them to it.
        self.claims = Claims(os.path.join(root, CLAIMS))
        self._names: dict[int, str] = {}
        self._equal_runs: Counter[str] = Counter()
        self._is_shared = False
        #: The names of the folders of this flow's own records.
        self.own: set[str] = set()
        #: State -> number of skipped runs that had ended in it.
        self.skipped: Counter[str] = Counter()
        #: The number of skipped runs whose record has another git commit.
        self.other_commit = 0

    def is_done(self, run: Run, bound: Bound, identity: str, commit: str) -> bool | None:
        """Whether there is a record for *run*, which then gets its Outcome, folder and log. None:
        another flow that resumes runs it just now.
        """
        if not self._claim(run, identity):
            return None
        # After the claim: a flow gives it back when it has written its record.
        self._finished.add_new(self.own)
        wanted = set(bound.config.outputs) if bound.config else set()
        record = self._take(run, identity, wanted) or self._take_unfinished(run, identity, wanted)
        if record is None:
            self._find_checkpoints(run, identity)
            self._warn_of_changed_program(run, bound)
            self._warn_of_unstable_value(run, bound)
            return False
        self.give_back(run)
        run.outcome, run.folder, run.log = record.outcome(), record.folder, record.log
        self.skipped[record.status] += 1
        self.other_commit += bool(record.commit and commit and record.commit != commit)
        self._warn_of_lost_values(record)
        return True

    def _claim(self, run: Run, identity: str) -> bool:
        if run.index not in self._names:
            # Of five equal runs, two flows may run some each.
            self._names[run.index] = f"{identity}-{self._equal_runs[identity]}"
            self._equal_runs[identity] += 1
        try:
            mark_root(self._root)
        except OSError:
            return True  # there is no place for records, either
        is_ours = self.claims.take(self._names[run.index])
        if not is_ours and not self._is_shared:
            self._is_shared = True
            self._tell(
                "another flow resumes the same runs: this one takes those that are left, and waits "
                "for the end of those under way there"
            )
        return is_ours

    def give_back(self, run: Run) -> None:
        """*run* has ended: its record says so to the other flows."""
        name = self._names.pop(run.index, "")
        if name:
            self.claims.give_back(name)

    def __str__(self) -> str:
        """What was skipped, in a sentence; empty if nothing was."""
        good, bad = self.skipped[SUCCEEDED], self.skipped[FAILED]
        parts = [f"{good} that succeeded before"] if good else []
        parts += [f"{bad} that failed before (--retry-failed runs them again)"] if bad else []
        hint = f"; {self.other_commit} of them at another git commit" if self.other_commit else ""
        return f"skipped {' and '.join(parts)}{hint}" if parts else ""

    def _take(self, run: Run, identity: str, wanted: set[str]) -> Record | None:
        # Of equal runs, a record of the other flow is that of the run which it has claimed. Before
        # the second one comes, nothing says that there are any.
        is_exact = self._equal_runs[identity] > 1
        for status in self._statuses:
            # A failed run has no outputs.
            needed = wanted if status == SUCCEEDED else ()
            record = self._finished.take(identity, status, needed, run.index, is_exact)
            if record is not None:
                return record
        return self._finished.take(identity, MEANWHILE, (), run.index, is_exact)

    def _take_unfinished(self, run: Run, identity: str, wanted: set[str]) -> Record | None:
        """The record of a run that another flow had under way when this one began."""
        record = self._finished.take(identity, RUNNING)
        if record is None or record.status == RUNNING:
            self._warn_of_orphan(run, record)
            return None
        # A failure, too: it was tried while this flow ran.
        is_enough = record.status == FAILED or record.wanted >= wanted
        return record if record.status in (SUCCEEDED, FAILED) and is_enough else None

    def _find_checkpoints(self, run: Run, identity: str) -> None:
        """Let *run* go on from the last checkpoints of a run that did not succeed."""
        for name in self._finished.unfinished(identity):
            folder = self._root / name
            try:
                if os.listdir(folder / FILES / CHECKPOINTS):
                    run.resumed_from = folder
                    return
            except OSError:
                continue  # it has none

    def _warn_of_lost_values(self, record: Record) -> None:
        for name in record.only_shown:
            text = (
                f"{name!r} of a run that is skipped was recorded as text only "
                f"({record.folder.name}): its Outcome has none. Let the script return plain "
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

    def _warn_of_changed_program(self, run: Run, bound: Bound) -> None:
        script = bound.launch.shown
        start = script, bound.program.entry_name, run.label
        if self._finished.knows_other(start, program_hash(bound, working_folder())):
            text = (
                f"{run.label} has succeeded before, but {script} or a module that it imports has "
                "changed since: such runs are run again."
            )
            self._warn(f"change of {script}", text)

    def _warn_of_unstable_value(self, run: Run, bound: Bound) -> None:
        found = without_content(bound)
        if found is not None:
            target, reason = found
            text = (
                f"{run.label}: {target!r} holds a value that cannot be recognised in another "
                f"process ({reason}): such runs are always run again."
            )
            self._warn(f"value of {target}", text)


def _where_it_runs(record: Record) -> str:
    there = record.facts["host"]
    if there != host():
        return f"was running on {there!r} when its record was last written"
    process = record.facts["process"] or record.facts["flow"]
    return f"still runs in process {process['pid']} of another flow"
