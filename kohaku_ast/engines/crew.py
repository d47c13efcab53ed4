"""Tasks done by the thread that has them and by helpers, as many as the budget has left."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from typing import Generic, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kohaku_ast.engines.budget import Budget

T = TypeVar("T")


class Crew(Generic[T]):
    """*do* does a task and gives the tasks that can be done now. At most *most* at once.

    The owner works too: a run inside a run then always has somebody who does it.
    """

    def __init__(self, do: Callable[[T], Iterable[T]], most: int, budget: Budget) -> None:
        self._do = do
        self._most = most
        self._budget = budget
        self._tasks: deque[T] = deque()
        self._changed = threading.Condition()
        self._busy = 0
        self._helpers = 0
        self._error: BaseException | None = None

    def run(self, first: Iterable[T]) -> None:
        """Do all tasks. Raises what the first that failed raised, when all that had started have
        ended; nothing starts after it. Ctrl-C does not wait for helpers.
        """
        try:
            self._add(first)
            self._work(is_owner=True)
        except BaseException as error:  # an interrupt while it waited
            self._fail(error)
        if isinstance(self._error, (Exception, type(None))):
            self._wait_for_helpers()
        if self._error is not None:
            raise self._error

    def _add(self, tasks: Iterable[T]) -> None:
        with self._changed:
            if self._error is None:
                self._tasks.extend(tasks)
            self._hire()
            self._changed.notify_all()

    def _hire(self) -> None:
        """A helper for each task that the one who is here will not do next."""
        while len(self._tasks) > 1 + self._helpers - self._busy and self._helpers < self._most - 1:
            if not self._budget.take():
                return
            self._helpers += 1
            context = contextvars.copy_context()
            # A daemon: after Ctrl-C nobody waits for it, the interpreter's end neither.
            threading.Thread(target=context.run, args=(self._help,), daemon=True).start()

    def _help(self) -> None:
        try:
            self._work(is_owner=False)
        finally:
            with self._changed:
                self._helpers -= 1
                self._budget.give()
                self._changed.notify_all()

    def _work(self, is_owner: bool) -> None:
        while self._next(is_owner):
            with self._changed:
                if not self._tasks:
                    continue
                task = self._tasks.popleft()
                self._busy += 1
            try:
                found = self._do(task)
            except BaseException as error:
                self._fail(error)
                found = ()
            with self._changed:
                self._busy -= 1
            self._add(found)

    def _next(self, is_owner: bool) -> bool:
        """Whether there is a task. The owner waits until there can be no more."""
        with self._changed:
            while is_owner and not self._tasks and self._busy:
                self._changed.wait()
            return bool(self._tasks)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            self._tasks.clear()

    def _wait_for_helpers(self) -> None:
        with self._changed:
            while self._helpers:
                self._changed.wait()
