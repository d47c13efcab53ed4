"""A pool of threads for tasks that lead to others, and the resources of one outermost run."""

from __future__ import annotations

import contextvars
import shutil
import tempfile
import threading
from collections import deque
from concurrent.futures import Executor
from typing import Generic, TypeVar

from kohaku_ast.engines.async_engine import AsyncExecutor
from kohaku_ast.engines.executor_engine import WorkerPermits, workers_at
from kohaku_ast.engines.remote_task import start_worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from kohaku_ast.engines.executor_engine import ExecutorEngine


T = TypeVar("T")


class ThreadPool(Generic[T]):
    """Threads that run tasks: *do* runs one and returns the tasks that can run next. At most *most*
    run at once.

    The calling thread works too, so that a run inside a run always has a worker.
    """

    def __init__(self, do: Callable[[T], Iterable[T]], most: int, permits: WorkerPermits) -> None:
        self._do = do
        self._most = most
        self._permits = permits
        self._tasks: deque[T] = deque()
        self._changed = threading.Condition()
        self._busy = 0
        self._helpers = 0
        self._started = 0
        #: The number of the task in the order of the starts, and its exception.
        self._errors: list[tuple[int, BaseException]] = []

    def run(self, first: Iterable[T]) -> None:
        """Run all tasks. After a failure no task starts, running ones end, and then the error of
        the task that started first is raised: with items in order it is always the same one.
        Ctrl-C does not wait for helpers.
        """
        try:
            self._add(first)
            self._work()
        except BaseException as error:  # an interrupt while it waited
            self._fail(-1, error)
        if not self._is_interrupted():
            self._wait_for_helpers()
        if self._errors:
            raise min(self._errors, key=_order)[1]

    def _add(self, tasks: Iterable[T]) -> None:
        with self._changed:
            if not self._errors:
                self._tasks.extend(tasks)
            self._hire()
            self._changed.notify_all()

    def _hire(self) -> None:
        """Start a helper for each task that no thread here is free for."""
        while len(self._tasks) > 1 + self._helpers - self._busy and self._helpers < self._most - 1:
            if not self._permits.take():
                return
            context = contextvars.copy_context()
            # A daemon: after Ctrl-C neither we nor the interpreter's end wait for it.
            thread = threading.Thread(target=context.run, args=(self._help,), daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads: those that run are enough
                self._permits.give()
                return
            self._helpers += 1

    def _help(self) -> None:
        self._work(is_owner=False)

    def _work(self, is_owner: bool = True) -> None:
        for started, task in iter(lambda: self._next(is_owner), None):
            try:
                found = self._do(task)
            except BaseException as error:
                self._fail(started, error)
                found = ()
            with self._changed:
                self._busy -= 1
            self._add(found)

    def _next(self, is_owner: bool) -> tuple[int, T] | None:
        """The next task, which starts now. The owner waits until no more tasks can come. A helper
        that finds none ends, under the lock: nobody counts on it afterwards.
        """
        with self._changed:
            while is_owner and not self._tasks and self._busy and not self._is_interrupted():
                self._changed.wait()
            if self._tasks:
                self._busy += 1
                self._started += 1
                return self._started, self._tasks.popleft()
            if not is_owner:
                self._helpers -= 1
                self._permits.give()
                self._changed.notify_all()
            return None

    def _fail(self, started: int, error: BaseException) -> None:
        with self._changed:
            self._errors.append((started, error))
            self._tasks.clear()
            self._changed.notify_all()

    def _is_interrupted(self) -> bool:
        return not all(isinstance(error, Exception) for _, error in self._errors)

    def _wait_for_helpers(self) -> None:
        with self._changed:
            while self._helpers:
                self._changed.wait()


def _order(failed: tuple[int, BaseException]) -> tuple[bool, int]:
    """The sort key: interrupts come before all errors."""
    return isinstance(failed[1], Exception), failed[0]


class RunResources:
    """Processes, event loop, folder and permits of the outermost run and of the runs inside it.
    Executors of the user are not closed.
    """

    def __init__(self, engine: ExecutorEngine) -> None:
        self.engine = engine
        self.permits = WorkerPermits(engine.max_workers - 1)
        self._lock = threading.Lock()
        self._processes: Any = None
        self._loop: AsyncExecutor | None = None
        self._folder: str | None = None
        self._is_connected = False

    def start(self) -> None:
        """Start the worker processes if there will be any: before there are threads, since a fork
        copies none of them.
        """
        if "parallel" in (self.engine.node_kind, self.engine.map_kind):
            self.processes()
        connect = getattr(self.engine, "connect", None)  # of a ClusterEngine; raises UsageError
        with self._lock:
            if connect is not None and not self._is_connected:
                connect()
                self._is_connected = True

    def processes(self) -> Executor:
        """Worker processes, new ones for each outermost run: they know all definitions so far."""
        with self._lock:
            if self._processes is None:
                from concurrent.futures import ProcessPoolExecutor
                from multiprocessing import get_start_method

                self._processes = ProcessPoolExecutor(
                    self.engine.max_workers,
                    initializer=start_worker,
                    initargs=(get_start_method(),),
                )
                self._processes.submit(int)  # starts them
            return self._processes  # type: ignore[no-any-return]

    def loop(self) -> AsyncExecutor:
        """The executor of ``async def`` nodes."""
        lent: AsyncExecutor | None = self.engine.lent_loop
        if lent is not None:
            return lent
        with self._lock:
            if self._loop is None:
                self._loop = AsyncExecutor(self.engine.max_concurrent)
            return self._loop

    def folder(self) -> str:
        """A folder for values that workers read, removed at the end of the run."""
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.mkdtemp(prefix="kogine-")
            return self._folder

    def close(self, error: BaseException | None) -> None:
        """Close what was opened. An interrupt ends the processes and does not wait for threads."""
        is_hurried = error is not None and not isinstance(error, Exception)
        if self._processes is not None:
            if is_hurried:
                _end(list((self._processes._processes or {}).values()))
            # Without the wait, the interpreter's end would wake its thread by a closed pipe.
            self._processes.shutdown(cancel_futures=True)
        if self._loop is not None:
            self._loop.shutdown(wait=not is_hurried, cancel_futures=True)
        if self._is_connected:
            self.engine.disconnect()  # type: ignore[attr-defined]  # a ClusterEngine
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


_GRACE = 5.0
"""Seconds that workers have to release their permanences after SIGTERM."""
_LOOKS = 50


def _end(processes: list[Any]) -> None:
    """End worker processes: what is in the middle of a library's call may not see SIGTERM."""
    from multiprocessing.connection import wait

    for process in processes:
        process.terminate()
    waiting, left = [one.sentinel for one in processes], _LOOKS
    while waiting and left:
        # Looks are counted, no clock is read: it goes on while a machine stands still, and the
        # workers would have had no time of it.
        ended = wait(waiting, _GRACE / _LOOKS)
        waiting = [one for one in waiting if one not in ended]
        left -= not ended
    for process in processes:
        if process.sentinel in waiting:
            process.kill()


class NestingLevel:
    """The RunResources at one depth of nested maps and runs, and the workers allowed there."""

    def __init__(self, resources: RunResources, depth: int = 0, is_item: bool = False) -> None:
        self.resources = resources
        self.depth = depth
        #: Whether this is an item of a map whose nodes are sent to the executor of items.
        self.is_item = is_item

    def deeper(self, kind: str) -> NestingLevel:
        """The level of the tasks of an executor of *kind*."""
        return (
            self
            if kind == "sequential"
            else NestingLevel(self.resources, self.depth + 1, self.is_item)
        )

    def item(self) -> NestingLevel:
        """The level of an item of a map that cannot be sent to the executor as a whole."""
        return NestingLevel(self.resources, self.depth, is_item=True)

    @property
    def workers(self) -> int:
        """How many workers one map or run may use at this depth."""
        return workers_at(self.resources.engine.max_workers, self.depth)

    @property
    def node_workers(self) -> int:
        """How many nodes are at the executor of nodes at once."""
        if self.is_item:
            return self.map_workers
        return _most(self.resources.engine.node_executor) or self.workers

    @property
    def map_workers(self) -> int:
        """How many workers the executor of items has for this map."""
        return _most(self.resources.engine.map_executor) or self.workers

    @property
    def node_pool(self) -> Any:
        """The executor of nodes."""
        if self.is_item:
            return self.map_pool
        engine = self.resources.engine
        return engine.node_executor if engine.node_kind == "lent" else self.resources.processes()

    @property
    def map_pool(self) -> Any:
        """The executor of items."""
        engine = self.resources.engine
        return engine.map_executor if engine.map_kind == "lent" else self.resources.processes()

    @property
    def extra(self) -> WorkerPermits | None:
        """The permits for items under way beyond the first one, if threads of this run run nodes
        while others wait for items; None if items have workers of their own.
        """
        engine = self.resources.engine
        mixed = engine.node_kind == "threaded" and engine.map_kind == "parallel"
        return self.resources.permits if mixed else None

    @property
    def is_remote(self) -> bool:
        """Whether items always run in other processes."""
        return self.resources.engine.map_kind == "parallel"

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of *coroutine*, run in the event loop of this run."""
        return self.resources.loop().wait(coroutine)


def _most(executor: Any) -> int | None:
    found = getattr(executor, "_max_workers", None)  # of the executors of the standard library
    return found if isinstance(found, int) else None
