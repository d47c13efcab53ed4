"""Maps on an executor of ``concurrent.futures``: items in parts that take a few milliseconds."""

from __future__ import annotations

from kohaku_ast.engines.errand import Answer, run_nodes, run_rows
from kohaku_ast.engines.parcel import Parcel
from kohaku_ast.engines.waiting import Pending, worded
from kohaku_ast.pipeline.failure import FailedItem
from kohaku_ast.pipeline.graph import shown
from kohaku_ast.pipeline.stepping import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

    from kohaku_ast.engines.errand import Trouble
    from kohaku_ast.engines.held import Level
    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.mapping import Rows

_PART_SECONDS = 0.02  # a part costs the parent 0.1 to 0.2 ms


def map_pooled(job: Job, rows: Rows, keep: bool, level: Level) -> list[Any]:
    """The results of *rows*. After a failure nothing starts, unless *keep*; what runs ends."""
    made = (_Parts if job.is_bare and not job.plan.is_async else _Items)(job, rows, keep, level)
    made.all()
    return made.results


class _Mapped:
    """What both ways have in common: submit, wait, fail."""

    def __init__(self, job: Job, rows: Rows, keep: bool, level: Level) -> None:
        self.job, self.rows, self.keep, self.level = job, rows, keep, level
        self.results: list[Any] = [None] * len(rows)
        self.pending = Pending()
        self.next = 0
        self.error: BaseException | None = None
        self.extra = 0

    def all(self) -> None:
        try:
            while True:
                while self.next < len(self.rows) and self.error is None and self.has_room():
                    self.submit()
                if not self.pending:
                    break
                self.finish(*self.pending.next())
                self.give_back(len(self.pending))
        except BaseException:
            self.pending.cancel()
            raise
        finally:
            self.give_back(0)
        if self.error is not None:
            raise self.error

    def has_room(self) -> bool:
        """Two for each worker: one that it does, and one that it need not wait for."""
        if len(self.pending) >= 2 * self.level.map_workers:
            return False
        if not self.pending or self.level.extra is None:
            return True
        self.extra += self.level.extra.take()
        return self.extra == len(self.pending)

    def give_back(self, left: int) -> None:
        """Give back the extra workers that *left* items under way do not need."""
        while self.level.extra is not None and self.extra > max(0, left - 1):
            self.extra -= 1
            self.level.extra.give()

    def submit(self) -> None:
        raise NotImplementedError

    def finish(self, future: Future[Any], task: Any) -> None:
        raise NotImplementedError

    def fail(self, index: int, error: BaseException, job: Job) -> None:
        """Item *index* raised *error*, which *job* has noted."""
        if self.keep and isinstance(error, Exception):
            self.results[index] = FailedItem(index, error, job.failure)
            return
        self.error = self.error or error
        self.pending.cancel()


class _Parts(_Mapped):
    """Nobody listens and nothing is cached: several items at a time, by the straight code."""

    def __init__(self, job: Job, rows: Rows, keep: bool, level: Level) -> None:
        super().__init__(job, rows, keep, level)
        self._size = 1
        names = ", ".join(shown(node) for node in job.plan.nodes)
        self._constant = Parcel(
            (job.plan, rows.over, dict(rows.fixed)), f"the pipeline of {names}, or what is fixed,"
        )
        if rows.fixed and level.is_remote:
            Parcel(dict(rows.fixed), self._reading(job.plan.given)).pack()

    def _reading(self, names: Any) -> str:
        node = next(
            (one for one in self.job.plan.nodes if not set(names).isdisjoint(one.inputs)), None
        )
        return f"node {shown(node)}: the input" if node else "the input"

    def submit(self) -> None:
        start, stop = self.next, min(self.next + self._size, len(self.rows))
        self.next = stop
        part = list(self.rows.part(start, stop))
        parcel = Parcel(part, f"{self._reading(self.rows.over)} {', '.join(self.rows.over)!r}")
        try:
            pool = self.level.map_pool
            future = pool.submit(run_rows, self._constant, parcel, self.keep)
        except BaseException as error:
            self.fail(start, self._worded(error), self.job)
            return
        self.pending.add(future, (start, stop))

    def _worded(self, error: BaseException) -> BaseException:
        return worded(error, self.job.plan.nodes)

    def finish(self, future: Future[Any], task: tuple[int, int]) -> None:
        start, stop = task
        if future.cancelled():
            return
        try:
            answer: Answer = future.result()
            found = answer.results.open()
        except BaseException as error:
            for index in range(start, stop if self.keep else start + 1):
                self.fail(index, self._worded(error), self.job)
            return
        self.results[start : start + len(found)] = found
        for trouble in answer.troubles:
            self._note(start, stop, trouble)
        self._resize(answer.seconds / max(1, len(found)))

    def _note(self, start: int, stop: int, trouble: Trouble) -> None:
        if trouble.position is None:  # nothing was run, or nothing could be sent back
            for index in range(start, stop if self.keep else start + 1):
                self.fail(index, trouble.error, self.job)
            return
        index = start + trouble.index
        node = self.job.plan.nodes[trouble.position]
        self.job.fail(node, trouble.error, trouble.inputs, trouble.results, index)
        self.fail(index, trouble.error, self.job)

    def _resize(self, seconds: float) -> None:
        """As many items as take ``_PART_SECONDS``, and towards the end fewer: no worker should
        wait long for the last.
        """
        left = (len(self.rows) - self.next) // (2 * self.level.map_workers)
        self._size = max(1, min(int(_PART_SECONDS / max(seconds, 1e-7)), left, 4 * self._size + 4))


class _Items(_Mapped):
    """Cache and callbacks are served here: each item is looked up, sent, and told of by itself."""

    def submit(self) -> None:
        index = self.next
        self.next += 1
        job = self.job.item(index, self.rows.values(index))
        told = job.item_told()
        told.__enter__()
        try:
            steps = Steps(job)
            if not steps.todo:
                self.results[index] = steps.result()
                told.__exit__(None, None, None)
                return
            future = self.level.map_pool.submit(run_nodes, *_errand(steps))
        except BaseException as error:
            told.__exit__(None, None, None)
            self.fail(index, error, job)
            return
        self.pending.add(future, (index, steps, told))

    def finish(self, future: Future[Any], task: tuple[int, Steps, Any]) -> None:
        index, steps, told = task
        try:
            if not future.cancelled():
                self._replay(index, steps, future)
        finally:
            told.__exit__(None, None, None)

    def _replay(self, index: int, steps: Steps, future: Future[Any]) -> None:
        job = steps.job
        try:
            answer: Answer = future.result()
            for node, (seconds, parcel, _) in zip(steps.todo, answer.results.open()):
                steps.replay(node, None if parcel is None else parcel.open(), seconds)
            for trouble in answer.troubles:
                if trouble.position is not None:
                    node = steps.todo[trouble.position]
                    steps.fail(node, steps.begin(node), trouble.error)
                raise trouble.error
            self.results[index] = steps.result()
        except BaseException as error:
            self.fail(index, worded(error, steps.todo), job)


def _errand(steps: Steps) -> tuple[Parcel, Parcel, frozenset[str]]:
    names = ", ".join(shown(node) for node in steps.todo)
    return (
        Parcel(steps.todo, f"one of the nodes {names}"),
        Parcel(dict(steps.values), f"node {shown(steps.todo[0])}: the input"),
        frozenset(steps.job.plan.wanted),
    )
