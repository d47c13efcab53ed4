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
        self._started = 0
        #: When the task began, and what it raised.
        self._errors: list[tuple[int, BaseException]] = []

    def run(self, first: Iterable[T]) -> None:
        """Do all tasks. After a failure nothing starts, and what has started ends; then the error
        of the task that began first is raised: for items in order it is always the same one.
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
        """A helper for each task that those who are here will not do next."""
        while len(self._tasks) > 1 + self._helpers - self._busy and self._helpers < self._most - 1:
            if not self._budget.take():
                return
            context = contextvars.copy_context()
            # A daemon: after Ctrl-C nobody waits for it, the interpreter's end neither.
            thread = threading.Thread(target=context.run, args=(self._help,), daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads: it goes on with those it has
                self._budget.give()
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
        """The next task, which begins now. The owner waits until there can be no more; a helper
        who finds none leaves, before anybody could count on him.
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
                self._budget.give()
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
    """An interrupt goes before all errors."""
    return isinstance(failed[1], Exception), failed[0]
