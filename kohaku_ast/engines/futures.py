"""Futures: a queue of pending ones, calls in threads, and exceptions that cannot pass them."""

from __future__ import annotations

import contextvars
import queue
import threading
from concurrent.futures import BrokenExecutor, Future
from typing import Any

from kohaku_ast.errors import PipelineError
from kohaku_ast.pipeline.graph import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kohaku_ast.pipeline.node_like import NodeLike


class Pending:
    """Pending futures, each with its task; ``next`` returns them in the order of their ends."""

    def __init__(self) -> None:
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._tasks: dict[Future[Any], Any] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, future: Future[Any], task: Any) -> None:
        """Add *future*, which computes *task*."""
        self._tasks[future] = task
        future.add_done_callback(self._done.put)

    def next(self) -> tuple[Future[Any], Any]:
        """The next future that is done or cancelled, and its task."""
        future = self._done.get()
        return future, self._tasks.pop(future)

    def cancel(self) -> None:
        """Cancel the futures that have not started."""
        for future in self._tasks:
            future.cancel()


def start_in_thread(call: Callable[[], Any]) -> Future[Any]:
    """The Future of *call*, in a thread of its own that only waits for workers."""
    future: Future[Any] = Future()
    context = contextvars.copy_context()

    def inside() -> None:
        try:
            future.set_result(context.run(call))
        except BaseException as error:
            future.set_exception(error)

    future.set_running_or_notify_cancel()
    threading.Thread(target=inside, daemon=True).start()
    return future


class StopIterationCarrier(RuntimeError):  # noqa: N818  # it is what asyncio itself makes of a StopIteration
    """Brings a StopIteration through coroutines and their futures, which it cannot pass."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("the function raised StopIteration")
        self.error = error


def wrapped(error: BaseException) -> BaseException:
    """*error* in a form that a coroutine can raise."""
    return StopIterationCarrier(error) if isinstance(error, StopIteration) else error


def unwrapped(error: BaseException) -> BaseException:
    """The exception that ``wrapped`` got."""
    return error.error if isinstance(error, StopIterationCarrier) else error


async def in_own_thread(call: Callable[[], Any]) -> Any:
    """The result of *call*, run in a thread of its own. In a pool, waiting calls could block the
    calls that they wait for, and after Ctrl-C the interpreter would wait for all of them.
    """
    import asyncio

    def safe() -> Any:
        try:
            return call()
        except StopIteration as error:
            raise wrapped(error) from None

    return await asyncio.wrap_future(start_in_thread(safe))


class LostTaskError(BrokenExecutor):
    """A task of a cluster has no reply; the message says why."""


def explained(
    error: BaseException, nodes: Iterable[NodeLike], is_sent: bool = True
) -> BaseException:
    """*error*; if a worker process has died, a PipelineError that explains it. *is_sent* False: it
    died before *nodes* were sent.
    """
    if not isinstance(error, BrokenExecutor):
        return error
    names = ", ".join(shown(node) for node in nodes)
    made = PipelineError(
        f"{names}: {error}"
        if isinstance(error, LostTaskError)
        else f"a worker process died while it ran {names}: killed, out of memory, or by a crash of "
        'compiled code. engine="sequential" runs it in this process.'
        if is_sent
        else f"{names} did not run: a worker process died before, and its pool takes nothing more."
    )
    made.__cause__ = error
    return made
