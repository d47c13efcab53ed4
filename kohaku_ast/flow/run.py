"""Run: one run of a flow, as those see it who watch the flow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from kohaku_ast.config.config import Config
from kohaku_ast.flow.work import Work
from kohaku_ast.runner.outcome import Outcome

WAITING, RUNNING, RETRYING = "waiting", "running", "retrying"
SUCCEEDED, FAILED, SKIPPED, INTERRUPTED = "succeeded", "failed", "skipped", "interrupted"
"""The states of a run; the last four are final."""


@dataclass(eq=False)
class Run:
    """One run. The flow writes it, everybody else only reads."""

    #: Its number in the flow, from 0.
    index: int
    work: Work
    config: Config
    state: str = WAITING
    #: Which of the workers it has, from 0.
    slot: int = 0
    #: 1, and one more for each time that it is tried again.
    attempt: int = 1
    #: In seconds since the epoch; 0 before.
    started: float = 0.0
    ended: float = 0.0
    outcome: Outcome | None = None
    #: Whether its Script is the only one of the flow.
    is_alone: bool = True
    #: How many runs the flow has, if that is known.
    total: int | None = None
    #: Its folder of records, and the file with what it prints.
    folder: Path | None = None
    log: Path | None = None
    #: What everybody who keeps something about runs keeps here, by name.
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long its last attempt took; 0 if it could not even be started."""
        return max(0.0, self.ended - self.started) if self.started else 0.0

    def named(self, outcome: Outcome) -> Outcome:
        """*outcome*, saying that it is of this run."""
        log = str(self.log) if self.log else ""
        return replace(outcome, index=self.index, label=self.label, script=self.work.name, log=log)

    @property
    def number(self) -> str:
        """``[2/4]``, or ``[2]`` if nobody knows how many there will be."""
        return f"[{self.index + 1}]" if self.total is None else f"[{self.index + 1}/{self.total}]"

    @property
    def title(self) -> str:
        """Its label for who sees the flow: in one of several Scripts with the Script's name."""
        is_enough = self.is_alone or not self.config.label
        return self.label if is_enough else f"{self.work.name} {self.label}"

    @cached_property
    def label(self) -> str:
        """What tells it from the others: ``lr=0.1 bs=32``, else the Script's name."""
        return self.config.label or self.work.name
