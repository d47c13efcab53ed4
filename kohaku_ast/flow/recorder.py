"""Recorder: writes a record of every run of a flow, and finds runs that earlier flows finished.

A disk that cannot be written never stops a run: the user is warned once, and the runs go on.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kohaku_ast.files import Claims
from kohaku_ast.flow.output_process import left_out, limit_log
from kohaku_ast.flow.run import FAILED, INTERRUPTED, RUNNING, SUCCEEDED, Observer, Run, Summary
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.store import own_modules
from kohaku_ast.store.environment import ProcessMark, host
from kohaku_ast.store.identity import identity, program_hash, without_content
from kohaku_ast.store.record import (
    MEANWHILE,
    SCHEMA,
    Finished,
    FlowEnvironment,
    Record,
    attempt_fields,
    end_fields,
    process_field,
    program_fields,
    start_fields,
    working_folder,
)
from kohaku_ast.store.run_folder import CLAIMS, LOG, RunFolder, mark_root

_IDENTITY = "identity"
_MOST_UNWRITTEN = 1000
_SLACK = 4_000_000
"""Bytes by which a log may be too long while its run writes to it: the process that copies output
limits a log exactly, and two must not do it at once.
"""


class Recorder(Observer):
    """Writes records below *root*; see ``docs/reference/records.md``."""

    def __init__(
        self,
        root: Path,
        *,
        resume: bool = False,
        retry_failed: bool = False,
        has_logs: bool = True,
        log_limit: int = FlowSettings.log_limit,
        variables: Callable[[Run], Mapping[str, str]] = lambda run: {},
        warn: Callable[[str], None],
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """*resume*: runs that earlier flows finished are skipped, also failed ones unless
        *retry_failed* (which resumes as well). A log holds at most *log_limit* bytes. *variables*
        gives the variables that a run has besides the environment of this process. *warn* gets,
        once, why something cannot be written, and *tell*, at the end, how many runs were skipped.
        """
        self.root, self.has_logs, self.log_limit = root.absolute(), has_logs, log_limit
        self.variables = variables
        seen: set[str] = set()

        def warn_once(subject: str, text: str) -> None:
            if subject not in seen:
                seen.add(subject)
                warn(text)

        self._warn, self._tell = warn_once, tell
        #: The runs that were skipped; None if nothing is resumed.
        self.resumed: ResumedRuns | None = None
        if resume or retry_failed:
            self.resumed = ResumedRuns(self.root, retry_failed, warn_once, tell)
        self._environment = FlowEnvironment()
        self._open: dict[int, OpenRecord] = {}
        self._unwritten: list[OpenRecord] = []

    # --- before a run ----------------------------------------------------------------------------

    def is_done(self, run: Run, bound: Bound) -> bool | None:
        """Whether *run* need not run; then it gets its recorded Outcome, folder and log.

        None: another flow that resumes runs it just now.
        """
        # Before other code reads the values: reading changes the content of some.
        name = self._identity(run, bound)
        if self.resumed is None or run.attempt > 1:
            return False
        return self.resumed.is_done(run, bound, name, self._environment.commit_of(bound))

    def open(self, run: Run, bound: Bound) -> int | None:
        """Make or reuse the folder of *run* and record there that it runs.

        Returns the descriptor of its log, for stdout and stderr, which the caller closes; None if
        there is no log.
        """
        record = self._open.get(run.index) or self._create(run, bound)
        if record is None:
            return None
        log = record.begin(run)
        record.facts["environment"] = self._environment.of_run(self.variables(run))
        self._open[run.index] = record
        if not self._write(record) and not record.attempts:
            self._forget(run, log)
            return None
        run.folder, run.log = record.folder.path, record.folder.log if log is not None else None
        if record.log_error is not None:
            self._cannot("keep what a run prints", record.log_error)
        return log

    def on_process(self, run: Run, pid: int) -> None:
        """Record the process of *run*."""
        record = self._open.get(run.index)
        if record is not None:
            record.facts["process"] = process_field(ProcessMark.of(pid))
            self._write(record)

    def on_refuse(self, run: Run) -> None:
        """Remove the folder of *run*."""
        record = self._open.pop(run.index, None)
        if record is not None:
            record.folder.remove()
        self._give_back(run)

    # --- during and after a run ------------------------------------------------------------------

    def on_retry(self, run: Run, seconds: float) -> None:
        """End the attempt in the record: the run goes on with another one."""
        record = self._open.get(run.index)
        if record is not None:
            self._limit_log(run)
            record.end(FAILED, run.outcome, run.ended)
            record.put_attempt_aside()
            self._write(record)

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Limit the logs that runs write themselves."""
        for run in running:
            self._limit_log(run, slack=_SLACK)

    def on_end(self, run: Run) -> None:
        """Write the final record."""
        record = self._open.get(run.index)
        if record is None or not record.is_between_attempts:
            self._limit_log(run)
            self._end(run.index, run.state, run.outcome, run.ended)
        else:
            run.log = record.make_last_attempt()
            self._close(run.index, record)
        self._give_back(run)

    def on_finish(self, summary: Summary) -> None:
        """Record runs without an end as interrupted, and report the runs that were skipped."""
        for index, record in list(self._open.items()):
            if record.is_between_attempts:
                record.make_last_attempt()
                self._close(index, record)
            else:
                self._end(index, INTERRUPTED, None, record.run.now())
        for record in self._unwritten:
            self._write(record)
        if self.resumed is not None:
            self.resumed.claims.close()
            if str(self.resumed):
                self._tell(str(self.resumed))

    def on_log_failed(self, error: OSError) -> None:
        """Warn that the output of runs could not be kept."""
        self._cannot("keep all that runs print", error)

    def _limit_log(self, run: Run, slack: int = 0) -> None:
        """Leave out the middle of the log of *run* if it is more than *slack* too long."""
        record = self._open.get(run.index)
        if record is None or run.log is None or not self.log_limit:
            return
        try:
            if os.stat(run.log).st_size <= self.log_limit // 2 + slack:
                return
            log = os.open(run.log, os.O_RDWR | os.O_APPEND)
            try:
                if os.fstat(log).st_size > self.log_limit + slack:
                    limit_log(log, self.log_limit)
                run.log_left_out = left_out(log, self.log_limit)
            finally:
                os.close(log)
        except OSError:
            return  # somebody has removed it
        if run.log_left_out:
            record.facts["log_left_out"] = run.log_left_out

    def _give_back(self, run: Run) -> None:
        if self.resumed is not None:
            self.resumed.give_back(run)

    # --- inside ----------------------------------------------------------------------------------

    def _create(self, run: Run, bound: Bound) -> OpenRecord | None:
        try:
            folder = RunFolder.create(self.root, self._identity(run, bound), run.started)
        except OSError as error:
            self._cannot("keep a record", error)
            return None
        if self.resumed is not None:
            self.resumed.own.add(folder.path.name)
        overrides = run.work.binder.all_overrides(run.config)
        return OpenRecord(
            run,
            folder,
            {
                "schema": SCHEMA,
                "identity": self._identity(run, bound),
                "label": run.label,
                "index": run.index,
                "work": run.work.name,
                **start_fields(run.started, run.attempt, None),
                **program_fields(bound, overrides, working_folder()),
                **self._environment.of_flow(bound),
            },
            self.has_logs,
        )

    def _identity(self, run: Run, bound: Bound) -> str:
        if _IDENTITY not in run.notes:
            run.notes[_IDENTITY] = identity(bound, working_folder())
        return str(run.notes[_IDENTITY])

    def _end(self, index: int, status: str, outcome: Outcome | None, ended: float) -> None:
        record = self._open.get(index)
        if record is not None:
            record.end(status, outcome, ended)
            self._close(index, record)

    def _close(self, index: int, record: OpenRecord) -> None:
        del self._open[index]
        self._environment.add_changes(record.facts)
        if not self._write(record) and len(self._unwritten) < _MOST_UNWRITTEN:
            self._unwritten.append(record)

    def _write(self, record: OpenRecord) -> bool:
        try:
            record.write()
        except OSError as error:
            self._cannot("keep a record", error)
            return False
        return True

    def _cannot(self, what: str, error: OSError) -> None:
        reason = error.strerror or str(error)
        text = (
            f"cannot {what} below {str(self.root)!r}: {reason}. The runs go on; "
            "make room for it, or switch records off with --no-record."
        )
        self._warn(reason, text)

    def _forget(self, run: Run, log: int | None) -> None:
        if log is not None:
            os.close(log)
        self._open.pop(run.index).folder.remove()


def make_recorder(
    settings: FlowSettings, warn: Callable[[str], None], tell: Callable[[str], None]
) -> Recorder | None:
    """The Recorder of a flow with *settings*; None if it keeps no records."""
    if not settings.records:
        return None
    return Recorder(
        # Not Path.absolute: a flow runs even if its working folder was removed.
        Path(working_folder(), settings.root),
        resume=settings.resumes,
        retry_failed=settings.retries_failed,
        has_logs=settings.has_logs,
        log_limit=settings.log_limit,
        variables=settings.variables,
        warn=warn,
        tell=tell,
    )


class OpenRecord:
    """The record of a run that has not ended: its folder and the fields of run.json."""

    def __init__(
        self, run: Run, folder: RunFolder, fields: dict[str, object], has_log: bool
    ) -> None:
        self.run = run
        self.folder = folder
        self.facts = fields
        self.attempts: tuple[dict[str, object], ...] = ()
        self.has_log = has_log
        self.is_between_attempts = False
        #: Why there is no log, though there should be one.
        self.log_error: OSError | None = None

    def begin(self, run: Run) -> int | None:
        """Begin an attempt at *run*; return the descriptor of its log, which the caller closes."""
        self.is_between_attempts = False
        self.facts.update(
            start_fields(run.started, run.attempt, None), attempts=self.attempts, log=None
        )
        return self._open_log() if self.has_log else None

    def _open_log(self) -> int | None:
        try:
            log = self.folder.open_log()
        except OSError as error:
            self.log_error = error
            return None
        self.facts["log"], self.log_error = LOG, None
        return log

    def end(self, status: str, outcome: Outcome | None, ended: float) -> None:
        """Set the fields of an attempt, perhaps the last one, that has ended."""
        self.facts.update(end_fields(status, outcome, ended))

    def put_attempt_aside(self) -> None:
        """Move the attempt that has ended to ``attempts``: another one comes."""
        number = self.facts["attempt"]
        assert isinstance(number, int)
        if self.facts["log"] is not None:
            try:
                self.facts["log"] = self.folder.keep_log(number)
            except OSError:
                self.facts["log"] = None
        self.attempts += (attempt_fields(self.facts),)
        self.facts["attempts"] = self.attempts
        self.is_between_attempts = True
        self.facts["status"] = "running"

    def make_last_attempt(self) -> Path | None:
        """Take the last one out of ``attempts``: no other one comes. Returns its log."""
        *others, last = self.attempts
        self.facts.update(last, attempts=others)
        self.is_between_attempts = False
        return None if last["log"] is None else self.folder.path / str(last["log"])

    def write(self) -> None:
        """Write run.json. Raises OSError."""
        self.folder.write(self.facts)


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
        # Of equal runs, a record of the other flow is that of the run which it has claimed.
        index = run.index if self._equal_runs[identity] > 1 else None
        for status in self._statuses:
            # A failed run has no outputs.
            needed = wanted if status == SUCCEEDED else ()
            record = self._finished.take(identity, status, needed, index)
            if record is not None:
                return record
        return self._finished.take(identity, MEANWHILE, index=index)

    def _take_unfinished(self, run: Run, identity: str, wanted: set[str]) -> Record | None:
        """The record of a run that another flow had under way when this one began."""
        record = self._finished.take(identity, RUNNING)
        if record is None or record.status == RUNNING:
            self._warn_of_orphan(run, record)
            return None
        # A failure, too: it was tried while this flow ran.
        is_enough = record.status == FAILED or record.wanted >= wanted
        return record if record.status in (SUCCEEDED, FAILED) and is_enough else None

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
