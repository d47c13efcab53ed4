"""Runs and maps on an executor of ``concurrent.futures``: our processes, or one of the user's."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future

from kohaku_ast.engines.futures import Pending, explained, start_in_thread
from kohaku_ast.engines.packed_value import PackedValue
from kohaku_ast.engines.remote_task import RemoteReply, run_nodes, run_rows
from kohaku_ast.errors import PipelineError, UncrossableValue
from kohaku_ast.helpers.processes import SCOPE, inherited
from kohaku_ast.pipeline.execution import Steps
from kohaku_ast.pipeline.failure import FailedItem
from kohaku_ast.pipeline.graph import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from kohaku_ast.engines.remote_task import RemoteFailure
    from kohaku_ast.engines.thread_pool import NestingLevel
    from kohaku_ast.pipeline.execution import PipelineRun
    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.node_like import NodeLike


def run_pooled(steps: Steps, level: NestingLevel) -> Any:
    """The result of *steps*: the executor of *level* gets each node as soon as it can run."""
    _Run(steps, level).all(steps.first())
    return steps.result()


class _Run:
    def __init__(self, steps: Steps, level: NestingLevel) -> None:
        self._steps = steps
        self._level = level
        self._pending = Pending()
        self._error: BaseException | None = None

    def all(self, ready: list[NodeLike]) -> None:
        """Run the *ready* nodes and those that follow. After a failure no node starts, running
        ones end, and then it is raised.
        """
        waiting = list(ready)
        try:
            while waiting or self._pending:
                while waiting and self._error is None and self._has_room():
                    self._submit(waiting.pop(0))
                if not self._pending:
                    break
                waiting += self._finish(*self._pending.next())
        except BaseException:
            self._pending.cancel()
            raise
        if self._error is not None:
            raise self._error

    def _has_room(self) -> bool:
        return len(self._pending) < self._level.node_workers

    def _submit(self, node: NodeLike) -> None:
        try:
            inputs = self._steps.begin(node)
        except PipelineError as error:  # it has not started
            self._error = error
            self._pending.cancel()
            return
        try:
            if hasattr(node, "run_inside"):
                future = start_in_thread(lambda: self._steps.call(node, inputs))
            else:
                future = self._level.node_pool.submit(
                    run_nodes, *_node_task(self._steps, node, inputs)
                )
        except KeyboardInterrupt:  # it is for this process, not from the node
            raise
        except BaseException as error:
            self._fail(node, inputs, explained(error, [node], is_sent=False))
            return
        self._pending.add(future, (node, inputs))

    def _finish(self, future: Future[Any], task: tuple[NodeLike, Any]) -> Iterable[NodeLike]:
        node, inputs = task
        try:
            result = future.result()
            if isinstance(result, RemoteReply):
                result = _outputs_of(result, node, self._steps)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._fail(node, inputs, explained(error, [node]))
            return ()
        return self._steps.end(node, result)

    def _fail(self, node: NodeLike, inputs: Any, error: BaseException) -> None:
        if isinstance(error, CancelledError) and self._error is not None:
            self._steps.drop(node)
            return
        self._steps.fail(node, inputs, error)
        self._error = self._error or error
        self._pending.cancel()


def _node_task(steps: Steps, node: NodeLike, inputs: dict[str, Any]) -> tuple[Any, ...]:
    who = shown(node)
    return (
        PackedValue([node], f"node {who}"),
        PackedValue(inputs, f"node {who}: the input"),
        frozenset(node.outputs),
        frozenset(),
        steps.place(),
        False,
        steps.name_of(node),
        _held(steps, who),
    )


def _held(steps: Steps, who: str) -> PackedValue | None:
    """The values of ``context`` that the nodes of a task begin with; None if there are none."""
    values = steps.shared.values
    return PackedValue(dict(values), f"node {who}: the value of context") if values else None


def _outputs_of(answer: RemoteReply, node: NodeLike, steps: Steps) -> tuple[Any, ...]:
    _note_worker(answer, node, steps)
    for failure in answer.failures:
        raise failure.error
    [(_, packed, _, changed)] = answer.results.open()
    steps.take(node, changed and changed.open())
    values = packed.open()
    return tuple([values[name] for name in node.outputs])


def _note_worker(answer: RemoteReply, node: NodeLike, steps: Steps) -> None:
    """Have the record say which worker of a cluster has run *node*."""
    recorder = steps.run.scope.recorder
    if answer.worker and recorder is not None:
        recorder.ran_on(answer.worker, steps.run.scope.context.inside(steps.name_of(node)))


def map_pooled(run: PipelineRun, rows: Rows, keep: bool, level: NestingLevel) -> list[Any]:
    """The results of *rows*. After a failure no item starts, unless *keep*; running ones end."""
    made = (ItemParts if run.is_bare and not run.plan.is_async else Items)(run, rows, keep, level)
    made.all()
    return made.results


class Mapped:
    """A map on an executor: submits items, waits, handles failures. Subclasses say what is sent."""

    def __init__(self, run: PipelineRun, rows: Rows, keep: bool, level: NestingLevel) -> None:
        self.run, self.rows, self.keep, self.level = run, rows, keep, level
        self.results: list[Any] = [None] * len(rows)
        self.pending = Pending()
        self.next = 0
        #: The first failed item in the order of the items, whatever the timing.
        self.failed: tuple[int, BaseException] | None = None
        self.extra = 0

    def all(self) -> None:
        """Fill ``results``. Raises the exception of the first item that failed."""
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
        """Whether there are items to submit."""
        return self.next < len(self.rows)

    def has_room(self) -> bool:
        """Whether another can be submitted: two for each worker, one of them in advance."""
        if len(self.pending) >= 2 * self.level.map_workers:
            return False
        if not self.pending or self.level.extra is None:
            return True
        self.extra += self.level.extra.take()
        return self.extra == len(self.pending)

    def give_back(self, left: int) -> None:
        """Return the permits that *left* pending items do not need."""
        while self.level.extra is not None and self.extra > max(0, left - 1):
            self.extra -= 1
            self.level.extra.give()

    def submit(self) -> None:
        """Submit the next item or items."""
        raise NotImplementedError

    def finish(self, future: Future[Any], task: Any) -> None:
        """Keep the results of *future*, which ran *task*."""
        raise NotImplementedError

    def fail(self, index: int, error: BaseException, run: PipelineRun) -> None:
        """Item *index* raised *error*, which *run* has kept. An interrupt is raised at once."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        if self.keep and isinstance(error, Exception):
            self.results[index] = FailedItem(index, error, run.failure)
            return
        if self.failed is None or index < self.failed[0]:
            self.failed = index, error
        self.pending.cancel()


class Items(Mapped):
    """A map with a cache or callbacks, which this process handles: each item is looked up, sent and
    reported separately. An item with nested pipelines stays here, and its nodes are sent.
    """

    def submit(self) -> None:  # noqa: D102  # Mapped has the sentence
        index = self.next
        self.next += 1
        run = self.run.item(index, self.rows.values(index))
        report = run.reported_item()
        report.__enter__()
        try:
            future, steps = self._started(run)
        except BaseException as error:
            report.__exit__(None, None, None)
            self.fail(index, explained(error, run.plan.nodes, is_sent=False), run)
            return
        self.pending.add(future, (index, run, steps, report))

    def _started(self, run: PipelineRun) -> tuple[Future[Any], Steps | None]:
        level = run.scope.level
        if run.plan.has_nested:
            run = run.inside(run.scope.replaced(level=level.item()))
        steps = Steps(run)
        if steps.todo:
            self.level.resources.start()
            if run.plan.has_nested:
                return start_in_thread(lambda: run_pooled(steps, run.scope.level)), None
            return self.level.map_pool.submit(run_nodes, *_item_task(steps)), steps
        done: Future[Any] = Future()
        done.set_result(steps.result())
        return done, None

    def finish(self, future: Future[Any], task: tuple[int, PipelineRun, Steps | None, Any]) -> None:  # noqa: D102  # Mapped has the sentence
        index, run, steps, report = task
        try:
            if future.cancelled():
                return
            if steps is None:
                self.results[index] = future.result()
            else:
                self.results[index] = _replayed(steps, future.result())
        except BaseException as error:
            self.fail(index, explained(error, steps.todo if steps else run.plan.nodes), run)
        finally:
            report.__exit__(None, None, None)


def _replayed(steps: Steps, answer: RemoteReply) -> Any:
    """The result of an item from *answer*, which has its nodes. Raises what a node raised."""
    for node, (seconds, packed, _, changed) in zip(steps.todo, answer.results.open()):
        steps.take(node, changed and changed.open())
        steps.replay(node, None if packed is None else packed.open(), seconds)
        _note_worker(answer, node, steps)
    for failure in answer.failures:
        if failure.position is not None:
            node = steps.todo[failure.position]
            steps.fail(node, steps.begin(node), failure.error)
            _note_worker(answer, node, steps)
        raise failure.error
    return steps.result()


def _item_task(steps: Steps) -> tuple[Any, ...]:
    names = ", ".join(shown(node) for node in steps.todo)
    return (
        PackedValue(steps.todo, f"one of the nodes {names}"),
        PackedValue(dict(steps.values), f"node {shown(steps.todo[0])}: the input"),
        frozenset(steps.run.plan.wanted),
        steps.run.plan.shared,
        steps.place(),
        steps.run.plan.may_skip,
        "",
        _held(steps, names),
    )


_PART_SECONDS = 0.02
"""What a part is to take in worker processes: it costs this process 0.1 to 0.2 ms."""


class ItemParts(Mapped):
    """A map without cache and callbacks: several items at a time, by the generated code."""

    def __init__(self, run: PipelineRun, rows: Rows, keep: bool, level: NestingLevel) -> None:
        super().__init__(run, rows, keep, level)
        self._size = 1
        #: Items that are sent alone, because their part had a value that cannot be sent.
        self._alone: list[int] = []
        names = ", ".join(shown(node) for node in run.plan.nodes)
        self._constant = PackedValue(
            (run.plan, rows.over, dict(rows.fixed), inherited(SCOPE.get())),
            f"the pipeline of {names}, or what is fixed,",
        )
        if level.is_remote:
            self._spill()

    def _spill(self) -> None:
        try:
            self._constant.spilled(self.level.resources.folder)
        except UncrossableValue:
            fixed = self.rows.fixed
            PackedValue(dict(fixed), self._reading(fixed)).pack()  # its own message names the input
            raise

    def _reading(self, names: Any) -> str:
        node = next(
            (one for one in self.run.plan.nodes if not set(names).isdisjoint(one.inputs)), None
        )
        return f"node {shown(node)}: the input" if node else "the input"

    def has_more(self) -> bool:  # noqa: D102  # Mapped has the sentence
        return super().has_more() or bool(self._alone)

    def _bounds(self) -> tuple[int, int]:
        if self._alone:
            index = self._alone.pop(0)
            return index, index + 1
        start, self.next = self.next, min(self.next + self._size, len(self.rows))
        return start, self.next

    def submit(self) -> None:  # noqa: D102  # Mapped has the sentence
        start, stop = self._bounds()
        part = list(self.rows.part(start, stop))
        packed = PackedValue(part, f"{self._reading(self.rows.over)} {', '.join(self.rows.over)!r}")
        try:
            pool = self.level.map_pool
            future = pool.submit(run_rows, self._constant, packed, self.keep)
        except BaseException as error:
            self.fail(start, explained(error, self.run.plan.nodes, is_sent=False), self.run)
            return
        self.pending.add(future, (start, stop))

    def finish(self, future: Future[Any], task: tuple[int, int]) -> None:  # noqa: D102  # Mapped has the sentence
        start, stop = task
        if future.cancelled():
            return
        try:
            answer: RemoteReply = future.result()
            found = answer.results.open()
        except BaseException as error:
            self._fail_all(start, stop, explained(error, self.run.plan.nodes))
            return
        self.results[start : start + len(found)] = found
        self.run.count(len(found))
        for failure in answer.failures:
            self._note(start, stop, failure)
        self._resize(answer.seconds / max(1, len(found)))

    def _note(self, start: int, stop: int, failure: RemoteFailure) -> None:
        if failure.index is None:
            self._fail_all(start, stop, failure.error)
            return
        index = start + failure.index
        if failure.position is not None:
            node = self.run.plan.nodes[failure.position]
            self.run.fail(node, failure.error, failure.inputs, failure.results, index)
        self.fail(index, failure.error, self.run)

    def _fail_all(self, start: int, stop: int, error: BaseException) -> None:
        """Fail these items, of which none ran."""
        if isinstance(error, UncrossableValue) and stop - start > 1:
            self._alone += range(start, stop)
            return
        self.run.count(stop - start)
        for index in range(start, stop):
            self.fail(index, error, self.run)

    def _resize(self, seconds: float) -> None:
        """Set the size of the next parts: the items of ``_PART_SECONDS``, or what is worthwhile on
        a cluster, fewer towards the end, so that no worker waits long for the last part.
        """
        wanted = getattr(self.level.map_pool, "worthwhile", _PART_SECONDS)
        left = (len(self.rows) - self.next) // (2 * self.level.map_workers)
        self._size = max(1, min(int(wanted / max(seconds, 1e-7)), left, 4 * self._size + 4))
