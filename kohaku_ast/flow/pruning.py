"""Pruner: ends the trials of a search that do worse than others at the same step."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from kohaku_ast.config.config import Config
from kohaku_ast.errors import ConfigError
from kohaku_ast.flow.run import ASKING, Observer, Run
from kohaku_ast.store.metrics import SeriesTail
from kohaku_ast.store.run_folder import SERIES


class OpenTrials(Protocol):
    """The trials of a search while its runs are under way."""

    def has(self, config: Config) -> bool:
        """Whether a run with *config* is one of them, and has no result yet."""

    def is_worse(self, config: Config, value: float, step: int) -> bool:
        """Report the *value* of the objective at *step* of a run; whether to end it."""


def watch(trials: OpenTrials, name: str, prune: str) -> None:
    """Have the flow that asks for the Configs of *trials* end those whose metric *name* does worse,
    as *prune* says. Raises ConfigError if it cannot.
    """
    flow = ASKING.get()
    if flow is None:
        raise ConfigError(f"search: prune={prune!r} is for runs of a flow, such as Sequential")
    if not flow.has_records:
        raise ConfigError(
            f"search: prune={prune!r} reads what runs print from their records: take record=False "
            "(--no-record) away"
        )
    if flow.is_inline:
        raise ConfigError(
            f"search: prune={prune!r} ends the processes of runs: take mode='inline' "
            "(--mode inline) away"
        )
    flow.observe(Pruner(trials, name))


class Pruner(Observer):
    """Reports each value of the objective that a run prints or logs to the study, and asks the flow
    to end the run where the study says so. It comes after the recorder.
    """

    def __init__(self, trials: OpenTrials, name: str) -> None:
        self._trials, self._name = trials, name
        self._tails: dict[int, SeriesTail] = {}

    def on_retry(self, run: Run, seconds: float) -> None:
        """The next attempt has a series of its own."""
        self._tails.pop(run.index, None)

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Report what is new."""
        for run in running:
            if self._may_prune(run):
                self._look(run)

    def on_end(self, run: Run) -> None:
        """Report the rest: later trials are compared with it."""
        if self._may_prune(run):
            for _ in self._reported(run):
                pass
        self._tails.pop(run.index, None)

    def _may_prune(self, run: Run) -> bool:
        return run.folder is not None and not run.pruned and self._trials.has(run.config)

    def _look(self, run: Run) -> None:
        for step, value, is_worse in self._reported(run):
            if is_worse:
                run.pruned = f"at step {step}: {self._name} {value:.6g}"
                return

    def _reported(self, run: Run) -> Iterator[tuple[int, float, bool]]:
        """Step, value, and whether the run is to be ended, for each new value."""
        tail = self._tails.get(run.index)
        if tail is None:
            path = os.path.join(str(run.folder), SERIES)
            tail = self._tails[run.index] = SeriesTail(path)
        for point in tail.read():
            value = point["metrics"].get(self._name)
            if value is not None:
                step = int(point["step"])
                yield step, value, self._trials.is_worse(run.config, value, step)
