"""Ending runs that are under way: asked first, then told, then killed."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

from kohaku_ast.flow.launchers import Handle
from kohaku_ast.flow.run import Run

GRACE = 10.0
"""Seconds that a run has between one signal and the next harder one."""

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_LADDER = (signal.SIGINT, signal.SIGTERM, _KILL)
_CONTINUE = getattr(signal, "SIGCONT", None)


@dataclass(eq=False)
class Active:
    """A run under way."""

    run: Run
    handle: Handle | None
    #: When it has to be over; monotonic seconds.
    deadline: float | None = None
    #: The next rung of the ladder, and when it is due.
    rung: int = 0
    due: float | None = None
    #: Why it is being ended: ``timeout`` or ``interrupted``.
    reason: str = ""

    def end(self, reason: str, grace: float = GRACE) -> None:
        """Begin to end it: an interrupt is asked for as the terminal does it, with SIGINT."""
        if not self.reason:
            self.reason = reason
            self.rung = 0 if reason == "interrupted" else 1
            self._step(grace)

    def kill(self) -> None:
        """End it at once."""
        self.reason = self.reason or "interrupted"
        self.due = None
        if self.handle is not None:
            self.handle.signal(_KILL)

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
        if self.handle is not None:
            self.handle.signal(_LADDER[self.rung])
            if _CONTINUE is not None:
                self.handle.signal(_CONTINUE)  # one that is stopped hears nothing but SIGKILL
        self.rung += 1
        self.due = time.monotonic() + grace if self.rung < len(_LADDER) else None

    def waits_until(self) -> float | None:
        """When ``check`` has to be called again."""
        times = [one for one in (self.due, None if self.reason else self.deadline) if one]
        return min(times, default=None)
