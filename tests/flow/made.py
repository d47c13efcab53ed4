"""Runs that nobody has run, for what only looks at them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

from kohaku_ast.config.config import Config
from kohaku_ast.flow.run import FAILED, RUNNING, SUCCEEDED, Run, ScriptConfigs
from kohaku_ast.runner.outcome import Outcome, RunError

WORK = ScriptConfigs("train.py", cast("Any", None), ())


def running(index: int, total: int | None = 4, log: Path | None = None, **values: object) -> Run:
    """A run that has just started, of ``lr=<index>`` or *values*."""
    values = values or {"lr": index}
    run = Run(index, WORK, Config(values, varied=tuple(values)), RUNNING, total=total, log=log)
    run.started = time.time()
    return run


def succeeded(run: Run, seconds: float = 1.0, **outputs: object) -> Run:
    """*run*, over."""
    return _over(run, seconds, SUCCEEDED, Outcome("succeeded", outputs=outputs))


def failed(
    run: Run, kind: str = "ValueError", message: str = "too big", seconds: float = 1.0
) -> Run:
    """*run*, ended by an exception; by an exit status if *kind* is empty."""
    error = RunError(kind, message, f"{kind}: {message}\n") if kind else None
    return _over(run, seconds, FAILED, Outcome("failed", error=error, exit_status=1))


def _over(run: Run, seconds: float, state: str, outcome: Outcome) -> Run:
    run.state, run.outcome = state, outcome
    run.ended = run.started + seconds
    return run
