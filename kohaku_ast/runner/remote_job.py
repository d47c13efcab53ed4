"""What a worker of a lent Executor does, wherever it is: a fresh interpreter for each run."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from kohaku_ast.runner.job import Packed
from kohaku_ast.runner.outcome import Unread
from kohaku_ast.runner.spawn import SpawnedRun, set_priority

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""What no process survives."""

_running: dict[str, SpawnedRun] = {}
"""Those of this process, where an Executor's workers are threads."""


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """One run on its way to a worker. Picklable."""

    #: What tells it from all others.
    key: str
    packed: Packed
    #: The process of the flow.
    pid: int
    #: Over the environment of the worker.
    env: Mapping[str, str]
    #: Where it runs, if the worker has such a folder.
    cwd: str
    #: Seconds that it may take, and seconds between one signal that ends it and the next.
    timeout: float | None
    grace: float
    #: Added to the worker's own.
    nice: int = 0


def run_remote_job(job: RemoteJob) -> tuple[Unread, bool]:
    """Run it and wait: what is known of its end, and whether it took too long."""
    cwd = job.cwd if os.path.isdir(job.cwd) else None
    spawned = SpawnedRun(job.packed, env={**os.environ, **job.env}, cwd=cwd, new_session=True)
    _running[job.key] = spawned
    try:
        if job.nice and hasattr(os, "getpriority"):
            set_priority(spawned.pid, os.getpriority(os.PRIO_PROCESS, 0) + job.nice)
        with _interruptible(job.pid):
            return _ended(spawned, job)
    finally:
        del _running[job.key]
        spawned.close()


def signal_remote_job(key: str, number: int) -> bool:
    """Send a signal to that job, if it runs in this process; whether it does."""
    spawned = _running.get(key)
    if spawned is not None:
        spawned.signal(number)
    return spawned is not None


@contextmanager
def _interruptible(pid: int) -> Iterator[None]:
    """Inside, Ctrl-C is heard in a worker that was forked while the flow of *pid* listened."""
    if pid == os.getpid() or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ended(spawned: SpawnedRun, job: RemoteJob) -> tuple[Unread, bool]:
    try:
        return spawned.wait_unread(job.timeout), False
    except subprocess.TimeoutExpired:
        return _end(spawned, (signal.SIGTERM, KILL), job.grace), True
    except KeyboardInterrupt:
        # The terminal has sent it to the worker, not to the run, which has a session of its own.
        _end(spawned, (signal.SIGINT, signal.SIGTERM, KILL), job.grace)
        raise


def _end(spawned: SpawnedRun, numbers: Sequence[int], grace: float) -> Unread:
    """Its end, after the last of the signals *numbers* at the latest."""
    for number in numbers:
        spawned.signal(number)
        if hasattr(signal, "SIGCONT"):
            spawned.signal(signal.SIGCONT)  # one that is stopped hears nothing but SIGKILL
        try:
            unread = spawned.wait_unread(None if number == KILL else grace)
        except subprocess.TimeoutExpired:
            continue
        spawned.signal(KILL)  # what it has left behind
        return unread
    return spawned.wait_unread()
