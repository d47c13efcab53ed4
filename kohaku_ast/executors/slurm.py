"""Runs on SLURM, by submitit: a job for each run, several at once as an array. ``slurm-local`` runs
such jobs on this machine, without SLURM.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
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
_TICK = 0.2
"""Seconds: runs that are submitted within one become one array; jobs are looked at as often."""


class SubmititCluster(Cluster):
    """Jobs of submitit, which are no ``concurrent.futures.Future``."""

    def __init__(self, executor: Any, slots: int, is_local: bool) -> None:
        self._executor, self.slots, self._is_local = executor, slots, is_local
        self._new: SimpleQueue[tuple[_Call, Future[Any]]] = SimpleQueue()
        self._jobs: dict[Future[Any], tuple[_Call, Any]] = {}
        # For a job without a result submitit waits 15 seconds: file systems may be slow to show it.
        self._settling = ThreadPoolExecutor(8, "kogine-submitit-results")
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
        """Cancel the job: SLURM ends its processes, after its own time. A job of this machine is
        interrupted, which ends its run as Ctrl-C does.
        """
        with self._lock:  # it may be about to be submitted
            found = None if future.cancel() else self._jobs.get(future)
        if found is not None:
            call, job = found
            if not (self._is_local and call.send_signal(number)):
                job.cancel(check=False)
        return True

    def close(self) -> None:
        """Look after no more jobs."""
        self._is_closed.set()
        self._thread.join()
        self._settling.shutdown(wait=True)

    def _watch(self) -> None:
        while not self._is_closed.wait(_TICK):
            self._submit_new()
            for future, (call, job) in [*self._jobs.items()]:
                if call.is_open and _is_done(job):
                    call.is_open = False
                    self._settling.submit(self._settle, future, call, job)

    def _settle(self, future: Future[Any], call: _Call, job: Any) -> None:
        """Give *future* the result of *job*, whose files are then of no use."""
        files.remove(call.place)
        try:
            result = job.result()
        except Exception as error:
            future.set_exception(error)
        else:
            paths = job.paths
            for one in (paths.submitted_pickle, paths.result_pickle, paths.stdout, paths.stderr):
                files.remove(str(one))
            future.set_result(result)
        del self._jobs[future]

    def _submit_new(self) -> None:
        with self._lock:
            # From now on it is the job that is cancelled.
            new = [one for one in self._taken() if one[1].set_running_or_notify_cancel()]
            if new:
                self._submit_array(new)

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
        #: Whether nobody has looked at its end.
        self.is_open = True

    def __call__(self) -> Any:
        files.write_atomically(self.place, str(os.getpid()).encode())
        try:
            return eval(self.text, {"arguments": self.arguments})
        except KeyboardInterrupt:  # submitit would leave no result, and wait for one
            raise RuntimeError("it was interrupted") from None

    def send_signal(self, number: int) -> bool:
        """Interrupt its process, or kill it, on this machine; whether it has begun."""
        try:
            pid = int(Path(self.place).read_bytes())
            # submitit ignores SIGTERM.
            os.kill(pid, number if number == KILL else signal.SIGINT)
        except (OSError, ValueError):
            return False
        return True

    def checkpoint(self) -> Any:
        """The call for the next time."""
        return _submitit().helpers.DelayedSubmission(self)


def _is_done(job: Any) -> bool:
    try:
        return bool(job.done())
    except Exception:  # sacct does not answer just now
        return False


def open_local(text: str, workers: int | None) -> SubmititCluster:
    """Jobs of this machine. Raises UsageError for wrong options."""
    options = {"timeout_min": _LOCAL_MINUTES, **read_options(text, f"slurm-local:{text}", _OPTIONS)}
    known = {name: one for name, one in options.items() if not name.startswith("slurm_")}
    executor = _submitit().AutoExecutor(folder=_folder(), cluster="local")
    executor.update_parameters(**known)
    return SubmititCluster(executor, workers or usable_cpus(), is_local=True)


def open_slurm(text: str, workers: int | None) -> SubmititCluster:
    """Jobs of SLURM. Raises UsageError for wrong options, and where there is no sbatch."""
    options = {"timeout_min": _MINUTES, **read_options(text, f"slurm:{text}", _OPTIONS)}
    missing = [name for name in ("sbatch", "squeue", "sacct") if shutil.which(name) is None]
    if missing:
        raise UsageError(
            f"--on slurm: there is no {missing[0]} on this machine: log in to a node of the cluster"
            " that submits jobs; --on slurm-local runs them here"
        )
    most = options.pop("slurm_max_num_timeout", None)
    extra = {} if most is None else {"slurm_max_num_timeout": most}
    executor = _submitit().AutoExecutor(folder=_folder(), cluster="slurm", **extra)
    executor.update_parameters(name="kogine", **options)
    return SubmititCluster(executor, workers or _MOST_JOBS, is_local=False)


def _folder() -> Path:
    """The folder for the files of jobs, which hold the values of runs: for their owner alone."""
    folder = Path(os.getcwd(), RUNS.parent, "submitit")
    mark_root(folder)
    return folder


def _submitit() -> Any:
    return import_module("submitit")  # not everybody has it
