"""Runs and maps as coroutines, and AsyncExecutor, which runs ``async def`` functions."""

from __future__ import annotations

import asyncio
import functools
import itertools
import threading
from collections.abc import Coroutine
from concurrent.futures import Executor, Future
from typing import Any

from kohaku_ast.engines.futures import in_own_thread, unwrapped
from kohaku_ast.errors import check_type, read_number
from kohaku_ast.pipeline.execution import Steps
from kohaku_ast.pipeline.failure import FailedItem
from kohaku_ast.pipeline.node_like import is_async
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kohaku_ast.engines.executor_engine import ExecutorEngine
    from kohaku_ast.pipeline.execution import PipelineRun
    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.node_like import NodeLike


class Overlapped:
    """Runs pipelines of *engine* in the event loop of *executor*; the calls of nodes count towards
    its limit.
    """

    def __init__(self, engine: ExecutorEngine, executor: AsyncExecutor) -> None:
        self._engine = engine
        self._executor = executor

    async def run(self, run: PipelineRun) -> Any:
        """The result of *run*."""
        if self._engine.node_kind in ("parallel", "lent"):
            return await in_own_thread(functools.partial(self._engine.run, run))
        return await self.finish(Steps(run))

    async def finish(self, steps: Steps) -> Any:
        """The result of *steps*."""
        # "threaded" too: nodes that are not async get threads here.
        if self._engine.node_kind != "sequential":
            await _perform(steps.first(), functools.partial(self._step, steps))
        else:
            for node in steps.todo:
                if not steps.skips(node):
                    await self._step(steps, node)
        return steps.result()

    async def map(self, run: PipelineRun, rows: Rows, keep: bool) -> list[Any]:
        """The results of *rows*."""
        kind = self._engine.map_kind
        if kind in ("parallel", "lent"):
            found: list[Any] = await in_own_thread(
                functools.partial(self._engine.map, run, rows, keep)
            )
            return found  # mypy wants the annotation
        results: list[Any] = [None] * len(rows)
        indices = iter(range(len(rows)))

        async def pull(_: int) -> Iterable[int]:
            for index in indices:
                results[index] = await self._item(run.item(index, rows.values(index)), keep)
                return (0,)
            return ()

        at_once = 1 if kind == "sequential" else self._executor.max_concurrent
        await _perform([0] * min(at_once, len(rows)), pull)
        return results

    async def _item(self, run: PipelineRun, keep: bool) -> Any:
        try:
            if not run.is_watched:
                return await self.run(run)
            with run.reported_item():
                return await self.run(run)
        except Exception as error:
            if not keep:
                raise
            return FailedItem(run.scope.context.item or 0, unwrapped(error), run.failure)

    async def _step(self, steps: Steps, node: NodeLike) -> list[NodeLike]:
        inputs = steps.begin(node)
        try:
            result = await self._call(steps, node, inputs)
        except BaseException as error:
            steps.fail(node, inputs, unwrapped(error))
            raise
        return steps.end(node, result)

    async def _call(
        self, steps: Steps, node: NodeLike, inputs: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        if hasattr(node, "run_body"):
            body = functools.partial(steps.call, node, inputs)
            return await in_own_thread(body)  # type: ignore[no-any-return]
        if hasattr(node, "run_inside"):
            with steps.shared.of(node):
                return await self._nested(node, inputs, steps.run)
        call = steps.call_async if node.is_async else steps.call
        function = functools.partial(call, node, inputs)
        return await self._executor.take_turn(  # type: ignore[no-any-return]
            function, node.is_async
        )

    async def _nested(
        self, node: Any, inputs: Mapping[str, Any], run: PipelineRun
    ) -> tuple[Any, ...]:
        with node.opened(inputs, run.scope) as (inner, rows):
            if inner.scope.engine is not self._engine:
                call = (
                    functools.partial(inner.run)
                    if rows is None
                    else (functools.partial(inner.map, rows))
                )
                return node.gathered(await in_own_thread(call))  # type: ignore[no-any-return]
            if rows is not None:
                with inner.reported_map(len(rows)):
                    return node.gathered(  # type: ignore[no-any-return]
                        await self.map(inner, rows, False)
                    )
            with inner.reported() as outputs:
                outputs.update(await self.run(inner))
            return node.gathered(outputs)  # type: ignore[no-any-return]


async def _perform(
    first: Iterable[Any], do: Callable[[Any], Coroutine[Any, Any, Iterable[Any]]]
) -> None:
    """Run *first* and the tasks that each of them leads to. After a failure no task starts, running
    ones end, and then the error of the task that started first is raised.
    """
    running: set[asyncio.Task[None]] = set()
    errors: list[tuple[int, BaseException]] = []
    counter = itertools.count()

    async def follow(task: Any) -> None:
        """Run *task*, then the first task that it leads to; the others get asyncio tasks."""
        try:
            while not errors:
                begun = next(counter)
                found = iter(await do(task))
                for task in found:  # noqa: B007  # the next turn runs it
                    break
                else:
                    return
                start(found)
        except BaseException as error:  # raised later: in a task SystemExit would end the loop
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


class AsyncExecutor(Executor):
    """Runs at most *max_concurrent* calls at once; those of ``async def`` functions overlap in
    one thread, others run in threads of their own. ``submit`` gives Futures of
    ``concurrent.futures``.
    """

    @public
    def __init__(self, max_concurrent: int = 10) -> None:
        read_number("max_concurrent", max_concurrent, 1)
        #: How many calls run at once.
        self.max_concurrent = max_concurrent
        self._lock = threading.Lock()
        self._is_shut = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._gate: asyncio.Semaphore | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The Future of ``fn(*args, **kwargs)``. Raises RuntimeError after ``shutdown``."""
        is_async = _makes_coroutine(fn)
        return self.start(self.take_turn(functools.partial(fn, *args, **kwargs), is_async))

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """The Future of *coroutine* in the loop of this executor, outside of its limit."""
        check_type(coroutine, Coroutine, "start() takes a coroutine")
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())
        except BaseException:
            coroutine.close()
            raise

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of *coroutine*; Ctrl-C cancels it. Raises RuntimeError in this executor's own
        thread, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(
                "a pipeline is run inside an async node by the AsyncExecutor that runs this node, "
                "and would wait for itself: give it an engine of its own."
            )
        future = self.start(_caught(coroutine))
        try:
            found, error = future.result()
        except BaseException:
            future.cancel()
            raise
        if error is not None:
            raise unwrapped(error)
        return found

    async def take_turn(self, function: Callable[[], Any], is_async: bool) -> Any:
        """Call *function* within the limit, and await its result if *is_async*. For coroutines
        that ``start`` runs.
        """
        if self._gate is None:
            self._gate = asyncio.Semaphore(self.max_concurrent)
        async with self._gate:
            if is_async:
                return await function()
            return await in_own_thread(function)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the calls (*cancel_futures*: cancel them), then end the thread of the loop."""
        with self._lock:
            self._is_shut = True
            loop, thread = self._loop, self._thread
            self._loop = None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(_finish(cancel_futures), loop).add_done_callback(
                lambda _: loop.call_soon_threadsafe(loop.stop)
            )
            if wait and thread is not threading.current_thread():
                thread.join()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_turn, args=(self._loop,), name="kogine-async", daemon=True
                )
                self._thread.start()
            return self._loop


def _makes_coroutine(function: Callable[..., Any]) -> bool:
    if isinstance(getattr(function, "is_async", None), bool):  # a node
        return function.is_async  # type: ignore[attr-defined, no-any-return]
    return is_async(function)


async def _caught(coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
    """The result or the exception: SystemExit of a task would end the loop."""
    try:
        return await coroutine, None
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return None, error


async def _finish(cancel: bool) -> None:
    own = asyncio.current_task()
    while others := [task for task in asyncio.all_tasks() if task is not own]:
        if cancel:
            for task in others:
                task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
