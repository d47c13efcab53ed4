"""Jobs as coroutines: what waits in one node or item leaves the thread to the others."""

from __future__ import annotations

import asyncio
import functools
import itertools

from kohaku_ast.engines.waiting import aside, carried
from kohaku_ast.pipeline.awaited import call_async
from kohaku_ast.pipeline.failure import FailedItem
from kohaku_ast.pipeline.stepping import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from typing import Any

    from kohaku_ast.engines.asynchronous import AsyncExecutor
    from kohaku_ast.engines.native import NativeEngine
    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.node_like import NodeLike


class Overlapped:
    """Runs Jobs of *engine* in the loop of *executor*; only calls of nodes take its turns."""

    def __init__(self, engine: NativeEngine, executor: AsyncExecutor) -> None:
        self._engine = engine
        self._executor = executor

    async def run(self, job: Job) -> Any:
        """The result of *job*."""
        kind = self._engine.node_kind
        if kind in ("parallel", "lent"):
            return await aside(functools.partial(self._engine.run, job))
        steps = Steps(job)
        if kind != "sequential":  # "threaded" too: what is not async gets a thread here
            await _perform(steps.first(), functools.partial(self._step, steps))
        else:
            for node in steps.todo:
                await self._step(steps, node)
        return steps.result()

    async def map(self, job: Job, rows: Rows, keep: bool) -> list[Any]:
        """The results of *rows*."""
        kind = self._engine.map_kind
        if kind in ("parallel", "lent"):
            found: list[Any] = await aside(functools.partial(self._engine.map, job, rows, keep))
            return found  # mypy wants the annotation
        results: list[Any] = [None] * len(rows)
        indices = iter(range(len(rows)))

        async def pull(_: int) -> Iterable[int]:
            for index in indices:
                results[index] = await self._item(job.item(index, rows.values(index)), keep)
                return (0,)
            return ()

        at_once = 1 if kind == "sequential" else self._executor.max_concurrent
        await _perform([0] * min(at_once, len(rows)), pull)
        return results

    async def _item(self, job: Job, keep: bool) -> Any:
        try:
            if not job.scope.callbacks:
                return await self.run(job)
            with job.item_told():
                return await self.run(job)
        except Exception as error:
            if not keep:
                raise
            return FailedItem(job.scope.context.item or 0, carried(error), job.failure)

    async def _step(self, steps: Steps, node: NodeLike) -> list[NodeLike]:
        inputs = steps.begin(node)
        try:
            result = await self._call(steps, node, inputs)
        except BaseException as error:
            steps.fail(node, inputs, carried(error))
            raise
        return steps.end(node, result)

    async def _call(
        self, steps: Steps, node: NodeLike, inputs: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        if hasattr(node, "run_inside"):
            return await self._nested(node, inputs, steps.job)
        function = functools.partial(call_async if node.is_async else steps.call, node, inputs)
        return await self._executor.take_turn(  # type: ignore[no-any-return]
            function, node.is_async
        )

    async def _nested(self, node: Any, inputs: Mapping[str, Any], job: Job) -> tuple[Any, ...]:
        with node.opened(inputs, job.scope) as (inner, rows):
            if inner.scope.engine is not self._engine:
                call = (
                    functools.partial(inner.run)
                    if rows is None
                    else (functools.partial(inner.map, rows))
                )
                return node.gathered(await aside(call))  # type: ignore[no-any-return]
            if rows is not None:
                with inner.map_told(len(rows)):
                    return node.gathered(  # type: ignore[no-any-return]
                        await self.map(inner, rows, False)
                    )
            with inner.told() as outputs:
                outputs.update(await self.run(inner))
            return node.gathered(outputs)  # type: ignore[no-any-return]


async def _perform(
    first: Iterable[Any], do: Callable[[Any], Coroutine[Any, Any, Iterable[Any]]]
) -> None:
    """Do *first* and all that each task leads to. After a failure nothing starts, and what runs
    ends; then the error of the task that began first is raised.
    """
    running: set[asyncio.Task[None]] = set()
    errors: list[tuple[int, BaseException]] = []
    counter = itertools.count()

    async def follow(task: Any) -> None:
        """Do *task* and what comes of it; of several things the first, beside the others."""
        try:
            while not errors:
                begun = next(counter)
                found = iter(await do(task))
                for task in found:  # noqa: B007  # it is done in the next turn
                    break
                else:
                    return
                start(found)
        except BaseException as error:  # raised by the caller: in a task some would end the loop
            errors.append((begun, error))
            if isinstance(error, asyncio.CancelledError):
                raise

    def start(tasks: Iterable[Any]) -> None:
        for task in tasks:
            made = asyncio.ensure_future(follow(task))
            running.add(made)
            made.add_done_callback(running.discard)

    rest = iter(first)
    try:
        for task in rest:
            start(rest)
            await follow(task)
        while running:
            await asyncio.wait(set(running))
    except asyncio.CancelledError:
        for one in running:
            one.cancel()
        raise
    if errors:
        raise min(errors, key=lambda failed: failed[0])[1]
