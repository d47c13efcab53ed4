"""The modes by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kohaku_ast.flow.launchers import InlineLauncher, Launcher, OpenLog, SpawnLauncher
from kohaku_ast.flow.limits import Limits
from kohaku_ast.flow.run import Run
from kohaku_ast.flow.slots import Slots
from kohaku_ast.flow.tee import LogFailed

if TYPE_CHECKING:
    from concurrent.futures import Executor

MODES = ("inline", "spawn", "warm")


def launcher_of(
    mode: str | Executor,
    slots: Slots,
    open_log: OpenLog = lambda run, bound: None,
    warn: Callable[[Run, str], None] | None = None,
    shows: bool = False,
    limits: Limits = Limits(),  # noqa: B008  # it is frozen
    log_failed: LogFailed = lambda error: None,
    **options: Any,
) -> Launcher:
    """What starts runs in *mode*; an Executor is lent, is not shut down, and has to be told of
    *limits*. *options* are as for ProcessLauncher.
    """
    if mode == "inline":
        return InlineLauncher(warn or _warn, open_log, shows, log_failed)
    if mode == "warm":
        from kohaku_ast.flow.warm_launcher import WarmLauncher

        return WarmLauncher(slots, open_log, shows=shows, log_failed=log_failed, **options)
    if isinstance(mode, str):
        return SpawnLauncher(slots, open_log, shows=shows, log_failed=log_failed, **options)
    from kohaku_ast.flow.executor_launcher import ExecutorLauncher

    return ExecutorLauncher(mode, slots, open_log, limits=limits, **options)


def _warn(run: Run, message: str) -> None:
    print(f"kogine: warning: {run.label}: {message}", file=sys.stderr)
