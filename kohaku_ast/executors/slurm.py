"""Runs on SLURM, by submitit: a job for each run, several at once as an array. ``slurm-local`` runs
such jobs on this machine, without SLURM.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from kohaku_ast import files
from kohaku_ast.errors import UsageError
from kohaku_ast.executors.clusters import Cluster, read_options
from kohaku_ast.executors.worker import CALL
from kohaku_ast.runner.spawn import KILL
from kohaku_ast.store.environment import usable_cpus
from kohaku_ast.store.run_folder import RUNS, mark_root

_OPTIONS: Mapping[str, tuple[str, type]] = {
    "time": ("timeout_min", int),
    "gpus": ("gpus_per_node", int),
    "cpus": ("cpus_per_task", int),
    "mem": ("mem_gb", float),
    "partition": ("slurm_partition", str),
    "account": ("slurm_account", str),
    "qos": ("slurm_qos", str),
    "constraint": ("slurm_constraint", str),
    "max_num_timeout": ("slurm_max_num_timeout", int),
}
"""Our name of an option -> submitit's, and its type."""

_MINUTES = 60
_LOCAL_MINUTES = 60 * 24 * 30
_MOST_JOBS = 100
"""Jobs that are submitted at a time, running or waiting, without ``--workers``."""
_LARGEST_ARRAY = 1000
"""What SLURM's ``MaxArraySize`` allows, unless it is changed."""
_TICK = 0.2
"""Seconds: runs that are submitted within one become one array; results are looked for as often."""
_LOOK_SECONDS = 2.0
"""Seconds between two calls of ``squeue``."""
_LATE_SECONDS = 5.0
"""Seconds for a result to appear after its job: file systems may be slow to show it."""
_WARNED_SECONDS = 90
"""Seconds before its time is up that a job is told, to be submitted again."""
_COMMANDS = "sbatch", "srun", "squeue", "scancel", "scontrol"
_OVER = frozenset((
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT",
))  # fmt: skip
"""The states of jobs that have ended, unless they are submitted again."""
_RESULTLESS = frozenset(("CANCELLED", "DEADLINE", "OUT_OF_MEMORY", "TIMEOUT"))
"""Those in which no result comes any more."""


class SubmititCluster(Cluster):
    """Jobs of submitit, which are no ``concurrent.futures.Future``."""

    has_lasting_workers = False
    worthwhile = 30.0

    def __init__(self, executor: Any, slots: int, queue: _Queue | None) -> None:
        """*queue*: that of SLURM; None for jobs of this machine."""
        self._executor, self.slots, self._queue = executor, slots, queue
        self._new: SimpleQueue[tuple[_Call, Future[Any]]] = SimpleQueue()
        self._jobs: dict[Future[Any], tuple[_Call, Any]] = {}
        self._is_closed, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="kogine-submitit", daemon=True)
        self._thread.start()

    def submit(self, function: str, *arguments: object) -> Future[Any]:
        """Submit a job with the next array."""
        future: Future[Any] = Future()
        place = Path(self._executor.folder, f"{uuid.uuid4().hex}.pid")
        self._new.put((_Call(function, arguments, str(place)), future))
        return future

    def signal(self, key: str, number: int, future: Future[Any]) -> bool:
        """Interrupt the job, which ends its run as Ctrl-C does, or kill it; one that has not begun
        is cancelled.
        """
        with self._lock:  # it may be about to be submitted
            found = None if future.cancel() else self._jobs.get(future)
        if found is not None:
            call, job = found
            # submitit ignores SIGTERM.
            number = number if number == KILL else signal.SIGINT
            if self._queue is None:
                if not call.send_signal(number):
                    job.cancel(check=False)
            else:
                self._queue.send_signal(job.job_id, number, is_begun=os.path.exists(call.place))
        return True

    def close(self) -> None:
        """Look after no more jobs."""
        self._is_closed.set()
        self._thread.join()

    def _watch(self) -> None:
        # What submitit starts on this machine inherits it: Ctrl-C is for the flow, which interrupts
        # the runs; the others would print tracebacks.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        while not self._is_closed.wait(_TICK):
            self._submit_new()
            if self._queue is not None and self._jobs:
                self._queue.look()
            with suppress(OSError):  # so that a network file system shows what is new
                os.chmod(self._executor.folder, os.stat(self._executor.folder).st_mode & 0o7777)
            for future, (call, job) in [*self._jobs.items()]:
                self._settle(future, call, job)

    def _settle(self, future: Future[Any], call: _Call, job: Any) -> None:
        """Give *future* the result of *job*, whose files are then of no use; or why there is none,
        if it has ended without.
        """
        paths = job.paths
        if paths.result_pickle.exists():
            try:
                future.set_result(job.result())
            except Exception as error:
                future.set_exception(error)
            else:
                kept = (paths.submitted_pickle, paths.result_pickle, paths.stdout, paths.stderr)
                for one in kept:
                    files.remove(str(one))
        else:
            why = self._why_over(job)
            if not why:
                return
            future.set_exception(RuntimeError(f"{why}; its messages: {paths.stderr}"))
        files.remove(call.place)
        del self._jobs[future]

    def _why_over(self, job: Any) -> str:
        """In which way a *job* without a result has ended; empty if it has not."""
        if self._queue is not None:
            return self._queue.why_over(job.job_id)
        # Once more: its result may have come between the two looks.
        is_over = job.done() and not job.paths.result_pickle.exists()
        return f"the job {job.job_id} has ended without a result" if is_over else ""

    def _submit_new(self) -> None:
        with self._lock:
            # From now on it is the job that is cancelled.
            new = [one for one in self._taken() if one[1].set_running_or_notify_cancel()]
            for start in range(0, len(new), _LARGEST_ARRAY):
                self._submit_array(new[start : start + _LARGEST_ARRAY])

    def _submit_array(self, new: list[tuple[_Call, Future[Any]]]) -> None:
        try:
            with self._executor.batch():
                jobs = [self._executor.submit(call) for call, _ in new]
        except Exception as error:  # of sbatch, or of a disk
            for _, future in new:
                future.set_exception(error)
            return
        self._jobs.update((future, (call, job)) for job, (call, future) in zip(jobs, new))

    def _taken(self) -> list[tuple[_Call, Future[Any]]]:
        found = []
        with suppress(Empty):
            while True:
                found.append(self._new.get_nowait())
        return found


class _Call:
    """What a job calls. submitit submits it again after a timeout or a preemption: the run goes on
    from its checkpoints.
    """

    def __init__(self, function: str, arguments: tuple[object, ...], place: str) -> None:
        """*place* is the file that gets the number of its process."""
        self.text, self.arguments, self.place = CALL.format(name=function), arguments, place

    def __call__(self) -> Any:
        files.write_atomically(self.place, str(os.getpid()).encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        try:
            return eval(self.text, {"arguments": self.arguments})
        except KeyboardInterrupt:  # submitit would leave no result, and wait for one
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the flow's may come after the terminal's
            raise RuntimeError("it was interrupted") from None

    def send_signal(self, number: int) -> bool:
        """Interrupt its process, or kill it, on this machine; whether it has begun."""
        try:
            os.kill(int(Path(self.place).read_bytes()), number)
        except (OSError, ValueError):
            return False
        return True

    def checkpoint(self) -> Any:
        """The call for the next time."""
        return _submitit().helpers.DelayedSubmission(self)


class _Queue:
    """The queue of SLURM, by ``squeue``: not every cluster has ``sacct``, and it may have nothing
    to say of a job that was killed.
    """

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._last = 0.0
        #: Job -> when it was seen to be over, in how many looks.
        self._over: dict[str, tuple[float, int]] = {}
        self._looks = 0

    def look(self, seconds: float = _LOOK_SECONDS) -> None:
        """Ask for the states of the user's jobs, if that was *seconds* ago. SLURM may be too busy
        to say.
        """
        if time.monotonic() < self._last + seconds:
            return
        words = ["squeue", "-h", "-r", "-t", "all", "-u", str(os.getuid()), "-o", "%i %T"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self._last = time.monotonic()
        if done.returncode == 0:
            rows = (line.split() for line in done.stdout.splitlines())
            self._states = {row[0]: row[1] for row in rows if len(row) == 2}
            self._looks += 1

    def why_over(self, job: str) -> str:
        """In which state the *job*, which has no result, has ended; empty if it has not."""
        state = self._states.get(job, "gone")  # SLURM forgets jobs after some minutes
        if state != "gone" and state not in _OVER:
            self._over.pop(job, None)
            return ""
        # A job that is submitted again is over for a moment; one that is new may not be listed yet.
        since, look = self._over.setdefault(job, (time.monotonic(), self._looks))
        is_late = self._looks >= look + 2 and time.monotonic() >= since + _LATE_SECONDS
        if not (is_late or state in _RESULTLESS):
            return ""
        del self._over[job]
        return f"the SLURM job {job} has ended without a result: {state}"

    def send_signal(self, job: str, number: int, is_begun: bool) -> None:
        """Send a signal to the processes of the *job*; without one that has begun, cancel it."""
        self.look(_TICK)
        is_begun = is_begun and self._states.get(job) != "PENDING"  # it was submitted again
        if is_begun:
            _run("scancel", f"--signal={signal.Signals(number).name[3:]}", job)
        if not is_begun or number == KILL:
            _run("scancel", job)


def _run(*words: str) -> None:
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def open_local(text: str, workers: int | None) -> SubmititCluster:
    """Jobs of this machine. Raises UsageError for wrong options."""
    options = {"timeout_min": _LOCAL_MINUTES, **read_options(text, f"slurm-local:{text}", _OPTIONS)}
    known = {name: one for name, one in options.items() if not name.startswith("slurm_")}
    executor = _submitit().AutoExecutor(folder=_folder(), cluster="local")
    executor.update_parameters(**known)
    return SubmititCluster(executor, workers or usable_cpus(), None)


def open_slurm(text: str, workers: int | None) -> SubmititCluster:
    """Jobs of SLURM. Raises UsageError for wrong options, and where there is no sbatch."""
    options = {"timeout_min": _MINUTES, **read_options(text, f"slurm:{text}", _OPTIONS)}
    missing = [name for name in _COMMANDS if shutil.which(name) is None]
    if missing:
        raise UsageError(
            f"--on slurm: there is no {missing[0]} on this machine: log in to a node of the cluster"
            " that submits jobs; --on slurm-local runs them here"
        )
    most = options.pop("slurm_max_num_timeout", None)
    extra = {} if most is None else {"slurm_max_num_timeout": most}
    executor = _submitit().AutoExecutor(folder=_folder(), cluster="slurm", **extra)
    # SLURM warns half a minute earlier than it is told: a short job would get it before its start.
    warned = min(_WARNED_SECONDS, options["timeout_min"] * 60 // 4)
    executor.update_parameters(name="kogine", slurm_signal_delay_s=warned, **options)
    return SubmititCluster(executor, workers or _MOST_JOBS, _Queue())


def _folder() -> Path:
    """The folder for the files of jobs, which hold the values of runs: for their owner alone."""
    folder = Path(os.getcwd(), RUNS.parent, "submitit")
    mark_root(folder)
    return folder


def _submitit() -> Any:
    return import_module("submitit")  # not everybody has it
