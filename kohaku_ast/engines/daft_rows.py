"""The rows of one run or map as Daft computes them in this process.

Daft asks that functions pickle; what runs here does not (locks, callbacks, a cache). So the
functions hold a Table, which pickles as its number: the tables under way are kept here.
"""

from __future__ import annotations

import itertools
import threading
from contextvars import ContextVar, copy_context

from kohaku_ast.errors import PipelineError
from kohaku_ast.pipeline.engine import find_engine
from kohaku_ast.pipeline.failure import FailedItem
from kohaku_ast.pipeline.stepping import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.node_like import NodeLike

_TABLES: dict[int, Table] = {}
_NUMBERS = itertools.count()
ROW = "row"
"""The column that numbers the rows."""
IN_ROW: ContextVar[bool] = ContextVar("kogine-daft-row", default=False)
"""Whether Daft is waiting for what runs: it cannot run something else meanwhile."""


class Table:
    """One run (*rows* None) or map; to be entered while Daft computes it."""

    def __init__(self, job: Job, rows: Rows | None, keep: bool) -> None:
        # The scope is for pipelines inside.
        self._job, self._rows, self._keep = in_this_row(job), rows, keep
        self._number = next(_NUMBERS)
        self._lock = threading.Lock()
        self._runs: dict[int, Steps] = {}
        self._told: dict[int, Any] = {}
        self._errors: dict[int, BaseException] = {}
        self._is_ended = False  # by Ctrl-C and the like
        self._size = 1 if rows is None else len(rows)

    def __enter__(self) -> Table:
        _TABLES[self._number] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        del _TABLES[self._number]
        for index in sorted(self._told):
            self._told[index].__exit__(None, None, None)

    def __reduce__(self) -> tuple[Any, ...]:
        return _table, (self._number,)

    def frame(self, daft: Any) -> Any:
        """The DataFrame, nothing computed: a column for each node, after those that it needs."""
        frame = daft.from_pydict({ROW: list(range(self._size))})
        columns: dict[Any, str] = {}
        for number, node in enumerate(self._job.plan.nodes):
            parents = [
                columns[one] for one in columns if not set(one.outputs).isdisjoint(node.inputs)
            ]
            columns[node] = f"{number + 1} {node.name}"
            function = daft.func(self._step_of(number), return_dtype=daft.DataType.python())
            cells = function(*map(daft.col, [ROW, *parents]))
            frame = frame.with_column(columns[node], cells)
        return frame

    def _step_of(self, number: int) -> Any:
        """The function of node *number*: the values of its outputs in one row, or None."""

        def step(row: int, *parents: object) -> object:
            return self.step(number, row)

        step.__name__ = step.__qualname__ = self._job.plan.nodes[number].name
        return step

    def step(self, number: int, row: int) -> object:
        """Run node *number* for *row*, unless something before it in the row has failed. After a
        failure no row behind it goes on.
        """
        if self._is_over(row):
            return None
        node = self._job.plan.nodes[number]
        try:
            steps = self._steps(row)
            if node in steps.todo:
                copy_context().run(_step, steps, node)
        except BaseException as error:
            self._errors[row] = error
            self._is_ended = self._is_ended or not isinstance(error, Exception)
            return None
        return tuple([steps.values.get(name) for name in node.outputs])

    def _is_over(self, row: int) -> bool:
        if self._is_ended:
            return True
        if self._keep:
            return row in self._errors
        return any(other <= row for other in list(self._errors))

    def _steps(self, row: int) -> Steps:
        with self._lock:
            if row not in self._runs:
                self._runs[row] = self._begun(row)
            return self._runs[row]

    def _begun(self, row: int) -> Steps:
        if self._rows is None:
            return Steps(self._job)
        job = self._job.item(row, self._rows.values(row))
        told = job.item_told()
        told.__enter__()
        self._told[row] = told
        return Steps(job)

    def results(self) -> list[Any]:
        """Of the rows in their order. Raises what the first row that failed has raised."""
        for row in sorted(self._errors):
            if not self._keep or not isinstance(self._errors[row], Exception):
                raise self._errors[row]
        return [self._result(row) for row in range(self._size)]

    def _result(self, row: int) -> Any:
        error = self._errors.get(row)
        if not isinstance(error, Exception):
            return self._steps(row).result()
        steps = self._runs.get(row)
        return FailedItem(row, error, steps.job.failure if steps else None)


def _step(steps: Steps, node: NodeLike) -> None:
    IN_ROW.set(True)
    steps.step(node, steps.call)


def in_this_row(job: Job) -> Job:
    """*job*, to be run without Daft."""
    lock = job.scope.lock or threading.RLock()
    engine = find_engine("sequential")
    return job.inside(job.scope.replaced(engine=engine, held=None, lock=lock))


def _table(number: int) -> Table:
    try:
        return _TABLES[number]
    except KeyError:
        raise PipelineError(
            "Daft has sent a node to another process. daft.set_runner_native() keeps it here; "
            "DaftEngine(collect=False).map(...) gives a DataFrame that can be computed anywhere."
        ) from None
