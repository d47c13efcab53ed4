"""Jobs on an executor of ``concurrent.futures``: ours with processes, or a lent one."""

from __future__ import annotations

from concurrent.futures import CancelledError

from kohaku_ast.engines.errand import Answer, run_nodes
from kohaku_ast.engines.parcel import Parcel
from kohaku_ast.engines.waiting import Pending, in_thread, worded
from kohaku_ast.pipeline.graph import shown
from kohaku_ast.pipeline.stepping import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from typing import Any

    from kohaku_ast.engines.held import Level
    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.node_like import NodeLike


def run_pooled(job: Job, level: Level) -> Any:
    """The result of *job*, each node on the executor of *level* as soon as it can run."""
    steps = Steps(job)
    _Run(steps, level).all(steps.first())
    return steps.result()


class _Run:
    def __init__(self, steps: Steps, level: Level) -> None:
        self._steps = steps
        self._level = level
        self._pending = Pending()
        self._error: BaseException | None = None

    def all(self, ready: list[NodeLike]) -> None:
        """Run what is *ready* and all that follows. After a failure nothing starts; what runs
        ends; then it is raised.
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
        inputs = self._steps.begin(node)
        try:
            if hasattr(node, "run_inside"):
                future = in_thread(lambda: self._steps.call(node, inputs))
            else:
                future = self._level.node_pool.submit(run_nodes, *_errand(node, inputs))
        except KeyboardInterrupt:  # it is ours, whatever is being waited for
            raise
        except BaseException as error:
            self._fail(node, inputs, worded(error, [node], is_sent=False))
            return
        self._pending.add(future, (node, inputs))

    def _finish(self, future: Future[Any], task: tuple[NodeLike, Any]) -> Iterable[NodeLike]:
        node, inputs = task
        try:
            result = future.result()
            if isinstance(result, Answer):
                result = _opened(result, node)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._fail(node, inputs, worded(error, [node]))
            return ()
        return self._steps.end(node, result)

    def _fail(self, node: NodeLike, inputs: Any, error: BaseException) -> None:
        if isinstance(error, CancelledError) and self._error is not None:
            self._steps.drop(node)
            return
        self._steps.fail(node, inputs, error)
        self._error = self._error or error
        self._pending.cancel()


def _errand(node: NodeLike, inputs: dict[str, Any]) -> tuple[Parcel, Parcel, frozenset[str]]:
    who = shown(node)
    return (
        Parcel([node], f"node {who}"),
        Parcel(inputs, f"node {who}: the input"),
        frozenset(node.outputs),
    )


def _opened(answer: Answer, node: NodeLike) -> tuple[Any, ...]:
    for trouble in answer.troubles:
        raise trouble.error
    [(_, parcel, _)] = answer.results.open()
    values = parcel.open()
    return tuple([values[name] for name in node.outputs])
