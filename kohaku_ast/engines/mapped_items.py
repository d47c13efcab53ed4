"""Items that go to workers one by one, because they are told of or cached."""

from __future__ import annotations

from concurrent.futures import Future

from kohaku_ast.engines.errand import Answer, run_nodes
from kohaku_ast.engines.mapped import Mapped
from kohaku_ast.engines.parcel import Parcel
from kohaku_ast.engines.waiting import in_thread, worded
from kohaku_ast.pipeline.graph import shown
from kohaku_ast.pipeline.stepping import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kohaku_ast.pipeline.job import Job


class Items(Mapped):
    """Cache and callbacks are served here: each item is looked up, sent, and told of by itself.
    One with pipelines inside stays here as well, and its nodes are sent.
    """

    def submit(self) -> None:  # noqa: D102  # Mapped has the sentence
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

    def finish(self, future: Future[Any], task: tuple[int, Job, Steps | None, Any]) -> None:  # noqa: D102  # Mapped has the sentence
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
