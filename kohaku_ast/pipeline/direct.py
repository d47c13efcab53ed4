"""Runs and maps by the straight code of the Plan, one thing after another."""

from __future__ import annotations

from kohaku_ast.pipeline.failure import FailedItem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.mapping import Rows


def run_direct(job: Job) -> Any:
    """The result of *job*."""
    try:
        return job.plan.straight.run(job.values)
    except BaseException as error:
        _fail(job, error, job.scope.context.item)
        raise


def map_direct(job: Job, rows: Rows, keep: bool) -> list[Any]:
    """The results of *rows*; with *keep* the loop goes on after an item that raised."""
    loop = job.plan.straight.loop(rows.over)
    results: list[Any] = []
    rest = iter(rows)
    while True:
        try:
            loop(rest, rows.fixed, results.append)
            return results
        except BaseException as error:
            index = len(results)
            _fail(job, error, index)
            if not keep or not isinstance(error, Exception):
                raise
            results.append(FailedItem(index, error, job.failure))


def _fail(job: Job, error: BaseException, item: int | None) -> None:
    found = job.plan.straight.failed(error.__traceback__)
    if found:
        node, known = found
        inputs = {name: known[name] for name in node.inputs if name in known}
        results = {name: known[name] for name in known if name not in job.plan.given}
        job.fail(node, error, inputs, results, item)
