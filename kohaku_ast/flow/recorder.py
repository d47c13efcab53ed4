"""Recorder: writes a record of every run of a flow, and finds runs that earlier flows finished.

A disk that cannot be written never stops a run: the user is warned once, and the runs go on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kohaku_ast.flow.open_record import OpenRecord
from kohaku_ast.flow.output_process import left_out, limit_log
from kohaku_ast.flow.resumed_runs import ResumedRuns
from kohaku_ast.flow.run import FAILED, INTERRUPTED, SUCCEEDED, Observer, Run, Summary
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.store.environment import FlowEnvironment, ProcessMark, process_field
from kohaku_ast.store.identity import identity
from kohaku_ast.store.record import (
    SCHEMA,
    program_fields,
    start_fields,
    working_folder,
)
from kohaku_ast.store.run_folder import FILES, RunFolder
from kohaku_ast.store.seeds import Seeds
from kohaku_ast.store.sources import Sources

if TYPE_CHECKING:
    from kohaku_ast.flow.cached_runs import CachedRuns
    from kohaku_ast.flow.run_artifacts import FlowArtifacts

_IDENTITY, _INPUTS = "identity", "inputs"
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
        in_run_dir: bool = False,
        cached: bool = False,
        inputs: Sequence[str] = (),
        needs_value: bool = False,
        artifacts: Sequence[str] = (),
        variables: Callable[[Run], Mapping[str, str]] = lambda run: {},
        warn: Callable[[str], None],
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """*resume*: runs that earlier flows finished are skipped, also failed ones unless
        *retry_failed* (which resumes as well). A log holds at most *log_limit* bytes.
        *in_run_dir*: the runs work in the folders for their files. *cached*: a run is left out if
        the store has its result; *needs_value*: only if it has the returned value itself. *inputs*
        are files that all runs read. *artifacts*: patterns of the files of each run that are
        kept, beside those of its Config. *variables* gives the variables that a run has besides the
        environment of this process. *warn* gets, once, why something cannot be written, and *tell*,
        at the end, how many runs were skipped.
        """
        self.root, self.has_logs, self.log_limit = root.absolute(), has_logs, log_limit
        self.variables, self.in_run_dir = variables, in_run_dir
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
        self._environment, self.sources = FlowEnvironment(), Sources(self.root)
        self._seeds = Seeds(self.sources.objects)
        self._is_cached, self._inputs, self._needs_value = cached, tuple(inputs), needs_value
        self._patterns = tuple(artifacts)
        self._open: dict[int, OpenRecord] = {}
        self._unwritten: list[OpenRecord] = []

    # --- before a run ----------------------------------------------------------------------------

    def is_done(self, run: Run, bound: Bound) -> bool | None:
        """Whether *run* need not run; then it gets its recorded Outcome, folder and log.

        None: another flow that resumes runs it just now. Raises UsageError for an input that does
        not exist.
        """
        # Before other code reads the values: reading changes the content of some.
        name = self._identity(run, bound)
        self._keep_inputs(run)
        if run.attempt > 1:
            return False
        if self.resumed is not None:
            commit = self._environment.commit_of(bound.launch.filename)
            found = self.resumed.is_done(run, bound, name, commit)
            if found is not False:
                return found
        return self._is_cached and self._take_result(run, bound)

    def open(self, run: Run, bound: Bound, pid: int | None = None) -> int | None:
        """Make or reuse the folder of *run* and record there that it runs, in the process *pid* if
        that is known.

        Returns the descriptor of its log, for stdout and stderr, which the caller closes; None if
        there is no log.
        """
        record = self._open.get(run.index) or self._create(run, bound)
        if record is None:
            return None
        log = record.begin(run)
        record.facts["process"] = process_field(ProcessMark.of(pid)) if pid else None
        if self.in_run_dir or self.sources.name_files(bound, record.facts["sources"]):
            record.make_files()
        record.facts["environment"] = self._environment.of_run(self.variables(run))
        self._open[run.index] = record
        if not self._write(record) and not record.attempts:
            self._forget(run, log)
            return None
        run.folder, run.log = record.folder.path, record.folder.log if log is not None else None
        run.params = record.params
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
            self._add_points(record)
            self._keep_artifacts(record)
            record.end(FAILED, run.outcome, run.ended)
            record.put_attempt_aside()
            self._write(record)

    def after(self, read_rest: Callable[[Run], None]) -> Callable[[Run], None]:
        """*read_rest*, and then what is kept of a run before its Outcome is passed on."""

        def read(run: Run) -> None:
            read_rest(run)
            self.keep_artifacts(run)

        return read

    def keep_artifacts(self, run: Run) -> None:
        """Keep the files of *run*, which has ended and gets no other attempt."""
        record = self._open.get(run.index)
        if record is None or record.artifacts is None:
            return
        if not record.is_between_attempts:
            # First: to copy them may take long, and something may kill this process meanwhile.
            record.end(run.state, run.outcome, run.ended or run.now())
            self._write(record)
            self._keep_artifacts(record, is_last=True)
        from kohaku_ast.store.artifacts import artifact_files  # here: few flows keep files

        run.artifacts = artifact_files(record.folder.path, record.facts)

    def keeps(self, path: str) -> bool:
        """Whether the file at *path* in the working folder is an artifact of some run."""
        keeps_any = "_artifacts" in vars(self)
        return keeps_any and self._artifacts.keeps(os.path.join(working_folder(), path))

    @cached_property
    def _artifacts(self) -> FlowArtifacts:
        from kohaku_ast.flow.run_artifacts import FlowArtifacts  # here: few flows keep files

        return FlowArtifacts(self.sources.objects, self._warn)

    def _artifact_patterns(self, run: Run) -> tuple[str, ...]:
        """Those of the flow, and of the Config of *run*."""
        return tuple(dict.fromkeys((*self._patterns, *run.config.artifacts)))

    def _keep_artifacts(self, record: OpenRecord, is_last: bool = False) -> None:
        if record.artifacts is not None:
            links = is_last and record.run.state == SUCCEEDED
            found = self._artifacts.keep(record.run, record.artifacts, self._cannot_keep, links)
            record.facts["artifacts"] = [one.fields() for one in found]

    def _cannot_keep(self, error: OSError) -> None:
        self._cannot("keep the artifacts of runs", error)

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Keep the metrics that were read, and limit the logs that runs write themselves."""
        for run in running:
            record = self._open.get(run.index)
            if record is not None:
                self._add_points(record)
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
                record.run.state = INTERRUPTED
                self.keep_artifacts(record.run)
                self._end(index, INTERRUPTED, None, record.run.now())
        if "_artifacts" in vars(self):
            self._artifacts.finish()
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
            log = os.open(run.log, os.O_RDWR)
            try:
                if os.fstat(log).st_size > self.log_limit + slack:
                    limit_log(log, self.log_limit, is_shared=True)
                run.log_left_out = left_out(log, self.log_limit)
            finally:
                os.close(log)
        except OSError:
            return  # somebody has removed it
        if run.log_left_out:
            record.facts["log_left_out"] = run.log_left_out

    def _add_usage(self, record: OpenRecord, outcome: Outcome | None) -> None:
        usage = outcome.usage if outcome is not None else None
        sources = record.facts["sources"]
        try:
            found = self.sources.end_fields(sources, usage, record.run.started)
            record.facts.update(found)
            if found.get("sources", sources) != sources:  # the run has found modules
                record.facts["seeds"] = self._seeds.fields(
                    found["sources"], record.run.work.binder.launch, record.facts["params"]
                )
        except OSError as error:
            self._cannot("keep the texts of modules", error)

    def _add_points(self, record: OpenRecord) -> None:
        try:
            record.add_points()
        except OSError as error:
            self._cannot("keep the metrics of runs", error)

    def _give_back(self, run: Run) -> None:
        if self.resumed is not None:
            self.resumed.give_back(run)

    # --- cached results --------------------------------------------------------------------------

    @cached_property
    def _results(self) -> CachedRuns:
        # Here: a flow that neither looks for results nor declares inputs does without.
        from kohaku_ast.flow.cached_runs import CachedRuns

        return CachedRuns(self.root, self._needs_value, self._warn, self._cannot)

    def _take_result(self, run: Run, bound: Bound) -> bool:
        """Whether the store has the result of *run*, which then gets it, and its own record."""
        own = {
            **self._own_fields(run, bound), "sources": self._keep_sources(bound),
            "inputs": self._keep_inputs(run), "in_run_dir": self.in_run_dir,
            "artifact_patterns": self._artifact_patterns(run),
        }  # fmt: skip
        if not self._results.take(run, bound, own, self.variables(run)):
            return False
        if run.folder is not None and run.folder.name != run.cached:
            self._note_own(run.folder.name)
        self._give_back(run)
        return True

    def _keep_inputs(self, run: Run) -> list[dict[str, object]]:
        """The declared inputs of *run*, with their contents when it is about to start."""
        if _INPUTS not in run.notes:
            named = (*self._inputs, *run.config.inputs)
            run.notes[_INPUTS] = self._results.inputs(named) if named else []
        return cast("list[dict[str, object]]", run.notes[_INPUTS])

    # --- inside ----------------------------------------------------------------------------------

    def _note_own(self, name: str) -> None:
        """Remember that the folder *name* is of this flow."""
        if self.resumed is not None:
            self.resumed.own.add(name)
        if self._is_cached:
            self._results.add(name)

    def _own_fields(self, run: Run, bound: Bound) -> dict[str, object]:
        """The fields that every record of *run* has, however its result was made."""
        overrides = run.work.binder.all_overrides(run.config)
        return {
            "schema": SCHEMA,
            "identity": self._identity(run, bound),
            "label": run.label,
            "index": run.index,
            "work": run.work.name,
            **run.belongs,
            **program_fields(bound, overrides, working_folder(), self.form),
        }

    def _create(self, run: Run, bound: Bound) -> OpenRecord | None:
        try:
            folder = RunFolder.create(self.root, self._identity(run, bound), run.started)
        except OSError as error:
            self._cannot("keep a record", error)
            return None
        self._note_own(folder.path.name)
        fields = self._own_fields(run, bound)
        files = str(folder.path / FILES)
        patterns, sources = self._artifact_patterns(run), self._keep_sources(bound)
        params = self.sources.params(bound, fields["overrides"])
        kept = None
        if patterns:
            kept = self._artifacts.begin(patterns, working_folder(), files, self.in_run_dir)
        return OpenRecord(
            run,
            folder,
            {
                **fields,
                **start_fields(run.started, run.attempt, None),
                "params": params,
                "seeds": self._seeds.fields(sources, bound.launch, params),
                "inputs": self._keep_inputs(run),
                "sources": sources,
                "in_run_dir": self.in_run_dir,
                "artifact_patterns": [*patterns],
                **({"resumed_from": run.resumed_from.name} if run.resumed_from else {}),
                **self._environment.of_flow(bound.launch.filename, run.total),
            },
            self.has_logs,
            kept,
        )

    def _keep_sources(self, bound: Bound) -> dict[str, object] | None:
        try:
            return self.sources.fields(bound)
        except OSError as error:
            self._cannot("keep the texts of the script and its modules", error)
            return None

    def form(self, value: Any) -> dict[str, object]:
        """The value of an override as a field."""
        return self.sources.form(value)

    def make_identity(self, run: Run, bound: Bound) -> str:
        """The identity of *run*."""
        return identity(bound, working_folder())

    def _identity(self, run: Run, bound: Bound) -> str:
        if _IDENTITY not in run.notes:
            run.notes[_IDENTITY] = self.make_identity(run, bound)
        return str(run.notes[_IDENTITY])

    def _end(self, index: int, status: str, outcome: Outcome | None, ended: float) -> None:
        record = self._open.get(index)
        if record is not None:
            self._add_points(record)
            record.end(status, outcome, ended)
            self._add_usage(record, outcome)
            self._close(index, record)

    def _known_hashes(self, record: OpenRecord) -> dict[str, str]:
        """Those of the files that were kept, which need not be read again."""
        if record.artifacts is None:
            return {}
        from kohaku_ast.store.artifacts import known_hashes  # here: few flows keep files

        return known_hashes(record.facts)

    def _close(self, index: int, record: OpenRecord) -> None:
        del self._open[index]
        try:
            record.join_parts()
        except OSError as error:
            self._cannot("keep the metrics of runs", error)
        record.folder.remove_event()
        record.facts["files"] = record.folder.end_files(self._known_hashes(record))
        own = self.variables(record.run)
        record.facts["reads"] = self.sources.reads(record.facts["sources"], own)
        if record.facts["inputs"]:
            record.facts["inputs"] = self._results.confirmed(self._keep_inputs(record.run))
        try:
            self._environment.add_changes(record.facts, self.sources.objects.put)
        except OSError as error:
            self._cannot("keep the changes that are not committed", error)
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
    settings: FlowSettings,
    warn: Callable[[str], None],
    tell: Callable[[str], None],
    needs_value: bool = False,
) -> Recorder | None:
    """The Recorder of a flow with *settings*; None if it keeps no records. *needs_value*: the
    caller wants what the runs return.
    """
    if not settings.records:
        return None
    return Recorder(
        # Not Path.absolute: a flow runs even if its working folder was removed.
        Path(working_folder(), settings.root),
        resume=settings.resumes,
        retry_failed=settings.retries_failed,
        has_logs=settings.has_logs,
        log_limit=settings.log_limit,
        in_run_dir=settings.in_run_dir,
        cached=settings.cached,
        inputs=settings.inputs,
        needs_value=needs_value,
        artifacts=settings.artifacts,
        variables=settings.variables,
        warn=warn,
        tell=tell,
    )
