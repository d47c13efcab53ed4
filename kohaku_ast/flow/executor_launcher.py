"""Runs on a cluster or an Executor of the user's: workers start a fresh process for each run."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from kohaku_ast.executors import attempts, transfer
from kohaku_ast.executors.clusters import Cluster
from kohaku_ast.executors.worker import RemoteJob, Reply
from kohaku_ast.flow.run import Done, Handle, OpenLog, Run, WantsValue
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.job import pack
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.process_exit import Lend, lend_nothing
from kohaku_ast.runner.process_outcome import outcome_of
from kohaku_ast.runner.spawn import KILL
from kohaku_ast.store.identity import script_hash
from kohaku_ast.store.own_modules import own_files
from kohaku_ast.version import VERSION

_End: TypeAlias = "Callable[[Outcome], None]"
_UNREACHABLE = "a worker of the executor runs it, where it cannot be ended"


class ExecutorLauncher:
    """Submits runs to *cluster*, and closes it at the end."""

    is_inline = False

    def __init__(
        self,
        cluster: Cluster,
        settings: FlowSettings,
        open_log: OpenLog = lambda run, bound: None,
        *,
        wants_value: WantsValue = True,
    ) -> None:
        """*open_log* begins the record. Runs on a cluster have a log; those of an Executor that is
        the mode of the flow print where its workers do. The timeout of *settings* counts from when
        a worker begins.
        """
        self.cluster, self.settings, self.open_log = cluster, settings, open_log
        self.wants_value = wants_value
        #: Whether a worker does not see the files of this machine.
        self._sends_contents = False
        self.lend: Lend = lend_nothing

    def start(self, run: Run, bound: Bound, done: Done) -> Handle:
        """Submit it. Raises UncrossableValue, which names the value that cannot be sent."""
        log = self.open_log(run, bound)
        if log is not None:
            os.close(log)
        job = self._job(run, bound)
        submitted = _Submitted(self.cluster, job.key, partial(done, run, _lost(_UNREACHABLE)))
        self._submit(job, submitted, partial(done, run))
        return submitted

    def _submit(
        self, job: RemoteJob, submitted: _Submitted, done: Callable[[Outcome], None]
    ) -> None:
        if self._sends_contents and job.folder:
            job = _with_contents(job)
        submitted.future = self.cluster.submit("run", *job.message())
        submitted.future.add_done_callback(lambda one: self._end(one, job, submitted, done))

    def _end(self, future: Future[Any], job: RemoteJob, submitted: _Submitted, done: _End) -> None:
        reply = _reply(future, job)
        if not reply.lacks_contents or submitted.is_ended:
            done(_outcome(reply, job))
            return
        self._sends_contents = True

        def submit() -> None:
            try:
                self._submit(job, submitted, done)
                if submitted.is_ended:
                    submitted.signal(KILL)
            except Exception as error:  # of the disk, of the cluster: the flow waits for its end
                done(_lost(str(error)))

        # A thread of its own: that of a cluster may not submit.
        threading.Thread(target=submit, name="kogine-submit", daemon=True).start()

    def close(self) -> None:
        """Disconnect from the cluster."""
        self.cluster.close()

    def _job(self, run: Run, bound: Bound) -> RemoteJob:
        is_cluster = self.settings.on is not None
        return RemoteJob(
            uuid.uuid4().hex,
            pack(bound, self.wants_value),
            bound.argv,
            os.getpid(),
            self.settings.variables(run),
            ""
            if is_cluster and self.settings.in_run_dir
            else self.settings.cwd(run) or os.getcwd(),
            self.settings.timeout,
            self.settings.grace,
            self.settings.nice,
            str(run.folder) if is_cluster and run.folder else "",
            run.attempt,
            _texts(bound) if is_cluster else {},
        )


def _texts(bound: Bound) -> dict[str, str]:
    """File -> SHA-256 of the script and of its own modules."""
    launch = bound.launch
    found = {file: digest for file, digest in own_files(launch).values() if digest}
    if os.path.isfile(launch.filename):
        found[launch.filename] = script_hash(bound)
    return found


def _with_contents(job: RemoteJob) -> RemoteJob:
    """The *job* with the files that it needs. Raises OSError, ValueError, and UsageError if they
    are too large.
    """
    cwd = job.cwd or os.getcwd()
    root, contents = transfer.read_project(job.texts or (), cwd)
    path = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    contents |= transfer.read_state(job.folder, job.env)
    return replace(job, contents=contents, root=root, path=[*map(os.path.abspath, path)])


def _reply(future: Future[tuple[Any, ...]], job: RemoteJob) -> Reply:
    """How the job has ended; its record has then what it has left."""
    try:
        reply = Reply(*future.result())
    except BaseException as error:  # a broken pool, a lost worker, a cancelled future
        # A worker may die between the end of a run and its report.
        found = attempts.published(Path(job.folder), job.attempt) if job.folder else None
        reply = Reply(*found) if found is not None else Reply(None, refused=_why_lost(error))
    if job.folder:
        with suppress(OSError):  # the log is lost then, and not the run
            attempts.collect(Path(job.folder), job.attempt)
            transfer.write_folder(job.folder, reply.left or {})
    return reply


def _outcome(reply: Reply, job: RemoteJob) -> Outcome:
    """The Outcome of *reply*. It is unpickled here: its values need the script's classes."""
    host, pid = reply.worker
    worker = f"{host}:{pid}" if host else ""
    if reply.unread is None:
        return replace(_lost(reply.refused), worker=worker)
    outcome = replace(outcome_of(*reply.unread), worker=worker)
    if not reply.is_late:
        return outcome
    late = RunError("TimeoutError", f"took longer than {job.timeout:g} s", "")
    return replace(outcome, status="failed", error=late)


def _why_lost(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("kohaku_ast"):
        line = f'pip install "kohaku-ast=={VERSION}"'
        return f"the worker does not have kohaku-ast {VERSION}: {line} there ({error})"
    return f"the executor has lost it ({RunError.of(error, None)})"


def _lost(why: str) -> Outcome:
    return Outcome("failed", error=RunError("Lost", why, ""), exit_status=1)


class _Submitted:
    """A submitted run; it is cancelled, or gets signals, where the cluster can do that."""

    pid = 0

    def __init__(self, cluster: Cluster, key: str, give_up: Callable[[], None]) -> None:
        """*give_up* is called when it cannot be killed."""
        self.cluster, self.key, self.give_up = cluster, key, give_up
        self.future: Future[Any] = Future()
        #: Whether a signal was sent to end it.
        self.is_ended = False

    def wait(self, timeout: float | None = None) -> Outcome:
        raise NotImplementedError  # the future reports its end

    def signal(self, number: int) -> None:
        # The worker continues a stopped process itself.
        if number == getattr(signal, "SIGCONT", None):
            return
        self.is_ended = True
        if self.future.done():
            return
        if not self.cluster.signal(self.key, number, self.future) and number == KILL:
            self.give_up()

    def close(self) -> None:
        pass
