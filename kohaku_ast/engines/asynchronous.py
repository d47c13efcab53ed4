"""An executor for ``async def`` functions, with an event loop of its own in a thread: it works
where another loop is running, as in a notebook.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from concurrent.futures import Executor, Future
from typing import Any

from kohaku_ast.engines.waiting import aside, carried
from kohaku_ast.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class AsyncExecutor(Executor):
    """Runs at most *max_concurrent* calls at once; those of ``async def`` functions overlap in
    one thread, others run in threads of their own. ``submit`` gives Futures of
    ``concurrent.futures``.
    """

    def __init__(self, max_concurrent: int = 10) -> None:
        if max_concurrent < 1:
            raise UsageError(f"max_concurrent is {max_concurrent!r}; it must be at least 1.")
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
        """The Future of *coroutine* in the loop of this executor; it does not count as a call."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())
        except BaseException:
            coroutine.close()
            raise

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of *coroutine*; Ctrl-C cancels it. Raises RuntimeError in this executor's own
        thread, where it would wait for itself.
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
            raise carried(error)
        return found

    async def take_turn(self, function: Callable[[], Any], is_async: bool) -> Any:
        """The result of *function* in its turn, awaited if *is_async*. For coroutines that
        ``start`` runs.
        """
        if self._gate is None:
            self._gate = asyncio.Semaphore(self.max_concurrent)
        async with self._gate:
            if is_async:
                return await function()
            return await aside(function)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the calls end (*cancel_futures*: cancel them), then the thread of the loop."""
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
    call: Any = type(function).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


async def _caught(coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
    """SystemExit and KeyboardInterrupt of a task would end the whole loop."""
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
