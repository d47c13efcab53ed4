"""Recorder: keeps a record of every run of a flow, and knows what earlier flows have finished.

A disk that does not want records never stops a run: it is said once, and the runs go on.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from kohaku_ast.flow.kept import Kept
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import FAILED, INTERRUPTED, SUCCEEDED, Run
from kohaku_ast.runner.bound import Bound
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.store import facts
from kohaku_ast.store.find import Finished
from kohaku_ast.store.identity import identity
from kohaku_ast.store.processes import ProcessMark
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import RunFolder
from kohaku_ast.store.surroundings import Surroundings

_IDENTITY, _KEPT = "identity", "record"
_MOST_TRIED_AGAIN = 1000


class Recorder(Observer):
    """Writes below *root*; see ``docs/reference/records.md``."""

    def __init__(
        self,
        root: Path,
        *,
        resume: bool = False,
        retry_failed: bool = False,
        has_logs: bool = True,
        variables: Callable[[Run], Mapping[str, str]] = lambda run: {},
        warn: Callable[[str], None],
    ) -> None:
        """*resume*: what earlier flows have finished is done, failures too unless *retry_failed*
        (which resumes as well). *variables* is what a run has besides our own environment.
        *warn* is told, once, why something cannot be written.
        """
        self.root, self.has_logs, self.warn = root.absolute(), has_logs, warn
        self.retry_failed, self.variables = retry_failed, variables
        #: How the runs that were not run again had ended -> how many.
        self.skipped: Counter[str] = Counter()
        #: Of these: at another git commit than now.
        self.skipped_elsewhere = 0
        self._finished = Finished(self.root) if resume or retry_failed else None
        self._around = Surroundings()
        self._open: dict[int, Kept] = {}
        self._unwritten: list[Kept] = []
        self._said: set[str] = set()

    # --- before a run ----------------------------------------------------------------------------

    def is_done(self, run: Run, bound: Bound) -> bool:
        """Whether *run* need not run; then it gets its recorded Outcome, folder and log."""
        if self._finished is None or run.attempt > 1:
            return False
        name, wanted = self._identity(run, bound), bound.config.outputs if bound.config else ()
        record = self._finished.take(name, "succeeded", wanted)
        if record is None and not self.retry_failed:
            record = self._finished.take(name, "failed")
        if record is None:
            self._warn_of_orphan(run, name)
            return False
        run.outcome, run.folder, run.log = record.outcome(), record.folder, record.log
        self.skipped[record.status] += 1
        self._warn_of_text(record)
        now = self._around.commit_of(bound)
        self.skipped_elsewhere += bool(record.commit and now and record.commit != now)
        return True

    def open(self, run: Run, bound: Bound) -> int | None:
        """Make or reuse the folder of *run* and say there that it runs.

        The descriptor of its log, for stdout and stderr, which the caller closes; None if there
        is none.
        """
        kept = self._open.get(run.index) or self._create(run, bound)
        if kept is None:
            return None
        log = kept.begin(run.attempt, time.time())
        kept.facts["environment"] = self._around.of_run({**os.environ, **self.variables(run)})
        self._open[run.index] = kept
        if not self._write(kept) and not kept.attempts:
            self._forget(run, log)
            return None
        run.folder, run.log = kept.folder.path, kept.folder.log if log is not None else None
        if kept.log_error is not None:
            self._cannot("keep what a run prints", kept.log_error)
        return log

    def on_process(self, run: Run, pid: int) -> None:
        """*run* has got its process."""
        kept = self._open.get(run.index)
        if kept is not None:
            kept.facts["process"] = facts.marked(ProcessMark.of(pid))
            self._write(kept)

    # --- as it goes ------------------------------------------------------------------------------

    def on_retry(self, run: Run, seconds: float) -> None:
        """The attempt is kept; the run goes on."""
        kept = self._open.get(run.index)
        if kept is not None:
            kept.end(FAILED, run.outcome, run.ended)
            kept.put_attempt_aside()
            self._write(kept)

    def on_end(self, run: Run) -> None:
        """The final record."""
        self._end(run.index, run.state, run.outcome, run.ended)

    def on_finish(self, summary: Summary) -> None:
        """What nobody has seen the end of was ended with the flow."""
        for index, kept in list(self._open.items()):
            if kept.is_between_attempts:
                kept.as_last_attempt()
                self._close(index, kept)
            else:
                self._end(index, INTERRUPTED, None, time.time())
        for kept in self._unwritten:
            self._write(kept)

    def said(self) -> str:
        """What was skipped, in a sentence; empty if nothing was."""
        good, bad = self.skipped[SUCCEEDED], self.skipped[FAILED]
        parts = [f"{good} that succeeded before"] if good else []
        parts += [f"{bad} that failed before (--retry-failed runs them again)"] if bad else []
        other = self.skipped_elsewhere
        hint = f"; {other} of them at another git commit" if other else ""
        return f"skipped {' and '.join(parts)}{hint}" if parts else ""

    # --- inside ----------------------------------------------------------------------------------

    def _create(self, run: Run, bound: Bound) -> Kept | None:
        try:
            folder = RunFolder.create(self.root, self._identity(run, bound), time.time())
        except OSError as error:
            self._cannot("keep a record", error)
            return None
        overrides = run.work.binder.all_overrides(run.config)
        return Kept(
            folder,
            {
                "schema": facts.SCHEMA,
                "identity": self._identity(run, bound),
                "label": run.label,
                "index": run.index,
                "work": run.work.name,
                **facts.of_start(time.time(), run.attempt, None),
                **facts.of_program(bound, overrides, facts.working_folder()),
                **self._around.of_flow(bound),
            },
            self.has_logs,
        )

    def _identity(self, run: Run, bound: Bound) -> str:
        if _IDENTITY not in run.notes:
            run.notes[_IDENTITY] = identity(bound, facts.working_folder())
        return str(run.notes[_IDENTITY])

    def _end(self, index: int, status: str, outcome: Outcome | None, ended: float) -> None:
        kept = self._open.get(index)
        if kept is not None:
            kept.end(status, outcome, ended)
            self._close(index, kept)

    def _close(self, index: int, kept: Kept) -> None:
        del self._open[index]
        self._around.add_changes(kept.facts)
        if not self._write(kept) and len(self._unwritten) < _MOST_TRIED_AGAIN:
            self._unwritten.append(kept)

    def _write(self, kept: Kept) -> bool:
        try:
            kept.write()
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
        self._warn_once(reason, text)

    def _warn_once(self, subject: str, text: str) -> None:
        if subject not in self._said:
            self._said.add(subject)
            self.warn(text)

    def _forget(self, run: Run, log: int | None) -> None:
        if log is not None:
            os.close(log)
        self._open.pop(run.index).folder.remove()

    def _warn_of_text(self, record: Record) -> None:
        for name in record.only_shown:
            text = (
                f"{name!r} of a run that is skipped was recorded as text only "
                f"({record.folder.name}): its Outcome has none. Let the script give back plain "
                "values or the path of a file, or run without --resume."
            )
            self._warn_once(f"text of {name}", text)

    def _warn_of_orphan(self, run: Run, name: str) -> None:
        assert self._finished is not None
        record = self._finished.take(name, "running")
        if record is not None:
            process = record.facts["process"] or record.facts["flow"]
            self.warn(
                f"{run.label}: still runs in process {process['pid']} of another flow "
                f"({record.folder.name}); it is run a second time."
            )
