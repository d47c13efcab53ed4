"""Maps on an executor of ``concurrent.futures``: items in parts that take a few milliseconds."""

from __future__ import annotations

from concurrent.futures import Future

from kohaku_ast.engines.errand import Answer, run_nodes, run_rows
from kohaku_ast.engines.parcel import Parcel
from kohaku_ast.engines.waiting import Pending, in_thread, worded
from kohaku_ast.errors import UncrossableValue
from kohaku_ast.pipeline.failure import FailedItem
from kohaku_ast.pipeline.graph import shown
from kohaku_ast.pipeline.stepping import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
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
        #: Of the items that failed the one that comes first: it does not hang on timing.
        self.failed: tuple[int, BaseException] | None = None
        self.extra = 0

    def all(self) -> None:
        try:
            while True:
                while self.has_more() and self.failed is None and self.has_room():
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
        if self.failed is not None:
            raise self.failed[1]

    def has_more(self) -> bool:
        return self.next < len(self.rows)

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
        """Item *index* raised *error*, which *job* has noted. An interrupt is raised at once."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        if self.keep and isinstance(error, Exception):
            self.results[index] = FailedItem(index, error, job.failure)
            return
        if self.failed is None or index < self.failed[0]:
            self.failed = index, error
        self.pending.cancel()


class _Parts(_Mapped):
    """Nobody listens and nothing is cached: several items at a time, by the straight code."""

    def __init__(self, job: Job, rows: Rows, keep: bool, level: Level) -> None:
        super().__init__(job, rows, keep, level)
        self._size = 1
        #: Items that go alone, because something in their part could not be sent.
        self._alone: list[int] = []
        names = ", ".join(shown(node) for node in job.plan.nodes)
        self._constant = Parcel(
            (job.plan, rows.over, dict(rows.fixed)), f"the pipeline of {names}, or what is fixed,"
        )
        if level.is_remote:
            self._lay_down()

    def _lay_down(self) -> None:
        try:
            self._constant.laid_down(self.level.held.folder)
        except UncrossableValue:
            fixed = self.rows.fixed
            Parcel(dict(fixed), self._reading(fixed)).pack()  # its own message names the input
            raise

    def _reading(self, names: Any) -> str:
        node = next(
            (one for one in self.job.plan.nodes if not set(names).isdisjoint(one.inputs)), None
        )
        return f"node {shown(node)}: the input" if node else "the input"

    def has_more(self) -> bool:
        return super().has_more() or bool(self._alone)

    def _bounds(self) -> tuple[int, int]:
        if self._alone:
            index = self._alone.pop(0)
            return index, index + 1
        start, self.next = self.next, min(self.next + self._size, len(self.rows))
        return start, self.next

    def submit(self) -> None:
        start, stop = self._bounds()
        part = list(self.rows.part(start, stop))
        parcel = Parcel(part, f"{self._reading(self.rows.over)} {', '.join(self.rows.over)!r}")
        try:
            pool = self.level.map_pool
            future = pool.submit(run_rows, self._constant, parcel, self.keep)
        except BaseException as error:
            self.fail(start, worded(error, self.job.plan.nodes, is_sent=False), self.job)
            return
        self.pending.add(future, (start, stop))

    def finish(self, future: Future[Any], task: tuple[int, int]) -> None:
        start, stop = task
        if future.cancelled():
            return
        try:
            answer: Answer = future.result()
            found = answer.results.open()
        except BaseException as error:
            self._fail_all(start, stop, worded(error, self.job.plan.nodes))
            return
        self.results[start : start + len(found)] = found
        for trouble in answer.troubles:
            self._note(start, stop, trouble)
        self._resize(answer.seconds / max(1, len(found)))

    def _note(self, start: int, stop: int, trouble: Trouble) -> None:
        if trouble.index is None:
            self._fail_all(start, stop, trouble.error)
            return
        index = start + trouble.index
        if trouble.position is not None:
            node = self.job.plan.nodes[trouble.position]
            self.job.fail(node, trouble.error, trouble.inputs, trouble.results, index)
        self.fail(index, trouble.error, self.job)

    def _fail_all(self, start: int, stop: int, error: BaseException) -> None:
        """None of these items was run."""
        if isinstance(error, UncrossableValue) and stop - start > 1:
            self._alone += range(start, stop)
            return
        for index in range(start, stop):
            self.fail(index, error, self.job)

    def _resize(self, seconds: float) -> None:
        """As many items as take ``_PART_SECONDS``, and towards the end fewer: no worker should
        wait long for the last.
        """
        left = (len(self.rows) - self.next) // (2 * self.level.map_workers)
        self._size = max(1, min(int(_PART_SECONDS / max(seconds, 1e-7)), left, 4 * self._size + 4))


class _Items(_Mapped):
    """Cache and callbacks are served here: each item is looked up, sent, and told of by itself.
    One with pipelines inside stays here as well, and its nodes are sent.
    """

    def submit(self) -> None:
        index = self.next
        self.next += 1
        job = self.job.item(index, self.rows.values(index))
        told = job.item_told()
        told.__enter__()
        try:
            future, steps = self._started(job)
        except BaseException as error:
            told.__exit__(None, None, None)
            self.fail(index, worded(error, job.plan.nodes, is_sent=False), job)
            return
        self.pending.add(future, (index, job, steps, told))

    def _started(self, job: Job) -> tuple[Future[Any], Steps | None]:
        if job.plan.has_nested:
            inner = job.inside(job.scope.replaced(held=job.scope.held.item()))
            return in_thread(lambda: job.scope.engine.run(inner)), None
        steps = Steps(job)
        if steps.todo:
            return self.level.map_pool.submit(run_nodes, *_errand(steps)), steps
        done: Future[Any] = Future()
        done.set_result(steps.result())
        return done, None

    def finish(self, future: Future[Any], task: tuple[int, Job, Steps | None, Any]) -> None:
        index, job, steps, told = task
        try:
            if future.cancelled():
                return
            if steps is None:
                self.results[index] = future.result()
            else:
                self.results[index] = _replayed(steps, future.result())
        except BaseException as error:
            self.fail(index, worded(error, steps.todo if steps else job.plan.nodes), job)
        finally:
            told.__exit__(None, None, None)


def _replayed(steps: Steps, answer: Answer) -> Any:
    """The result of an item, of whose nodes *answer* tells. Raises what one of them raised."""
    for node, (seconds, parcel, _) in zip(steps.todo, answer.results.open()):
        steps.replay(node, None if parcel is None else parcel.open(), seconds)
    for trouble in answer.troubles:
        if trouble.position is not None:
            node = steps.todo[trouble.position]
            steps.fail(node, steps.begin(node), trouble.error)
        raise trouble.error
    return steps.result()


def _errand(steps: Steps) -> tuple[Parcel, Parcel, frozenset[str]]:
    names = ", ".join(shown(node) for node in steps.todo)
    return (
        Parcel(steps.todo, f"one of the nodes {names}"),
        Parcel(dict(steps.values), f"node {shown(steps.todo[0])}: the input"),
        frozenset(steps.job.plan.wanted),
    )
