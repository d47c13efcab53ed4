"""Which engine runs a pipeline, and the two ways through a run that need one thread only."""

from __future__ import annotations

from typing import Any

from kohaku_ast.errors import PipelineError, PipelineTypeError, unknown
from kohaku_ast.pipeline.execution import Steps
from kohaku_ast.pipeline.failure import FailedItem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kohaku_ast.pipeline.execution import Engine, PipelineRun
    from kohaku_ast.pipeline.mapping import Rows


#: Name -> module, attribute and keyword arguments of the Engine that it stands for.
ENGINES: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    name: (
        "kohaku_ast.engines.native",
        "NativeEngine",
        {"node_executor": name, "map_executor": name},
    )
    for name in ("sequential", "async", "threaded", "parallel")
}
ENGINES["daft"] = ("kohaku_ast.engines.daft", "DaftEngine", {})


def find_engine(engine: str | Engine | Any) -> Engine:
    """The Engine called *engine*, *engine* itself, or the native one on an executor. Raises
    PipelineError for anything else.
    """
    if isinstance(engine, str):
        return _named(engine)
    if isinstance(engine, type):
        raise PipelineTypeError(f"engine is the class {engine.__name__}: give {engine.__name__}().")
    if hasattr(engine, "run") and hasattr(engine, "map") and not hasattr(engine, "submit"):
        return engine
    if hasattr(engine, "submit"):
        return _load("kohaku_ast.engines.native", "NativeEngine")(  # type: ignore[no-any-return]
            node_executor=engine, map_executor=engine
        )
    raise PipelineTypeError(
        f"{engine!r} is no engine: give one of {', '.join(sorted(ENGINES))}, an executor of "
        "concurrent.futures, or an object with run(job) and map(job, rows, keep)."
    )


def _named(name: str) -> Engine:
    if name not in ENGINES:
        raise PipelineError(unknown("engine", name, sorted(ENGINES)))
    module, attribute, arguments = ENGINES[name]
    return _load(module, attribute)(**arguments)  # type: ignore[no-any-return]


def _load(module: str, attribute: str) -> Any:
    from importlib import import_module

    return getattr(import_module(module), attribute)


def run_in_turn(steps: Steps, wait: Any = None) -> Any:
    """The result of *steps*, one node after another. *wait* returns the result of a coroutine.

    Engines that run several nodes at once make the same steps in another order.
    """
    for node in steps.todo:
        inputs = steps.begin(node)
        try:
            outputs = steps.call(node, inputs, wait)
        except BaseException as error:
            steps.fail(node, inputs, error)
            raise
        steps.end(node, outputs)  # stores in the cache
    return steps.result()


def run_direct(run: PipelineRun) -> Any:
    """The result of *run*, by the generated code of its Plan: no cache, no callbacks."""
    try:
        return run.plan.generated.run(run.values)
    except BaseException as error:
        _fail(run, error, run.scope.context.item)
        raise


def map_direct(run: PipelineRun, rows: Rows, keep: bool) -> list[Any]:
    """The same for *rows*; with *keep* the loop goes on after an item that raised."""
    loop = run.plan.generated.loop(rows.over)
    results: list[Any] = []
    rest = iter(rows)
    while True:
        try:
            loop(rest, rows.fixed, results.append)
            return results
        except BaseException as error:
            index = len(results)
            _fail(run, error, index)
            if not keep or not isinstance(error, Exception):
                raise
            results.append(FailedItem(index, error, run.failure))


def _fail(run: PipelineRun, error: BaseException, item: int | None) -> None:
    found = run.plan.generated.failed(error.__traceback__)
    if found:
        node, known = found
        inputs = {name: known[name] for name in node.inputs if name in known}
        results = {name: known[name] for name in known if name not in run.plan.given}
        run.fail(node, error, inputs, results, item)
