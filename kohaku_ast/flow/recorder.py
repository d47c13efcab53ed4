"""Recorder: keeps a record of every run of a flow, and knows what earlier flows have finished.

A disk that does not want records never stops a run: it is said once, and the runs go on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from kohaku_ast.flow.kept import Kept
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.resumed import Resumed
from kohaku_ast.flow.run import FAILED, INTERRUPTED, Run
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.store import facts
from kohaku_ast.store.find import Finished
from kohaku_ast.store.identity import identity
from kohaku_ast.store.processes import ProcessMark
from kohaku_ast.store.run_folder import RunFolder
from kohaku_ast.store.surroundings import Surroundings

_IDENTITY = "identity"
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
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """*resume*: what earlier flows have finished is done, failures too unless *retry_failed*
        (which resumes as well). *variables* is what a run has besides our own environment.
        *warn* is told, once, why something cannot be written, and *tell*, at the end, what was left
        out.
        """
        self.root, self.has_logs = root.absolute(), has_logs
        self.variables = variables
        said: set[str] = set()

        def warn_once(subject: str, text: str) -> None:
            if subject not in said:
                said.add(subject)
                warn(text)

        self._warn, self._tell = warn_once, tell
        #: What was not run again; None if nothing is resumed.
        self.resumed: Resumed | None = None
        if resume or retry_failed:
            self.resumed = Resumed(Finished(self.root), retry_failed, warn_once)
        self._around = Surroundings()
        self._open: dict[int, Kept] = {}
        self._unwritten: list[Kept] = []

    # --- before a run ----------------------------------------------------------------------------

    def is_done(self, run: Run, bound: Bound) -> bool:
        """Whether *run* need not run; then it gets its recorded Outcome, folder and log."""
        # Before anybody looks at the values: some get their content only then.
        name = self._identity(run, bound)
        if self.resumed is None or run.attempt > 1:
            return False
        return self.resumed.is_done(run, bound, name, self._around.commit_of(bound))

    def open(self, run: Run, bound: Bound) -> int | None:
        """Make or reuse the folder of *run* and say there that it runs.

        The descriptor of its log, for stdout and stderr, which the caller closes; None if there
        is none.
        """
        kept = self._open.get(run.index) or self._create(run, bound)
        if kept is None:
            return None
        log = kept.begin(run.attempt, time.time())
        kept.facts["environment"] = self._around.of_run(self.variables(run))
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

    def on_refuse(self, run: Run) -> None:
        """It leaves nothing."""
        kept = self._open.pop(run.index, None)
        if kept is not None:
            kept.folder.remove()

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
        kept = self._open.get(run.index)
        if kept is None or not kept.is_between_attempts:
            self._end(run.index, run.state, run.outcome, run.ended)
            return
        run.log = kept.as_last_attempt()
        self._close(run.index, kept)

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
        if self.resumed is not None and str(self.resumed):
            self._tell(str(self.resumed))

    def on_log_failed(self, error: OSError) -> None:
        """Not all that runs print could be kept."""
        self._cannot("keep all that runs print", error)

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
        self._warn(reason, text)

    def _forget(self, run: Run, log: int | None) -> None:
        if log is not None:
            os.close(log)
        self._open.pop(run.index).folder.remove()
