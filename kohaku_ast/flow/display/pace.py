"""Pace: lets something happen only so often, however often there is occasion for it."""

from __future__ import annotations

import time


class Pace:
    """At most once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def is_due(self) -> bool:
        """Whether it is time again; if so, it is noted as done."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
