"""The fields of run.json; ``docs/reference/records.md`` says what each means."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.overrides import Override
from kohaku_ast.store.identity import program_hash, script_hash
from kohaku_ast.store.origins import written_overrides
from kohaku_ast.store.processes import ProcessMark
from kohaku_ast.store.values import written

SCHEMA = 1
"""Grows when a field is taken away or means something else; new fields may come without."""


def of_program(bound: Bound, overrides: Sequence[Override], folder: str) -> dict[str, object]:
    """What is run, and with which values."""
    launch, config = bound.launch, bound.config
    return {
        "script": {
            "path": launch.shown,
            "file": launch.filename,
            "module": getattr(launch, "module", None),
            "entrypoint": bound.program.entry_name,
            "sha256": script_hash(bound),
        },
        "program": program_hash(bound, folder),
        "overrides": written_overrides(bound, overrides),
        "argv": list(bound.argv),
        "cwd": folder,
        "metadata": {name: written(one) for name, one in config.metadata.items()} if config else {},
        "wanted": list(config.outputs) if config else [],
    }


def of_start(started: float, attempt: int, process: ProcessMark | None) -> dict[str, object]:
    """Of a run, or of one attempt at it, that is under way."""
    return {
        "status": "running",
        "attempt": attempt,
        "process": marked(process),
        "started": time_text(started),
        "ended": None,
        "seconds": None,
        "exit_status": None,
        "error": None,
        "value": None,
        "outputs": {},
    }


def of_end(status: str, outcome: Outcome | None, ended: float) -> dict[str, object]:
    """Of a run that is over; *outcome* is None if nobody saw its end."""
    found: dict[str, object] = {"status": status, "process": None, "ended": time_text(ended)}
    if outcome is None:
        return found
    error = outcome.error
    return {
        **found,
        "seconds": round(outcome.seconds, 6) if outcome.ended else None,
        "exit_status": outcome.exit_status,
        "error": error and {name: getattr(error, name) for name in _ERROR},
        "value": written(outcome.value),
        "outputs": {name: written(value) for name, value in outcome.outputs.items()},
    }


_ERROR = ("type", "message", "traceback")
_ATTEMPT = ("attempt", "status", "started", "ended", "seconds", "exit_status", "error", "log")


def of_attempt(facts: Mapping[str, object]) -> dict[str, object]:
    """What is kept of an attempt once another one is made."""
    return {name: facts[name] for name in _ATTEMPT}


def marked(process: ProcessMark | None) -> dict[str, object] | None:
    """A process as it stands in run.json."""
    return None if process is None else {"pid": process.pid, "start": process.start}


def time_text(seconds: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    whole, part = divmod(round(seconds * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{part:03}+00:00"


def working_folder() -> str:
    """Where relative paths start; the last known place if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return os.environ.get("PWD", "")
