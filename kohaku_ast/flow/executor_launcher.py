"""Runs on an Executor of the user's: its workers start a fresh interpreter for each run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import partial

from kohaku_ast.flow.run import Done, Handle, OpenLog, Run, WantsValue
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.job import Packed, pack
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.process_exit import Lend, lend_nothing
from kohaku_ast.runner.process_outcome import Unread, outcome_of
from kohaku_ast.runner.spawn import KILL, RemoteJob, run_remote_job, signal_remote_job

_UNREACHABLE = Outcome(
    "failed",
    error=RunError("Lost", "a worker of the executor runs it, where it cannot be ended", ""),
    exit_status=1,
)


class ExecutorLauncher:
    """Submits runs to *executor*, which is not shut down."""

    is_inline = False

    def __init__(
        self,
        executor: Executor,
        settings: FlowSettings,
        open_log: OpenLog = lambda run, bound: None,
        *,
        wants_value: WantsValue = True,
    ) -> None:
        """*open_log* begins the record; the output of the runs appears where the workers are. The
        timeout of *settings* counts from when a worker begins.
        """
        self.executor, self.settings, self.open_log = executor, settings, open_log
        self.wants_value = wants_value
        self.lend: Lend = lend_nothing

    def start(self, run: Run, bound: Bound, done: Done) -> Handle:
        """Submit it. Raises UncrossableValue, which names the value that cannot be sent."""
        log = self.open_log(run, bound)
        if log is not None:
            os.close(log)
        job = self._job(run, bound)
        future = self.executor.submit(run_remote_job, job)
        future.add_done_callback(lambda one: done(run, _outcome(one, job)))
        return _Submitted(future, job.key, partial(done, run, _UNREACHABLE))

    def close(self) -> None:
        """Do nothing: the executor belongs to the user, and shows nothing."""

    def _job(self, run: Run, bound: Bound) -> RemoteJob:
        return RemoteJob(
            uuid.uuid4().hex,
            Packed(pack(bound, self.wants_value), bound.argv),
            os.getpid(),
            self.settings.variables(run),
            self.settings.cwd(run) or os.getcwd(),
            self.settings.timeout,
            self.settings.grace,
            self.settings.nice,
        )


def _outcome(future: Future[tuple[Unread, bool]], job: RemoteJob) -> Outcome:
    """The Outcome of *future*. It is unpickled here: its values need the script's classes."""
    try:
        unread, is_late = future.result()
    except BaseException as error:  # a broken pool, a lost worker, a cancelled future
        why = RunError.of(error, None)
        failure = RunError("Lost", f"the executor has lost it ({why})", "")
        return Outcome("failed", error=failure, exit_status=1)
    outcome = outcome_of(*unread)
    if not is_late:
        return outcome
    late = RunError("TimeoutError", f"took longer than {job.timeout:g} s", "")
    return replace(outcome, status="failed", error=late)


class _Submitted:
    """A submitted run; it can be cancelled before it starts, and gets signals if the workers are
    threads of this process.
    """

    pid = 0

    def __init__(
        self, future: Future[tuple[Unread, bool]], key: str, give_up: Callable[[], None]
    ) -> None:
        """*give_up* is called when it cannot be killed."""
        self.future, self.key, self.give_up = future, key, give_up

    def wait(self, timeout: float | None = None) -> Outcome:
        raise NotImplementedError  # the future reports its end

    def signal(self, number: int) -> None:
        if self.future.done() or self.future.cancel():
            return
        if not signal_remote_job(self.key, number) and number == KILL:
            self.give_up()

    def close(self) -> None:
        pass
