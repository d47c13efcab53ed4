"""Resumed: the runs of earlier flows that stand in for runs of this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from kohaku_ast.flow.run import FAILED, SUCCEEDED, Run
from kohaku_ast.runner.bound import Bound
from kohaku_ast.store.find import Finished
from kohaku_ast.store.record import Record


class Resumed:
    """What of a flow was done before."""

    def __init__(
        self, finished: Finished, retry_failed: bool, warn: Callable[[str, str], None]
    ) -> None:
        """*warn* gets a subject, of which it speaks once, and a sentence."""
        self._finished, self._warn = finished, warn
        self._statuses = (SUCCEEDED,) if retry_failed else (SUCCEEDED, FAILED)
        #: How the runs that were not run again had ended -> how many.
        self.skipped: Counter[str] = Counter()
        #: Of these: at another git commit than now.
        self.elsewhere = 0

    def is_done(self, run: Run, bound: Bound, identity: str, commit: str) -> bool:
        """Whether there is a record for *run*, which then gets its Outcome, folder and log."""
        record = self._take(bound, identity)
        if record is None:
            self._warn_of_orphan(run, identity)
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

    def _take(self, bound: Bound, identity: str) -> Record | None:
        wanted = bound.config.outputs if bound.config else ()
        for status in self._statuses:
            # Of a failed run there are no outputs.
            record = self._finished.take(identity, status, wanted if status == SUCCEEDED else ())
            if record is not None:
                return record
        return None

    def _warn_of_text(self, record: Record) -> None:
        for name in record.only_shown:
            text = (
                f"{name!r} of a run that is skipped was recorded as text only "
                f"({record.folder.name}): its Outcome has none. Let the script give back plain "
                "values or the path of a file, or run without --resume."
            )
            self._warn(f"text of {name}", text)

    def _warn_of_orphan(self, run: Run, identity: str) -> None:
        record = self._finished.take(identity, "running")
        if record is not None:
            process = record.facts["process"] or record.facts["flow"]
            text = (
                f"{run.label}: still runs in process {process['pid']} of another flow "
                f"({record.folder.name}); it is run a second time."
            )
            self._warn(f"orphan {identity}", text)
