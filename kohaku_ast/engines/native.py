"""NativeEngine: decides which node or item runs next; executors run it."""

from __future__ import annotations

from kohaku_ast.engines.executor_engine import default_workers, kind_of, workers_at
from kohaku_ast.errors import UsageError, UsageTypeError
from kohaku_ast.frames import contextmanager
from kohaku_ast.pipeline.engine import (
    map_direct,
    map_pipeline,
    run_direct,
    run_in_turn,
    run_pipeline,
)
from kohaku_ast.pipeline.execution import PipelineRun, Steps
from kohaku_ast.pipeline.failure import FailedItem
from kohaku_ast.pipeline.mapping import make_rows
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Executor
    from typing import Any

    from kohaku_ast.engines.async_engine import AsyncExecutor
    from kohaku_ast.engines.thread_pool import NestingLevel
    from kohaku_ast.pipeline.mapping import Rows


_CONCURRENT = 10  # calls under way at once by "async"


class NativeEngine:
    """Runs the nodes of a pipeline by *node_executor*, the items of its maps by *map_executor*.

    Each is "sequential", "async" (coroutines overlap, 10 at once), "threaded", "parallel" (worker
    processes), or an executor of ``concurrent.futures``, which is never shut down. A node starts as
    soon as its inputs are available. *max_workers*, or *workers* (default: the processors
    of this process) is the limit for all nested maps and runs together.
    """

    takes_plans = True
    #: Whether a map counts its items in ``PipelineRun.ended``.
    counts_items = True

    @public
    def __init__(
        self,
        node_executor: str | Executor = "sequential",
        map_executor: str | Executor = "sequential",
        max_workers: int | None = None,
        workers: int | None = None,
    ) -> None:
        if workers is not None and max_workers is not None:
            raise UsageError("workers and max_workers are one setting: give one of them")
        max_workers = workers if max_workers is None else max_workers
        if max_workers is not None and (not isinstance(max_workers, int) or max_workers < 1):
            kind = UsageError if isinstance(max_workers, int) else UsageTypeError
            raise kind(f"max_workers is {max_workers!r}; it must be a number from 1 up.")
        self.node_executor = node_executor
        self.map_executor = map_executor
        #: "sequential", "async", "threaded", "parallel" or "lent".
        self.node_kind = kind_of(node_executor, "node_executor")
        #: The same for maps.
        self.map_kind = kind_of(map_executor, "map_executor")
        #: How many workers there are for all depths together.
        self.max_workers = max_workers or default_workers()
        #: How many calls "async" has under way.
        self.max_concurrent = max_workers or _CONCURRENT

    @property
    def lent_loop(self) -> AsyncExecutor | None:
        """The AsyncExecutor that the user gave, or None."""
        for one in (self.node_executor, self.map_executor):
            if hasattr(one, "max_concurrent"):
                return one  # type: ignore[return-value]
        return None

    def workers(self, depth: int = 0) -> int:
        """How many workers one map, or a run in it, may use inside *depth* maps: all of them, then
        their square root, then one.
        """
        return workers_at(self.max_workers, depth)

    def run(
        self, pipeline: Any, inputs: Mapping[str, Any] | None = None, output_name: Any = None
    ) -> Any:
        """The result of *pipeline*, or of the run of a Plan. Raises what a node raised."""
        if isinstance(pipeline, PipelineRun):
            return self._run(pipeline)
        return run_pipeline(self, pipeline, inputs or {}, output_name)

    def _run(self, job: PipelineRun) -> Any:
        if job.scope.level is not None and job.scope.level.is_item:
            from kohaku_ast.engines.process_engine import run_pooled

            return run_pooled(Steps(job), job.scope.level)
        if self.node_kind == "sequential" and self._is_direct(job):
            return run_direct(job)
        if self._needs_one_thread(job):
            return run_in_turn(Steps(job))
        with self._opened(job) as (inner, level):
            steps = Steps(inner)  # loads from the cache: what is cached needs no workers
            if not steps.todo:
                return steps.result()
            level.resources.start()
            if self.node_kind == "sequential":
                return run_in_turn(steps, level.wait)
            if self.node_kind == "threaded":
                return _run_threaded(steps, level)
            if self.node_kind == "async":
                return level.wait(self._overlapped(level).finish(steps))
            from kohaku_ast.engines.process_engine import run_pooled

            return run_pooled(steps, level)

    def map(
        self,
        pipeline: Any,
        inputs: Any,
        map_over: Any,
        map_mode: str = "zip",
        output_name: Any = None,
        on_error: str = "raise",
    ) -> list[Any]:
        """The results of the items of *pipeline*, in their order; or for the run of a Plan, its
        rows, and whether to go on after a failure.
        """
        if isinstance(pipeline, PipelineRun):
            return self._map(pipeline, inputs, bool(map_over))
        rows = make_rows(inputs, map_over, map_mode)
        return map_pipeline(self, pipeline, rows, output_name, on_error == "keep")

    def _map(self, job: PipelineRun, rows: Rows, keep: bool) -> list[Any]:
        if not len(rows):
            return []
        if self.map_kind == "sequential" == self.node_kind and self._is_direct(job):
            return map_direct(job, rows, keep)
        if self.map_kind == "sequential" and self._needs_one_thread(job):
            return [self._item(job, rows, index, keep) for index in range(len(rows))]
        with self._opened(job, self.map_kind) as (inner, level):
            if job.is_bare or self.map_kind in ("threaded", "async"):
                level.resources.start()  # else the first item that is not cached starts them
            if self.map_kind == "sequential":
                return [self._item(inner, rows, index, keep) for index in range(len(rows))]
            if self.map_kind == "threaded":
                return self._map_threaded(inner, rows, keep, level)
            if self.map_kind == "async":
                return level.wait(  # type: ignore[no-any-return]
                    self._overlapped(level).map(inner, rows, keep)
                )
            from kohaku_ast.engines.process_engine import map_pooled

            return map_pooled(inner, rows, keep, level)

    def _is_direct(self, run: PipelineRun) -> bool:
        """Whether the generated code does the same as this engine. It does not give its engine to
        the maps of a nested pipeline.
        """
        if not run.is_bare or run.plan.is_async:
            return False
        return self.map_kind == "sequential" or not run.plan.has_nested

    def _needs_one_thread(self, run: PipelineRun) -> bool:
        """Whether its nodes are called here, one after another, and open nothing themselves: then
        pools and event loops, which take 40 ms to import, are not needed.
        """
        is_plain = self.node_kind == "sequential" and not run.plan.opens
        return is_plain and run.scope.level is None

    @contextmanager
    def _opened(
        self, run: PipelineRun, map_kind: str = "sequential"
    ) -> Iterator[tuple[PipelineRun, NestingLevel]]:
        """*run* with the NestingLevel of its tasks, and its own level: only maps count as depth.
        The outermost run opens the RunResources and closes them.
        """
        level = run.scope.level
        if level is not None:
            yield run.inside(run.scope.replaced(level=level.deeper(map_kind))), level
            return
        import threading

        from kohaku_ast.engines.thread_pool import NestingLevel, RunResources

        resources = RunResources(self)
        level, error = NestingLevel(resources), None
        lock = run.scope.lock or threading.RLock()
        try:
            yield run.inside(run.scope.replaced(level=level.deeper(map_kind), lock=lock)), level
        except BaseException as caught:
            error = caught
            raise
        finally:
            resources.close(error)

    def _overlapped(self, level: NestingLevel) -> Any:
        from kohaku_ast.engines.async_engine import Overlapped

        return Overlapped(self, level.resources.loop())

    def _item(self, run: PipelineRun, rows: Rows, index: int, keep: bool) -> Any:
        item = run.item(index, rows.values(index))
        with item.reported_item():
            try:
                return self._run(item)
            except Exception as error:
                if not keep:
                    raise
                return FailedItem(index, error, item.failure)

    def _map_threaded(
        self, run: PipelineRun, rows: Rows, keep: bool, level: NestingLevel
    ) -> list[Any]:
        from kohaku_ast.engines.thread_pool import ThreadPool

        results: list[Any] = [None] * len(rows)

        def do(index: int) -> tuple[int, ...]:
            results[index] = self._item(run, rows, index, keep)
            return ()

        ThreadPool(do, level.workers, level.resources.permits).run(range(len(rows)))
        return results


def _run_threaded(steps: Steps, level: NestingLevel) -> Any:
    from kohaku_ast.engines.thread_pool import ThreadPool

    ThreadPool(
        lambda node: steps.step(node, lambda node, inputs: steps.call(node, inputs, level.wait)),
        level.workers,
        level.resources.permits,
    ).run(steps.first())
    return steps.result()


HyperNodesEngine = NativeEngine
"""The same, under the name that users of HyperNodes know."""
