"""Pipelines as columns of a Daft DataFrame: a row for each item, a column for each node.

Daft pickles functions, and a run cannot be pickled (locks, callbacks, a cache). So the functions
hold a RowTable, which pickles as its number. State of this process: the tables in use.
"""

from __future__ import annotations

import itertools
import threading
from contextvars import ContextVar, copy_context
from importlib import import_module

from kohaku_ast.errors import PipelineError, UsageError
from kohaku_ast.helpers.processes import SharedValues
from kohaku_ast.pipeline.condition import may_skip
from kohaku_ast.pipeline.engine import find_engine
from kohaku_ast.pipeline.execution import Steps
from kohaku_ast.pipeline.failure import FailedItem
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any, TypeAlias

    from kohaku_ast.pipeline.execution import PipelineRun
    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.plan import Plan

    #: The column of a name, and its place in a column of several values.
    _Cell: TypeAlias = tuple[str, int | None]


class DaftEngine:
    """Has Daft run the nodes, in this process: ``Pipeline(nodes, engine=DaftEngine())``.

    *collect* False: ``map`` returns the DataFrame before it is computed, with a column for each
    output, without cache and callbacks. *show_plan* prints Daft's plan before it runs; *debug*
    prints the column of each node. Nested pipelines run in the rows of the outer one.

    Raises UsageError if Daft is not installed.
    """

    @public
    def __init__(self, collect: bool = True, show_plan: bool = False, debug: bool = False) -> None:
        self.collect = collect
        self.show_plan = show_plan
        self.debug = debug
        self._daft = find_daft()

    def run(self, job: PipelineRun) -> Any:
        """The result of *job*. Raises what a node raised."""
        if IN_ROW.get():
            inner = in_this_row(job)
            return inner.scope.engine.run(inner)
        table = RowTable(job, None, False)
        self._compute(table)
        return table.results()[0]

    def map(self, job: PipelineRun, rows: Rows, keep: bool = False) -> Any:
        """The results of *rows* in their order; a DataFrame if *collect* is False."""
        if IN_ROW.get():
            inner = in_this_row(job)
            return inner.scope.engine.map(inner, rows, keep)
        if not self.collect:
            _check_frame(job)
            return self._shown(make_frame(self._daft, job.plan, rows))
        if not len(rows):
            return []
        table = RowTable(job, rows, keep)
        self._compute(table)
        return table.results()

    def _compute(self, table: Any) -> None:
        with table:
            frame = self._shown(table.frame(self._daft))
            frame.collect()

    def _shown(self, frame: Any) -> Any:
        if self.debug:
            for field in frame.schema():
                print(f"{field.name}: {field.dtype}")
        if self.show_plan:
            frame.explain(show_all=True)
        return frame

    def __reduce__(self) -> tuple[Any, ...]:
        return DaftEngine, (self.collect, self.show_plan, self.debug)


def find_daft() -> Any:
    """The module ``daft``. Raises UsageError with the line that installs it."""
    try:
        return import_module("daft")
    except ImportError as error:
        raise UsageError("the daft engine needs daft: pip install 'kohaku-ast[daft]'") from error


def _check_frame(job: PipelineRun) -> None:
    """Raise PipelineError for what needs the end of a run: a column has a value in each row, and
    Daft computes it at any time, on any machine.
    """
    for node in job.plan.nodes:
        if may_skip(node):
            raise _refused(f"node {node.name!r} ({node.where}) may be skipped, which")
    if job.pipeline.held:
        raise _refused("permanences are made once and released at the end of a run, which")
    if any(one.is_beside for one in job.scope.callbacks):
        raise _refused("hooks are called at the end of a run, which")
    if job.scope.recorder is not None:
        raise _refused("the record of a run has its end, which")


def _refused(what: str) -> PipelineError:
    return PipelineError(f"{what} a DataFrame that is not collected cannot tell: use DaftEngine().")


class _NoValues(SharedValues):
    """Those of ``context`` in a row of a DataFrame: nobody knows which rows make a run."""

    def shared_values(self) -> dict[str, Any]:
        """Raises PipelineError."""
        raise _refused("helpers.context has the values of a run, which")


def make_frame(daft: Any, plan: Plan, rows: Rows) -> Any:
    """The DataFrame of a map: a row for each item, with the varying inputs and the wanted outputs.

    A column has a type if it is known (values of one plain type, a hint of the function), else it
    has Python objects.
    """
    items = [rows.values(index) for index in range(len(rows))]
    frame = daft.from_pydict(
        {name: _series(daft, name, [one[name] for one in items]) for name in rows.over}
    )
    cells: dict[str, _Cell] = {name: (name, None) for name in rows.over}
    for number, node in enumerate(plan.nodes):
        used = [name for name in node.inputs if name in cells] or [rows.over[0]]
        column = f"{number + 1} {node.name}"
        function = _function(node, [(name, cells[name][1]) for name in used], rows.fixed)
        call = daft.func(function, return_dtype=daft.DataType.python())
        frame = frame.with_column(column, call(*[daft.col(cells[name][0]) for name in used]))
        for place, name in enumerate(node.outputs):
            if name not in rows.names:  # a given value stays
                cells[name] = (column, place)
    wanted = [name for name in plan.wanted if name in cells and name not in rows.over]
    return frame.select(*rows.over, *[_output(daft, plan, name, cells[name]) for name in wanted])


def _series(daft: Any, name: str, values: list[Any]) -> Any:
    kinds = {type(value) for value in values}
    dtype = _dtype(daft, kinds.pop()) if len(kinds) == 1 else daft.DataType.python()
    return daft.Series.from_pylist(values, name=name, dtype=dtype)


def _dtype(daft: Any, kind: Any) -> Any:
    """Daft's type for a plain Python type; for others, the type of Python objects."""
    types = daft.DataType
    known = {
        int: types.int64,
        float: types.float64,
        str: types.string,
        bool: types.bool,
        bytes: types.binary,
    }
    return known.get(kind, types.python)()


def _function(
    node: NodeLike, used: list[tuple[str, int | None]], fixed: Mapping[str, Any]
) -> Callable[..., Any]:
    """A function that calls *node* with the cells of the names *used*."""
    wanted = set(node.inputs)
    known = {name: value for name, value in fixed.items() if name in wanted}

    def run(*cells: Any) -> Any:
        from kohaku_ast.engines.remote_task import call

        given = dict(known)
        for (name, place), cell in zip(used, cells):
            if name in wanted:
                given[name] = cell if place is None else cell[place]
        with _NoValues({}):
            return call(node, given)

    run.__name__ = run.__qualname__ = node.name
    return run


def _output(daft: Any, plan: Plan, name: str, cell: _Cell) -> Any:
    column, place = cell
    node = next(one for one in plan.nodes if name in one.outputs)
    hint = node.output_hint(name) if hasattr(node, "output_hint") else None

    def take(values: Any) -> Any:
        return values[place]

    return daft.func(take, return_dtype=_dtype(daft, hint))(daft.col(column)).alias(name)


_TABLES: dict[int, RowTable] = {}
_NUMBERS = itertools.count()
ROW = "row"
"""The column that numbers the rows."""
IN_ROW: ContextVar[bool] = ContextVar("kogine-daft-row", default=False)
"""Whether a row of Daft's is running: Daft cannot run another DataFrame meanwhile."""


class RowTable:
    """The state of one run (*rows* None) or map; a context manager for its computation."""

    def __init__(self, run: PipelineRun, rows: Rows | None, keep: bool) -> None:
        # This scope is the one of nested pipelines.
        self._run, self._rows, self._keep = in_this_row(run), rows, keep
        self._number = next(_NUMBERS)
        self._lock = threading.Lock()
        self._runs: dict[int, Steps] = {}
        self._reports: dict[int, Any] = {}
        self._errors: dict[int, BaseException] = {}
        self._is_ended = False  # by Ctrl-C and the like
        self._size = 1 if rows is None else len(rows)

    def __enter__(self) -> RowTable:
        _TABLES[self._number] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        del _TABLES[self._number]
        for index in sorted(self._reports):
            self._reports[index].__exit__(None, None, None)

    def __reduce__(self) -> tuple[Any, ...]:
        return _table, (self._number,)

    def frame(self, daft: Any) -> Any:
        """The DataFrame, not yet computed: a column for each node, after those that it needs."""
        frame = daft.from_pydict({ROW: list(range(self._size))})
        columns: dict[Any, str] = {}
        for number, node in enumerate(self._run.plan.nodes):
            parents = [
                columns[one] for one in columns if not set(one.outputs).isdisjoint(node.inputs)
            ]
            columns[node] = f"{number + 1} {node.name}"
            function = daft.func(self._step_of(number), return_dtype=daft.DataType.python())
            cells = function(*map(daft.col, [ROW, *parents]))
            frame = frame.with_column(columns[node], cells)
        return frame

    def _step_of(self, number: int) -> Any:
        """The function of node *number*: it returns the outputs in one row, or None."""

        def step(row: int, *parents: object) -> object:
            return self.step(number, row)

        step.__name__ = step.__qualname__ = self._run.plan.nodes[number].name
        return step

    def step(self, number: int, row: int) -> object:
        """Run node *number* for *row*, unless a node before it in the row has failed. After a
        failure no later row goes on.
        """
        if self._is_over(row):
            return None
        node = self._run.plan.nodes[number]
        try:
            steps = self._steps(row)
            if node in steps.todo and not steps.skips(node):
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
            return Steps(self._run)
        run = self._run.item(row, self._rows.values(row))
        report = run.reported_item()
        report.__enter__()
        self._reports[row] = report
        return Steps(run)

    def results(self) -> list[Any]:
        """The results of the rows in order. Raises the exception of the first row that failed."""
        for row in sorted(self._errors):
            if not self._keep or not isinstance(self._errors[row], Exception):
                raise self._errors[row]
        return [self._result(row) for row in range(self._size)]

    def _result(self, row: int) -> Any:
        error = self._errors.get(row)
        if not isinstance(error, Exception):
            return self._steps(row).result()
        steps = self._runs.get(row)
        return FailedItem(row, error, steps.run.failure if steps else None)


def _step(steps: Steps, node: NodeLike) -> None:
    IN_ROW.set(True)
    steps.step(node, steps.call)


def in_this_row(run: PipelineRun) -> PipelineRun:
    """*run* without Daft."""
    lock = run.scope.lock or threading.RLock()
    engine = find_engine("sequential")
    return run.inside(run.scope.replaced(engine=engine, level=None, lock=lock))


def _table(number: int) -> RowTable:
    try:
        return _TABLES[number]
    except KeyError:
        raise PipelineError(
            "Daft has sent a node to another process. daft.set_runner_native() keeps it here; "
            "DaftEngine(collect=False).map(...) gives a DataFrame that can be computed anywhere."
        ) from None
