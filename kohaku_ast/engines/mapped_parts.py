"""Items that go to workers in parts that take a few milliseconds."""

from __future__ import annotations

from concurrent.futures import Future

from kohaku_ast.engines.errand import Answer, run_rows
from kohaku_ast.engines.mapped import Mapped
from kohaku_ast.engines.parcel import Parcel
from kohaku_ast.engines.waiting import worded
from kohaku_ast.errors import UncrossableValue
from kohaku_ast.pipeline.graph import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kohaku_ast.engines.errand import Trouble
    from kohaku_ast.engines.held import Level
    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.mapping import Rows

_PART_SECONDS = 0.02  # a part costs the parent 0.1 to 0.2 ms


class Parts(Mapped):
    """Nobody listens and nothing is cached: several items at a time, by the straight code."""

    def __init__(self, job: Job, rows: Rows, keep: bool, level: Level) -> None:
        super().__init__(job, rows, keep, level)
        self._size = 1
        #: Items that go alone, because something in their part could not be sent.
        self._alone: list[int] = []
        names = ", ".join(shown(node) for node in job.plan.nodes)
        self._constant = Parcel(
            (job.plan, rows.over, dict(rows.fixed)), f"the pipeline of {names}, or what is fixed,"
        )
        if level.is_remote:
            self._lay_down()

    def _lay_down(self) -> None:
        try:
            self._constant.laid_down(self.level.held.folder)
        except UncrossableValue:
            fixed = self.rows.fixed
            Parcel(dict(fixed), self._reading(fixed)).pack()  # its own message names the input
            raise

    def _reading(self, names: Any) -> str:
        node = next(
            (one for one in self.job.plan.nodes if not set(names).isdisjoint(one.inputs)), None
        )
        return f"node {shown(node)}: the input" if node else "the input"

    def has_more(self) -> bool:  # noqa: D102  # Mapped has the sentence
        return super().has_more() or bool(self._alone)

    def _bounds(self) -> tuple[int, int]:
        if self._alone:
            index = self._alone.pop(0)
            return index, index + 1
        start, self.next = self.next, min(self.next + self._size, len(self.rows))
        return start, self.next

    def submit(self) -> None:  # noqa: D102  # Mapped has the sentence
        start, stop = self._bounds()
        part = list(self.rows.part(start, stop))
        parcel = Parcel(part, f"{self._reading(self.rows.over)} {', '.join(self.rows.over)!r}")
        try:
            pool = self.level.map_pool
            future = pool.submit(run_rows, self._constant, parcel, self.keep)
        except BaseException as error:
            self.fail(start, worded(error, self.job.plan.nodes, is_sent=False), self.job)
            return
        self.pending.add(future, (start, stop))

    def finish(self, future: Future[Any], task: tuple[int, int]) -> None:  # noqa: D102  # Mapped has the sentence
        start, stop = task
        if future.cancelled():
            return
        try:
            answer: Answer = future.result()
            found = answer.results.open()
        except BaseException as error:
            self._fail_all(start, stop, worded(error, self.job.plan.nodes))
            return
        self.results[start : start + len(found)] = found
        for trouble in answer.troubles:
            self._note(start, stop, trouble)
        self._resize(answer.seconds / max(1, len(found)))

    def _note(self, start: int, stop: int, trouble: Trouble) -> None:
        if trouble.index is None:
            self._fail_all(start, stop, trouble.error)
            return
        index = start + trouble.index
        if trouble.position is not None:
            node = self.job.plan.nodes[trouble.position]
            self.job.fail(node, trouble.error, trouble.inputs, trouble.results, index)
        self.fail(index, trouble.error, self.job)

    def _fail_all(self, start: int, stop: int, error: BaseException) -> None:
        """None of these items was run."""
        if isinstance(error, UncrossableValue) and stop - start > 1:
            self._alone += range(start, stop)
            return
        for index in range(start, stop):
            self.fail(index, error, self.job)

    def _resize(self, seconds: float) -> None:
        """As many items as take ``_PART_SECONDS``, and towards the end fewer: no worker should
        wait long for the last.
        """
        left = (len(self.rows) - self.next) // (2 * self.level.map_workers)
        self._size = max(1, min(int(_PART_SECONDS / max(seconds, 1e-7)), left, 4 * self._size + 4))
