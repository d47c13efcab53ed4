"""Runs on a cluster or an Executor of the user's: workers start a fresh process for each run."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kohaku_ast.executors import attempts
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
        self.lend: Lend = lend_nothing

    def start(self, run: Run, bound: Bound, done: Done) -> Handle:
        """Submit it. Raises UncrossableValue, which names the value that cannot be sent."""
        log = self.open_log(run, bound)
        if log is not None:
            os.close(log)
        job = self._job(run, bound)
        future = self.cluster.submit("run", *job.message())
        future.add_done_callback(lambda one: done(run, _outcome(one, job)))
        give_up = partial(done, run, _lost(_UNREACHABLE))
        return _Submitted(partial(self.cluster.signal, job.key), future, give_up)

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


def _outcome(future: Future[tuple[Any, ...]], job: RemoteJob) -> Outcome:
    """The Outcome of *future*. It is unpickled here: its values need the script's classes."""
    try:
        reply = Reply(*future.result())
    except BaseException as error:  # a broken pool, a lost worker, a cancelled future
        # A worker may die between the end of a run and its report.
        found = attempts.published(Path(job.folder), job.attempt) if job.folder else None
        reply = Reply(*found) if found is not None else Reply(None, refused=_why_lost(error))
    if job.folder:
        with suppress(OSError):  # the log is lost then, and not the run
            attempts.collect(Path(job.folder), job.attempt)
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

    def __init__(
        self,
        send: Callable[[int, Future[Any]], bool],
        future: Future[Any],
        give_up: Callable[[], None],
    ) -> None:
        """*send* sends it a signal, and *give_up* is called when it cannot be killed."""
        self.send, self.future, self.give_up = send, future, give_up

    def wait(self, timeout: float | None = None) -> Outcome:
        raise NotImplementedError  # the future reports its end

    def signal(self, number: int) -> None:
        # The worker continues a stopped process itself.
        if self.future.done() or number == getattr(signal, "SIGCONT", None):
            return
        if not self.send(number, self.future) and number == KILL:
            self.give_up()

    def close(self) -> None:
        pass
