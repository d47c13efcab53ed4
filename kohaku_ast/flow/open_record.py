"""OpenRecord: the record of a run that has not ended, attempt after attempt."""

from __future__ import annotations

from pathlib import Path

from kohaku_ast.flow.log_watch import seen_of
from kohaku_ast.flow.run import Run
from kohaku_ast.helpers.metric_logger import as_json
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.store.record import attempt_fields, end_fields, start_fields
from kohaku_ast.store.run_folder import LOG, SERIES, RunFolder
from kohaku_ast.store.values import read, written

TYPE_CHECKING = False
if TYPE_CHECKING:  # few flows keep files
    from kohaku_ast.flow.run_artifacts import RunFiles


class OpenRecord:
    """The record of a run that has not ended: its folder and the fields of run.json."""

    def __init__(
        self,
        run: Run,
        folder: RunFolder,
        fields: dict[str, object],
        has_log: bool,
        artifacts: RunFiles | None = None,
    ) -> None:
        self.run = run
        #: The files that are to be kept; None: no files.
        self.artifacts = artifacts
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

    def make_files(self) -> None:
        """Make the folder for files, if that is possible."""
        try:
            self.folder.make_files()
        except OSError:
            pass  # a full disk: the warning about the record or the log says so

    @property
    def params(self) -> dict[str, object]:
        """Target -> value of every parameter; a text for a value that only its run has."""
        fields = self.facts["params"]
        assert isinstance(fields, dict)
        return {target: read(form) for target, form in fields.items()}

    def add_points(self) -> None:
        """Write the points of metrics that were read since the last call. Raises OSError."""
        series = seen_of(self.run).series
        points = series.take_points()
        if series.has_logged:
            self.facts["series"] = SERIES
        if points:
            self.facts["series"] = SERIES
            self.folder.append_points(points)

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
        series = seen_of(self.run).series
        self.facts.update(series.fields())
        if series.config:
            known = self.facts["params"]
            assert isinstance(known, dict)
            logged = {name: written(one) for name, one in series.config.items()}
            self.facts["params"] = {**logged, **known}

    def put_attempt_aside(self) -> None:
        """Move the attempt that has ended to ``attempts``: another one comes."""
        number = self.facts["attempt"]
        assert isinstance(number, int)
        for name in ("log", "series"):
            if self.facts[name] is not None:
                try:
                    self.facts[name] = self.folder.keep(str(self.facts[name]), number)
                except OSError:
                    self.facts[name] = None
        self.attempts += (attempt_fields(self.facts),)
        self.facts["attempts"] = self.attempts
        self.folder.remove_event()
        self.is_between_attempts = True
        self.facts["status"] = "running"

    def make_last_attempt(self) -> Path | None:
        """Take the last one out of ``attempts``: no other one comes. Returns its log."""
        *others, last = self.attempts
        self.facts.update(last, attempts=others)
        self.is_between_attempts = False
        return None if last["log"] is None else self.folder.path / str(last["log"])

    def join_parts(self) -> None:
        """Put what earlier attempts, and a run that this one went on from, have printed before its
        series, and into its metrics. Raises OSError.
        """
        if not self.attempts and "resumed_from" not in self.facts:
            return
        from kohaku_ast.store import metrics  # here: few runs have several parts

        name = str(self.facts["series"] or SERIES)
        own = [*metrics.read_series(self.folder.path / name)]
        joined = metrics.join_parts([metrics.earlier_points(self.folder.path, self.facts), own])
        before = joined[: len(joined) - len(own)]
        if not before:
            return
        summary = metrics.join_summaries(
            metrics.summarise_points(before), metrics.from_fields(self.facts["metrics"])
        )
        self.facts["metrics"] = {one: as_json(each) for one, each in summary.items()}
        self.facts["series"] = name
        self.folder.replace_points(name, metrics.points_text(joined))

    def write(self) -> None:
        """Write run.json. Raises OSError."""
        if self.run.hook_errors:
            self.facts["hook_errors"] = self.run.hook_errors
        self.folder.write(self.facts)
