"""How many workers there are, for all depths of a run together."""

from __future__ import annotations

import math
import os
import threading


def default_workers() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_at(most: int, depth: int) -> int:
    """How many of *most* workers one map or run may use at *depth*: all of them outermost, the
    square root inside that, one further in.
    """
    if depth == 0:
        return most
    return max(1, math.isqrt(most)) if depth == 1 else 1


class Budget:
    """The workers that may run at once beside the thread that asks; nobody waits for one: who
    gets none does the work himself, so that a run in a run cannot stand still.
    """

    def __init__(self, helpers: int) -> None:
        self._free = threading.Semaphore(helpers)

    def take(self) -> bool:
        """Whether there was a worker to be had; it is given back by ``give``."""
        return self._free.acquire(blocking=False)

    def give(self) -> None:
        """Give a worker back."""
        self._free.release()
