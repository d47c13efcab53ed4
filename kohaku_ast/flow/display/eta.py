"""Eta: when it will be over, judged by the runs that are."""

from __future__ import annotations

from collections.abc import Sequence

_ENOUGH_PROGRESS = 0.02
_ENOUGH_SECONDS = 2.0


class Eta:
    """Knows how long runs take, and nothing of a single one of them."""

    def __init__(self) -> None:
        self._count = 0
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """A run took so long."""
        self._count += 1
        self._seconds += seconds

    def of_run(self, elapsed: float, progress: float | None) -> float | None:
        """Seconds that a run goes on; None if there is nothing to tell it by.

        Its own word for how far it is counts for more than the others' experience.
        """
        if progress and progress >= _ENOUGH_PROGRESS and elapsed >= _ENOUGH_SECONDS:
            return elapsed * (1 - progress) / progress
        if not self._count:
            return None
        # One that takes longer than the others will take a little longer still.
        return max(self._seconds / self._count - elapsed, 0.1 * elapsed)

    def of_all(
        self, waiting: int | None, running: Sequence[tuple[float, float | None]]
    ) -> float | None:
        """Seconds until all is over. *running*: what ``of_run`` wants to know of each."""
        left = [self.of_run(elapsed, progress) for elapsed, progress in running]
        known = [one for one in left if one is not None]
        if waiting is None or not known or len(known) < len(left):
            return None
        whole = [elapsed + one for (elapsed, _), one in zip(running, known)]
        mean = self._seconds / self._count if self._count else sum(whole) / len(whole)
        return max(*known, (sum(known) + waiting * mean) / len(known), 0.0)
