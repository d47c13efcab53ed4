"""Supply: the Configs of a flow, each asked for when a run can start and not before."""

from __future__ import annotations

from collections.abc import Sequence

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep_parts import Walk
from kohaku_ast.flow.work import Work
from kohaku_ast.runner.outcome import Outcome


class Supply:
    """Gives the Configs of several Works, one Work after the other."""

    def __init__(self, works: Sequence[Work], listens: bool) -> None:
        """*listens*: generators get the Outcome of each run as the value of their ``yield``."""
        self.listens = listens
        #: The last Outcome of each Work.
        self.previous: dict[str, Outcome] = {}
        self._waiting = list(works)
        #: Whether there is one Work.
        self.is_alone = len(works) == 1
        self._work: Work | None = None
        self._walk: Walk | None = None
        self._begun = False

    def next(self, outcome: Outcome | None = None) -> tuple[Work, Config] | None:
        """The next of them; None when all have been given.

        *outcome* is that of the last run. Raises ConfigError for what is no Config; what a
        generator raises comes through.
        """
        while True:
            if self._walk is None:
                if not self._waiting:
                    return None
                self._work = self._waiting.pop(0)
                self._walk, self._begun = iter(self._work.sweep(self.previous)), False
            try:
                assert self._work is not None
                return self._work, self._step(self._walk, outcome)
            except StopIteration:
                self._walk = None

    def _step(self, walk: Walk, outcome: Outcome | None) -> Config:
        if not self._begun:
            self._begun = True
            return next(walk)
        return walk.send(outcome if self.listens else None)

    def close(self) -> None:
        """Let the generator that was asked last know that nothing more is wanted."""
        if self._walk is not None:
            self._walk.close()
            self._walk = None
        self._waiting.clear()
