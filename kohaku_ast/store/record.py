"""Record: what a run left on disk, as it is read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.store.environment import host
from kohaku_ast.store.facts import SCHEMA
from kohaku_ast.store.processes import ProcessMark
from kohaku_ast.store.run_folder import RECORD
from kohaku_ast.store.values import is_whole, read

STATUSES = ("running", "succeeded", "failed", "interrupted", "lost")


@dataclass(frozen=True)
class Record:
    """One run.json. Reading it changes nothing."""

    folder: Path
    identity: str
    #: One of ``STATUSES``; ``lost``: it was running, and its process is gone.
    status: str
    #: The script as the user wrote it.
    script: str
    label: str
    index: int
    attempt: int
    #: Seconds since the epoch; None for what has not ended.
    started: float
    ended: float | None
    exit_status: int | None
    error: RunError | None
    #: What the run has printed; None if that was not kept.
    log: Path | None
    #: All of run.json.
    facts: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The record in *folder*; None if there is none that this version understands."""
        try:
            with open(folder / RECORD, encoding="utf-8") as file:
                facts = json.load(file)
            if facts["schema"] > SCHEMA:
                return None
            return _record(folder, facts)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None  # somebody else's, or a damaged disk's

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.ended is None else self.ended - self.started

    @property
    def wanted(self) -> frozenset[str]:
        """The names whose last values were asked for."""
        return frozenset(self.facts.get("wanted", ()))

    @property
    def commit(self) -> str:
        """The git commit that it was run at, or empty."""
        return str((self.facts.get("git") or {}).get("commit", ""))

    @property
    def only_shown(self) -> list[str]:
        """What ``outcome`` lacks, because only its ``repr`` could be kept: names of outputs, and
        ``value``.
        """
        value, outputs = self.facts.get("value"), self.facts.get("outputs") or {}
        forms = {**({} if value is None else {"value": value}), **outputs}
        return [name for name, form in forms.items() if not is_whole(form)]

    def outcome(self) -> Outcome:
        """Its Outcome again, with those of the values that are plain."""
        value, outputs = self.facts.get("value"), self.facts.get("outputs") or {}
        return Outcome(
            self.status,
            read(value) if is_whole(value) else None,
            {name: read(one) for name, one in outputs.items() if is_whole(one)},
            self.error,
            self.exit_status or 0,
            self.started,
            self.ended or 0.0,
        )


def _record(folder: Path, facts: Mapping[str, Any]) -> Record:
    error, log = facts["error"], facts["log"]
    return Record(
        folder=folder,
        identity=str(facts["identity"]),
        status=_status(facts),
        script=str(facts["script"]["path"]),
        label=str(facts["label"]),
        index=int(facts["index"]),
        attempt=int(facts["attempt"]),
        started=_seconds(facts["started"]),
        ended=None if facts["ended"] is None else _seconds(facts["ended"]),
        exit_status=facts["exit_status"],
        error=None if error is None else RunError(**error),
        log=None if log is None else folder / log,
        facts=facts,
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _status(facts: Mapping[str, Any]) -> str:
    status = str(facts["status"])
    if status not in STATUSES:
        raise ValueError(status)
    if status != "running" or facts["host"] != host():
        return status  # of another machine's processes nothing is known
    # While its flow lives, an end will still be written.
    marks = [facts["process"], facts["flow"]]
    alive = any(ProcessMark(one["pid"], one["start"]).is_alive for one in marks if one)
    return "running" if alive else "lost"
