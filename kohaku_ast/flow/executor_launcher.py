"""The mode of a lent Executor: its workers start a fresh interpreter for each run."""

from __future__ import annotations

import os
from concurrent.futures import Executor, Future

from kohaku_ast.flow.launchers import Done, Handle, OpenLog
from kohaku_ast.flow.run import Run
from kohaku_ast.flow.slots import Slots
from kohaku_ast.runner.bound import Bound
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.packed import run_packed
from kohaku_ast.runner.shipment import Packed, pack


class ExecutorLauncher:
    """Submits runs to *executor*, wherever its workers are; it is not shut down."""

    is_inline = False

    def __init__(
        self, executor: Executor, slots: Slots, open_log: OpenLog = lambda run, bound: None
    ) -> None:
        """*open_log* begins the record; what runs print appears where the workers are."""
        self.executor, self.slots, self.open_log = executor, slots, open_log

    def start(self, run: Run, bound: Bound, done: Done) -> Handle:
        """Submit it; raises UncrossableValue, which names the value."""
        packed = Packed(pack(bound, True), bound.argv)
        log = self.open_log(run, bound)
        if log is not None:
            os.close(log)
        future = self.executor.submit(run_packed, packed, self.slots.of(run))
        future.add_done_callback(lambda one: done(run, _outcome(one)))
        return _Submitted(future)

    def close(self) -> None:
        """It was lent."""


def _outcome(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except BaseException as error:  # a broken pool, a worker that is gone, a cancelled future
        return Outcome("failed", error=RunError.of(error, None), exit_status=1)


class _Submitted:
    """A run somewhere; it can be taken back as long as it has not started."""

    pid = 0

    def __init__(self, future: Future[Outcome]) -> None:
        self.future = future

    def wait(self, timeout: float | None = None) -> Outcome:
        return self.future.result(timeout)

    def signal(self, number: int) -> None:
        self.future.cancel()

    def close(self) -> None:
        pass
