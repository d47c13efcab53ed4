"""Pipelines as columns of a Daft DataFrame: a row an item, a column a node."""

from __future__ import annotations

from importlib import import_module

from kohaku_ast.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.mapping import Rows


class DaftEngine:
    """Has Daft run the nodes, in this process: ``Pipeline(nodes, engine=DaftEngine())``.

    *collect* False: ``map`` gives the DataFrame, nothing computed yet, with a column for each
    output; cache and callbacks have no part in it. *show_plan* prints Daft's plan before it runs;
    *debug* prints which column each node becomes. Pipelines inside run in the rows of theirs.

    Raises UsageError if Daft is not installed.
    """

    def __init__(self, collect: bool = True, show_plan: bool = False, debug: bool = False) -> None:
        self.collect = collect
        self.show_plan = show_plan
        self.debug = debug
        self._daft = find_daft()

    def run(self, job: Job) -> Any:
        """The result of *job*. Raises what a node raised."""
        from kohaku_ast.engines.daft_rows import IN_ROW, Table, in_this_row

        if IN_ROW.get():
            inner = in_this_row(job)
            return inner.scope.engine.run(inner)
        table = Table(job, None, False)
        self._compute(table)
        return table.results()[0]

    def map(self, job: Job, rows: Rows, keep: bool = False) -> Any:
        """The results of *rows* in their order; a DataFrame if this does not *collect*."""
        from kohaku_ast.engines.daft_frame import make_frame
        from kohaku_ast.engines.daft_rows import IN_ROW, Table, in_this_row

        if IN_ROW.get():
            inner = in_this_row(job)
            return inner.scope.engine.map(inner, rows, keep)
        if not self.collect:
            return self._shown(make_frame(self._daft, job.plan, rows))
        if not len(rows):
            return []
        table = Table(job, rows, keep)
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
