"""Which engine runs a pipeline: ours, or one of the user's, which is given whole pipelines; and the
two ways through a run that need one thread only.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Protocol, runtime_checkable

from kohaku_ast.errors import PipelineError, PipelineTypeError, unknown
from kohaku_ast.frames import contextmanager
from kohaku_ast.helpers.processes import MADE, SCOPE, ItemValues, leave_run, own_values
from kohaku_ast.pipeline.execution import CURRENT, PipelineRun, Steps
from kohaku_ast.pipeline.failure import FailedItem
from kohaku_ast.pipeline.mapping import check_items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.plan import Plan


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
_CLUSTER = ("kohaku_ast.engines.cluster_engine", "ClusterEngine")
for _name in ("dask", "ray", "slurm", "slurm-local"):
    ENGINES[_name] = (*_CLUSTER, {"on": _name})


@runtime_checkable
class Engine(Protocol):
    """What runs whole pipelines: ``Pipeline(nodes, engine=MyEngine())``.

    It may call ``node.run(values)`` for each of ``pipeline.plan(inputs, output_name).nodes``, send
    the pipeline elsewhere, or hand it on: ``HyperNodesEngine("threaded").run(pipeline, inputs,
    output_name)`` looks results up in the cache and calls the callbacks.
    """

    def run(self, pipeline: Any, inputs: Mapping[str, Any], output_name: Any = None) -> Any:
        """What ``pipeline.run(inputs, output_name)`` returns: a value for one name, else a dict."""

    def map(
        self,
        pipeline: Any,
        inputs: Mapping[str, Any],
        map_over: Any,
        map_mode: str = "zip",
        output_name: Any = None,
        on_error: str = "raise",
    ) -> list[Any]:
        """What ``pipeline.map(...)`` returns. Called with equally long lists and "zip", and with
        *on_error* only if it is "keep".
        """


class RunEngine(Protocol):
    """Decides where and in which order the nodes of a run are called."""

    def run(self, job: PipelineRun) -> Any:
        """``job.plan.result(...)``. Raises what a node raised, after ``job.fail(...)``."""

    def map(self, job: PipelineRun, rows: Rows, keep: bool) -> list[Any]:
        """A result for each of *rows*, in their order; with *keep* a FailedItem for each that
        raised.
        """


class OwnEngine:
    """Lets an Engine of the user's run the Plans of pipelines."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(self, job: PipelineRun) -> Any:
        """The result of *job*."""
        with _current(job):
            return self.engine.run(job.pipeline, dict(job.values), _asked(job.plan))

    def map(self, job: PipelineRun, rows: Rows, keep: bool = False) -> list[Any]:
        """The results of *rows*."""
        if not len(rows):
            return []
        options = {"on_error": "keep"} if keep else {}
        with _current(job):
            return self.engine.map(
                job.pipeline, rows.given(), list(rows.over), "zip", _asked(job.plan), **options
            )

    def __repr__(self) -> str:
        return repr(self.engine)


@contextmanager
def _current(job: PipelineRun | None) -> Iterator[None]:
    token = CURRENT.set(job)
    try:
        with own_values():
            yield
    finally:
        CURRENT.reset(token)


def _asked(plan: Plan) -> Any:
    """The ``output_name`` that leads to *plan*."""
    if plan.single:
        return plan.wanted[0]
    return None if plan.wanted and plan.loose.issuperset(plan.wanted) else list(plan.wanted)


def run_pipeline(
    engine: RunEngine, pipeline: Any, inputs: Mapping[str, Any], output_name: Any
) -> Any:
    """The result of *pipeline*, run by *engine*; for an engine of the user's, whose run is reported
    already, within that one.
    """
    plan = pipeline.plan(inputs, output_name)
    run, report = _made(engine, pipeline, plan, pipeline.filled(plan, inputs))
    with _current(None):
        return run.run() if report else engine.run(run)


def map_pipeline(
    engine: RunEngine, pipeline: Any, rows: Rows, output_name: Any, keep: bool
) -> list[Any]:
    """The same for the items *rows*."""
    plan = pipeline.plan(rows.names, output_name)
    rows = rows.filled(pipeline.filled(plan, rows.fixed, rows.over))
    check_items(plan, rows)
    run, report = _made(engine, pipeline, plan, rows.fixed)
    with _current(None):
        return run.map(rows, keep) if report else engine.map(run, rows, keep)


def _made(
    engine: RunEngine, pipeline: Any, plan: Plan, values: Mapping[str, Any]
) -> tuple[PipelineRun, bool]:
    """The run, and whether its start and end are to be reported."""
    current = CURRENT.get()
    if current is None or current.pipeline is not pipeline:
        scope = pipeline.scope(None).replaced(engine=engine, level=None)
        return PipelineRun(pipeline, plan, values, scope), True
    scope = current.scope.replaced(engine=engine, level=None)
    inside = current.is_inside
    return PipelineRun(pipeline, plan, values, scope, outer=current, is_inside=inside), False


def _takes_pipelines(engine: Any) -> bool:
    """Whether ``run`` takes a pipeline, inputs and names, not the run of a Plan alone."""
    import inspect

    try:
        inspect.signature(engine.run).bind(None, None, None)
        return True
    except TypeError:
        return False


def find_engine(engine: str | Engine | Any) -> RunEngine:
    """The Engine called *engine*, *engine* itself, or the native one on an executor. Raises
    PipelineError for anything else.
    """
    if isinstance(engine, str):
        return _named(engine)
    if isinstance(engine, type):
        raise PipelineTypeError(f"engine is the class {engine.__name__}: give {engine.__name__}().")
    if hasattr(engine, "run") and hasattr(engine, "map") and not hasattr(engine, "submit"):
        takes_plans = getattr(engine, "takes_plans", False) or not _takes_pipelines(engine)
        found: Any = engine if takes_plans else OwnEngine(engine)
        return found  # type: ignore[no-any-return]
    if hasattr(engine, "submit"):
        return _load("kohaku_ast.engines.native", "NativeEngine")(  # type: ignore[no-any-return]
            node_executor=engine, map_executor=engine
        )
    raise PipelineTypeError(
        f"{engine!r} is no engine: give one of {', '.join(sorted(ENGINES))}, an executor of "
        "concurrent.futures, or an object with run(pipeline, inputs, output_name) and map(...)."
    )


def _named(name: str) -> RunEngine:
    if ":" in name:  # an address or options: the text of a cluster
        return _load(*_CLUSTER)(name)  # type: ignore[no-any-return]
    if name in ENGINES:
        module, attribute, arguments = ENGINES[name]
        return _load(module, attribute)(**arguments)  # type: ignore[no-any-return]
    from kohaku_ast.plugins import find_plugins  # takes 36 ms

    plugins = find_plugins("engines", ENGINES)
    if name not in plugins:
        raise PipelineError(unknown("engine", name, sorted([*ENGINES, *plugins])))
    made = plugins[name].call()
    try:
        return find_engine([] if isinstance(made, str) else made)
    except PipelineTypeError as error:
        raise plugins[name].error(f"made {made!r}", error) from None


def _load(module: str, attribute: str) -> Any:
    from importlib import import_module

    return getattr(import_module(module), attribute)


def run_in_turn(steps: Steps, wait: Any = None) -> Any:
    """The result of *steps*, one node after another. *wait* returns the result of a coroutine.

    Engines that run several nodes at once make the same steps in another order.
    """
    for node in steps.todo:
        if steps.skips(node):
            continue
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
    if MADE:  # else a run does not pay for it
        with nullcontext() if run.scope.called else own_values():
            return _run_generated(run)
    try:
        result = run.plan.generated.run(run.values)
    except BaseException as error:
        leave_run()
        _fail(run, error, run.scope.context.item)
        raise
    if MADE:
        leave_run()
    return result


def _run_generated(run: PipelineRun) -> Any:
    try:
        return run.plan.generated.run(run.values)
    except BaseException as error:
        _fail(run, error, run.scope.context.item)
        raise


def map_direct(run: PipelineRun, rows: Rows, keep: bool) -> list[Any]:
    """The same for *rows*; with *keep* the loop goes on after an item that raised."""
    loop = run.plan.generated.loop(rows.over)
    results: list[Any] = [] if run.ended is None else run.ended
    rest = iter(rows)
    with ItemValues(results, SCOPE.get()):
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
