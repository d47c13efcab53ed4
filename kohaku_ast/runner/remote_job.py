"""Jobs on a worker of somebody's Executor: a fresh interpreter there for each run.

State of this process: ``_running``.
"""

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
"""The signal that no process survives."""

_running: dict[str, SpawnedRun] = {}
"""Key -> the run, for the jobs of this process: an Executor's workers may be threads."""


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """One job to be sent to a worker. Picklable."""

    #: A text that no other job has.
    key: str
    packed: Packed
    #: The process of the flow.
    pid: int
    #: Variables to set in the environment of the worker.
    env: Mapping[str, str]
    #: The folder to run in, if the worker has it.
    cwd: str
    #: Seconds that it may take, and seconds between one signal to end it and the next.
    timeout: float | None
    grace: float
    #: Niceness to add to the worker's own.
    nice: int = 0


def run_remote_job(job: RemoteJob) -> tuple[Unread, bool]:
    """Run *job* and wait: its end, and whether it took longer than its timeout."""
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
    """Send a signal to the job *key* if it belongs to this process; whether it does."""
    spawned = _running.get(key)
    if spawned is not None:
        spawned.signal(number)
    return spawned is not None


@contextmanager
def _interruptible(pid: int) -> Iterator[None]:
    """Inside, Ctrl-C interrupts a worker, which may have the signal handlers of the flow *pid*."""
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
    """End it by the signals *numbers*, one after another as long as it runs; its end."""
    for number in numbers:
        spawned.signal(number)
        if hasattr(signal, "SIGCONT"):
            spawned.signal(signal.SIGCONT)  # a stopped process gets nothing but SIGKILL
        try:
            unread = spawned.wait_unread(None if number == KILL else grace)
        except subprocess.TimeoutExpired:
            continue
        spawned.signal(KILL)  # the processes that it has left behind
        return unread
    return spawned.wait_unread()
