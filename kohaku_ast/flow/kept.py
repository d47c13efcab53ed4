"""Kept: the record of one run while the run is under way."""

from __future__ import annotations

from pathlib import Path

from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.store import facts
from kohaku_ast.store.run_folder import LOG, RunFolder


class Kept:
    """A folder and what is to stand in its run.json."""

    def __init__(self, folder: RunFolder, known: dict[str, object], has_log: bool) -> None:
        self.folder = folder
        self.facts = known
        self.attempts: tuple[dict[str, object], ...] = ()
        self.has_log = has_log
        self.is_between_attempts = False
        #: Why there is no log, though there should be one.
        self.log_error: OSError | None = None

    def begin(self, attempt: int, started: float) -> int | None:
        """An attempt begins; the descriptor of its log, which the caller closes."""
        self.is_between_attempts = False
        self.facts.update(facts.of_start(started, attempt, None), attempts=self.attempts, log=None)
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
        """The attempt, and with it perhaps the run, is over."""
        self.facts.update(facts.of_end(status, outcome, ended))

    def put_attempt_aside(self) -> None:
        """Keep the attempt that has just ended: another one is to come."""
        number = self.facts["attempt"]
        assert isinstance(number, int)
        if self.facts["log"] is not None:
            try:
                self.facts["log"] = self.folder.keep_log(number)
            except OSError:
                self.facts["log"] = None
        self.attempts += (facts.of_attempt(self.facts),)
        self.facts["attempts"] = self.attempts
        self.is_between_attempts = True
        self.facts["status"] = "running"

    def as_last_attempt(self) -> Path | None:
        """There will be no other attempt after all; where its log is."""
        *others, last = self.attempts
        self.facts.update(last, attempts=others)
        self.is_between_attempts = False
        return None if last["log"] is None else self.folder.path / str(last["log"])

    def write(self) -> None:
        """Raises OSError."""
        self.folder.write(self.facts)
