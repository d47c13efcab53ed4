"""Ending runs that are under way: asked first, then told, then killed."""

from __future__ import annotations

import queue
import signal
import time
from dataclasses import dataclass
from typing import TypeAlias

from kohaku_ast.flow.launchers import Handle
from kohaku_ast.flow.limits import GRACE
from kohaku_ast.flow.run import Run
from kohaku_ast.runner.outcome import Outcome

HURRY = 5.0
"""The same if we were asked to end ourselves: who does so waits 10 seconds, before SIGKILL."""

_STUCK = 3
"""So many times as long a killed process may take to be gone: it gives much memory back."""

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_LADDER = (signal.SIGINT, signal.SIGTERM, _KILL)
_CONTINUE = getattr(signal, "SIGCONT", None)


Events: TypeAlias = "queue.SimpleQueue[tuple[Active, Outcome] | None]"
"""What has ended, and how; None: something else has happened."""


@dataclass(eq=False)
class Active:
    """A run under way."""

    run: Run
    handle: Handle | None
    #: Where its end is told.
    events: Events
    #: When it has to be over; monotonic seconds.
    deadline: float | None = None
    #: The next rung of the ladder, and when it is due.
    rung: int = 0
    due: float | None = None
    #: Why it is being ended: ``timeout`` or ``interrupted``.
    reason: str = ""
    #: Whether everybody knows its process.
    is_told: bool = False
    #: Whether it has not ended though it was killed: it waits for a disk, or its warm server hangs.
    is_stuck: bool = False

    def done(self, run: Run, outcome: Outcome) -> None:
        """It is over. For any thread."""
        self.events.put((self, outcome))

    def end(self, reason: str, grace: float = GRACE, first: int = signal.SIGTERM) -> None:
        """Begin to end it, with the signal *first*."""
        if not self.reason:
            self.reason = reason
            self.rung = _LADDER.index(first)
            self._step(grace)

    def kill(self, grace: float = GRACE) -> None:
        """End it at once."""
        self.reason = self.reason or "interrupted"
        if self.rung < len(_LADDER):
            self.rung = len(_LADDER) - 1
            self._step(grace)

    def end_rest(self, status: int) -> None:
        """The process has ended with *status*: what it has started ends too if it was killed."""
        # Otherwise it may have left something running on purpose, as a script may.
        if self.handle is not None and (self.reason or status < 0):
            self.handle.signal(_KILL)

    def check(self, now: float, grace: float = GRACE) -> None:
        """Do what is due."""
        if self.deadline is not None and now >= self.deadline and not self.reason:
            self.end("timeout", grace)
        elif self.due is not None and now >= self.due:
            self._step(grace)

    def _step(self, grace: float) -> None:
        if self.rung == len(_LADDER):
            self.is_stuck, self.due = True, None
            return
        if self.handle is not None:
            self.handle.signal(_LADDER[self.rung])
            if _CONTINUE is not None:
                self.handle.signal(_CONTINUE)  # one that is stopped hears nothing but SIGKILL
        self.rung += 1
        self.due = time.monotonic() + grace * (_STUCK if self.rung == len(_LADDER) else 1)

    def waits_until(self) -> float | None:
        """When ``check`` has to be called again."""
        times = [one for one in (self.due, None if self.reason else self.deadline) if one]
        return min(times, default=None)
