"""A map on an executor of ``concurrent.futures``: what is under way, and what has failed."""

from __future__ import annotations

from concurrent.futures import Future

from kohaku_ast.engines.waiting import Pending
from kohaku_ast.pipeline.failure import FailedItem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kohaku_ast.engines.held import Level
    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.mapping import Rows


class Mapped:
    """What both ways have in common: submit, wait, fail."""

    def __init__(self, job: Job, rows: Rows, keep: bool, level: Level) -> None:
        self.job, self.rows, self.keep, self.level = job, rows, keep, level
        self.results: list[Any] = [None] * len(rows)
        self.pending = Pending()
        self.next = 0
        #: Of the items that failed the one that comes first: it does not hang on timing.
        self.failed: tuple[int, BaseException] | None = None
        self.extra = 0

    def all(self) -> None:
        """Make ``results``. Raises what the first item that failed raised."""
        try:
            while True:
                while self.has_more() and self.failed is None and self.has_room():
                    self.submit()
                if not self.pending:
                    break
                self.finish(*self.pending.next())
                self.give_back(len(self.pending))
        except BaseException:
            self.pending.cancel()
            raise
        finally:
            self.give_back(0)
        if self.failed is not None:
            raise self.failed[1]

    def has_more(self) -> bool:
        """Whether there are items to submit."""
        return self.next < len(self.rows)

    def has_room(self) -> bool:
        """Two for each worker: one that it does, and one that it need not wait for."""
        if len(self.pending) >= 2 * self.level.map_workers:
            return False
        if not self.pending or self.level.extra is None:
            return True
        self.extra += self.level.extra.take()
        return self.extra == len(self.pending)

    def give_back(self, left: int) -> None:
        """Give back the extra workers that *left* items under way do not need."""
        while self.level.extra is not None and self.extra > max(0, left - 1):
            self.extra -= 1
            self.level.extra.give()

    def submit(self) -> None:
        """Send what comes next."""
        raise NotImplementedError

    def finish(self, future: Future[Any], task: Any) -> None:
        """Keep what *future* has brought of *task*."""
        raise NotImplementedError

    def fail(self, index: int, error: BaseException, job: Job) -> None:
        """Item *index* raised *error*, which *job* has noted. An interrupt is raised at once."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        if self.keep and isinstance(error, Exception):
            self.results[index] = FailedItem(index, error, job.failure)
            return
        if self.failed is None or index < self.failed[0]:
            self.failed = index, error
        self.pending.cancel()
