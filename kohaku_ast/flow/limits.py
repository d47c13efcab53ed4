"""Limits: how many runs at once, how long, how often, and what is not run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kohaku_ast.flow.run import Run
from kohaku_ast.runner.bind import Bound

GRACE = 10.0
"""Seconds that a run has between one signal and the next harder one."""


def _never(run: Run, bound: Bound) -> bool:
    return False


@dataclass(frozen=True)
class Limits:
    """What a flow may do."""

    #: Runs at the same time.
    workers: int = 1
    #: Whether no new run is started after one has failed.
    stops_on_error: bool = False
    #: How often a failed run is tried again, and the seconds before the first time; they double.
    retries: int = 0
    backoff: float = 1.0
    #: Seconds that one run may take.
    timeout: float | None = None
    #: Seconds between SIGINT, SIGTERM and SIGKILL.
    grace: float = GRACE
    #: Says of a run that it was done before, and gives it its Outcome of then.
    is_done: Callable[[Run, Bound], bool] = _never
