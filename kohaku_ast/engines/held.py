"""What an engine holds for one outermost run, and how deep inside it something is."""

from __future__ import annotations

import shutil
import tempfile
import threading
from concurrent.futures import Executor

from kohaku_ast.engines.asynchronous import AsyncExecutor
from kohaku_ast.engines.budget import Budget, workers_at
from kohaku_ast.engines.errand import leave_interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from kohaku_ast.engines.native import NativeEngine


class Held:
    """Opened by the outermost run; the runs inside it share it. Lent executors stay as they are."""

    def __init__(self, engine: NativeEngine) -> None:
        self.engine = engine
        self.budget = Budget(engine.max_workers - 1)
        self._lock = threading.Lock()
        self._processes: Any = None
        self._loop: AsyncExecutor | None = None
        self._folder: str | None = None
        if "parallel" in (engine.node_kind, engine.map_kind):
            self.processes()  # before there are threads: a fork takes over none of them

    def processes(self) -> Executor:
        """Worker processes, started anew for each run: they know what is defined by now."""
        with self._lock:
            if self._processes is None:
                from concurrent.futures import ProcessPoolExecutor

                self._processes = ProcessPoolExecutor(
                    self.engine.max_workers, initializer=leave_interrupts
                )
                self._processes.submit(int)  # starts them
            return self._processes  # type: ignore[no-any-return]

    def loop(self) -> AsyncExecutor:
        """Where ``async def`` nodes run."""
        lent = self.engine.lent_loop
        if lent is not None:
            return lent
        with self._lock:
            if self._loop is None:
                self._loop = AsyncExecutor(self.engine.max_concurrent)
            return self._loop

    def folder(self) -> str:
        """A folder for values that workers read; it goes away with the run."""
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.mkdtemp(prefix="kogine-")
            return self._folder

    def close(self, error: BaseException | None) -> None:
        """Give back what is ours; an interrupt ends the processes and does not wait for threads."""
        is_hurried = error is not None and not isinstance(error, Exception)
        if self._processes is not None:
            if is_hurried:
                for process in list((self._processes._processes or {}).values()):
                    process.terminate()
            # Not waited for, it would be woken at the interpreter's end by a pipe that is shut.
            self._processes.shutdown(cancel_futures=True)
        if self._loop is not None:
            self._loop.shutdown(wait=not is_hurried, cancel_futures=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class Level:
    """A Held, seen from a depth of maps and runs inside each other."""

    def __init__(self, held: Held, depth: int = 0, is_item: bool = False) -> None:
        self.held = held
        self.depth = depth
        #: Whether an item of a map on the executor of items runs here: its nodes go there too.
        self.is_item = is_item

    def deeper(self, kind: str) -> Level:
        """For what runs inside something that *kind* of executor runs."""
        return self if kind == "sequential" else Level(self.held, self.depth + 1, self.is_item)

    def item(self) -> Level:
        """For an item of a map on the executor of items that cannot go there as a whole."""
        return Level(self.held, self.depth, is_item=True)

    @property
    def workers(self) -> int:
        """How many workers one map or run here may use."""
        return workers_at(self.held.engine.max_workers, self.depth)

    @property
    def node_workers(self) -> int:
        """How many nodes are sent to the executor of nodes at once."""
        if self.is_item:
            return self.map_workers
        return _most(self.held.engine.node_executor) or self.workers

    @property
    def map_workers(self) -> int:
        """How many workers the executor of items has for this map."""
        return _most(self.held.engine.map_executor) or self.workers

    @property
    def node_pool(self) -> Any:
        """The executor of nodes."""
        if self.is_item:
            return self.map_pool
        engine = self.held.engine
        return engine.node_executor if engine.node_kind == "lent" else self.held.processes()

    @property
    def map_pool(self) -> Any:
        """The executor of items."""
        engine = self.held.engine
        return engine.map_executor if engine.map_kind == "lent" else self.held.processes()

    @property
    def extra(self) -> Budget | None:
        """Who to ask for each item under way but the first, where threads of this run do nodes
        while others wait for the items; None where items have workers of their own.
        """
        engine = self.held.engine
        mixed = engine.node_kind == "threaded" and engine.map_kind == "parallel"
        return self.held.budget if mixed else None

    @property
    def is_remote(self) -> bool:
        """Whether items surely go to other processes."""
        return self.held.engine.map_kind == "parallel"

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of *coroutine*, in the one loop of this run."""
        return self.held.loop().wait(coroutine)


def _most(executor: Any) -> int | None:
    found = getattr(executor, "_max_workers", None)  # of the executors of the standard library
    return found if isinstance(found, int) else None
