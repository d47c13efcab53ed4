"""Which executors an engine may have, and how many workers they may use at which depth."""

from __future__ import annotations

import math
import os
import threading
from typing import Any, Protocol

from kohaku_ast.errors import UsageError, UsageTypeError, did_you_mean
from kohaku_ast.pipeline.engine import RunEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Executor


KINDS = ("sequential", "async", "threaded", "parallel")


def kind_of(executor: Any, who: str) -> str:
    """One of ``KINDS``, or "lent" for an executor of the user's. Raises UsageError."""
    if isinstance(executor, str):
        if executor in KINDS:
            return executor
        hint = did_you_mean(executor, KINDS)
        raise UsageError(
            f"unknown {who} {executor!r} (expected one of: {', '.join(KINDS)}, or an executor of "
            f"concurrent.futures).{hint}"
        )
    if hasattr(executor, "max_concurrent"):
        return "async"
    if callable(getattr(executor, "submit", None)):
        return "lent"
    raise UsageTypeError(f"the {who} {executor!r} has no submit(): it is no executor.")


class ExecutorEngine(RunEngine, Protocol):
    """What the parts of NativeEngine need of it."""

    @property
    def node_executor(self) -> str | Executor:
        """Runs the nodes."""

    @property
    def map_executor(self) -> str | Executor:
        """Runs the items of maps."""

    @property
    def node_kind(self) -> str:
        """One of ``KINDS``, or "lent"."""

    @property
    def map_kind(self) -> str:
        """The same for maps."""

    @property
    def max_workers(self) -> int:
        """How many workers there are for all depths together."""

    @property
    def max_concurrent(self) -> int:
        """How many calls "async" has under way."""

    @property
    def lent_loop(self) -> Any:
        """The AsyncExecutor that the user gave, or None."""


def default_workers() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_at(most: int, depth: int) -> int:
    """How many of *most* workers a map, or a run in it, may use inside *depth* maps: the outermost
    all of them, one inside it their square root, a deeper one 1.
    """
    if depth == 0:
        return most
    return max(1, math.isqrt(most)) if depth == 1 else 1


class WorkerPermits:
    """Permits for workers besides the calling thread. Nobody waits for one: a thread that gets
    none does the work itself, so that nested runs cannot deadlock.
    """

    def __init__(self, helpers: int) -> None:
        self._free = threading.Semaphore(helpers)

    def take(self) -> bool:
        """Whether a permit was available; ``give`` returns it."""
        return self._free.acquire(blocking=False)

    def give(self) -> None:
        """Return a permit."""
        self._free.release()
