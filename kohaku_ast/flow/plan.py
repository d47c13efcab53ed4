"""Plan: how the runs of a flow are run; and the Flow that does it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kohaku_ast.flow.flow import Flow
from kohaku_ast.flow.launchers import WantsValue
from kohaku_ast.flow.limits import Limits
from kohaku_ast.flow.modes import launcher_of
from kohaku_ast.flow.observer import Observer
from kohaku_ast.flow.recording import Recording
from kohaku_ast.flow.run import Run
from kohaku_ast.flow.slots import Slots
from kohaku_ast.flow.supply import Supply
from kohaku_ast.flow.work import Work

if TYPE_CHECKING:
    from concurrent.futures import Executor

Warn = Callable[[str], None]
"""Told what a user has to know."""


def tell_on_stderr(text: str) -> None:
    """The usual way to say something."""
    print(f"kogine: {text}", file=sys.stderr, flush=True)


def warn_on_stderr(text: str) -> None:
    """The usual way to warn."""
    tell_on_stderr(f"warning: {text}")


@dataclass(frozen=True)
class Plan:
    """How the runs are to be run, one after another or at once."""

    mode: str | Executor
    limits: Limits
    slots: Slots
    nice: int = 0
    recording: Recording = field(default_factory=Recording)

    @property
    def has_logs(self) -> bool:
        """Whether what runs print is kept; where an Executor runs them, nobody knows."""
        return self.recording.is_on and isinstance(self.mode, str)

    @property
    def shows_output(self) -> bool:
        """Whether what runs print appears where we print: one run at a time, or no logs."""
        return self.limits.workers == 1 or not self.has_logs

    def flow(
        self,
        works: Sequence[Work],
        observers: Sequence[Observer],
        *,
        total: int | None,
        listens: bool,
        wants_value: WantsValue,
        shows: bool | None = None,
        warn: Warn = warn_on_stderr,
    ) -> Flow:
        """The Flow of *works*; ``runs()`` starts it. *shows* replaces ``shows_output``."""
        recorder = self.recording.recorder(warn, tell_on_stderr, self._variables, self.has_logs)
        first, limits = [], self.limits
        options: dict[str, Any] = {}
        if recorder is not None:
            options = {"open_log": recorder.open, "log_failed": recorder.on_log_failed}
            # First: whoever is told of the end of a run finds its record complete.
            first, limits = [recorder], replace(limits, is_done=recorder.is_done)
        launcher = launcher_of(
            self.mode,
            self.slots,
            warn=_once(warn),
            shows=self.shows_output if shows is None else shows,
            limits=limits,
            wants_value=wants_value,
            nice=self.nice,
            **options,
        )
        if not isinstance(self.mode, str):  # its workers count the seconds: a run may have to wait
            limits = replace(limits, timeout=None)
        return Flow(Supply(works, listens), launcher, limits, [*first, *observers], total)

    def _variables(self, run: Run) -> dict[str, str]:
        return self.slots.of(run)


def _once(warn: Warn) -> Callable[[Run, str], None]:
    """What is said of one run holds for most of them."""
    said: set[str] = set()

    def say(run: Run, message: str) -> None:
        if message not in said:
            said.add(message)
            warn(message)

    return say
