"""What runs pipelines: the protocol of an engine, and the table of those that have names."""

from __future__ import annotations

from typing import Any, Protocol

from kohaku_ast.errors import PipelineError, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kohaku_ast.pipeline.execution import PipelineRun
    from kohaku_ast.pipeline.inputs import Rows


class Engine(Protocol):
    """Decides where and in which order the nodes of a Job run."""

    def run(self, job: PipelineRun) -> Any:
        """``job.plan.result(...)``. Raises what a node raised, after ``job.fail(...)``."""

    def map(self, job: PipelineRun, rows: Rows, keep: bool) -> list[Any]:
        """A result for each of *rows*, in their order; with *keep* a FailedItem for one that
        raised.
        """


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
        raise PipelineError(f"engine is the class {engine.__name__}: give {engine.__name__}().")
    if hasattr(engine, "run") and hasattr(engine, "map") and not hasattr(engine, "submit"):
        return engine
    if hasattr(engine, "submit"):
        return _load("kohaku_ast.engines.native", "NativeEngine")(  # type: ignore[no-any-return]
            node_executor=engine, map_executor=engine
        )
    raise PipelineError(
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
