"""The modes by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kohaku_ast.flow.launchers import InlineLauncher, Launcher, OpenLog, SpawnLauncher
from kohaku_ast.flow.run import Run
from kohaku_ast.flow.slots import Slots

if TYPE_CHECKING:
    from concurrent.futures import Executor

MODES = ("inline", "spawn", "warm")


def launcher_of(
    mode: str | Executor,
    slots: Slots,
    open_log: OpenLog = lambda run, bound: None,
    warn: Callable[[Run, str], None] | None = None,
    shows: bool = False,
    **options: Any,
) -> Launcher:
    """What starts runs in *mode*; an Executor is lent and is not shut down. *options* are as for
    ProcessLauncher.
    """
    if mode == "inline":
        return InlineLauncher(warn or _warn, open_log, shows)
    if mode == "warm":
        from kohaku_ast.flow.warm_launcher import WarmLauncher

        return WarmLauncher(slots, open_log, shows=shows, **options)
    if isinstance(mode, str):
        return SpawnLauncher(slots, open_log, shows=shows, **options)
    from kohaku_ast.flow.executor_launcher import ExecutorLauncher

    return ExecutorLauncher(mode, slots, open_log)


def _warn(run: Run, message: str) -> None:
    print(f"kogine: warning: {run.label}: {message}", file=sys.stderr)
