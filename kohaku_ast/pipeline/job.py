"""One run of a Pipeline, as an Engine gets it."""

from __future__ import annotations

from contextlib import contextmanager

from kohaku_ast.pipeline.failure import Failure, add_note, note
from kohaku_ast.pipeline.scope import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from kohaku_ast.pipeline.callbacks import Context
    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.pipeline import Pipeline
    from kohaku_ast.pipeline.plan import Plan
    from kohaku_ast.pipeline.scope import Scope


class Job:
    """A Plan with the values of one run."""

    __slots__ = ("_failures", "_outer", "pipeline", "plan", "scope", "values")

    def __init__(
        self,
        pipeline: Pipeline,
        plan: Plan,
        values: Mapping[str, Any],
        scope: Scope,
        failures: list[Failure] | None = None,
        outer: Job | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.plan = plan
        #: The given values; those of the varying inputs are missing in a map.
        self.values = values
        self.scope = scope
        self._failures = [] if failures is None else failures
        self._outer = outer

    @property
    def failure(self) -> Failure | None:
        """The node that raised last in this run, or in this item."""
        return self._failures[-1] if self._failures else None

    @property
    def is_bare(self) -> bool:
        """Whether nobody listens and nothing is cached, in pipelines inside neither: then the
        straight code will do.
        """
        return self.scope.cache is None and not self.scope.callbacks and self.plan.is_quiet

    def run(self) -> Any:
        """The result, by the engine of the scope."""
        with self.told() as outputs, self._settled():
            result = self.scope.engine.run(self)
            outputs.update({self.plan.wanted[0]: result} if self.plan.single else result)
            return result

    def map(self, rows: Rows, keep: bool = False) -> list[Any]:
        """The results of *rows*, by the engine of the scope."""
        with self.map_told(len(rows)), self._settled():
            return self.scope.engine.map(self, rows, keep)

    def inside(self, scope: Scope) -> Job:
        """The same Job in another scope."""
        return Job(self.pipeline, self.plan, self.values, scope, self._failures, self._outer)

    def item(self, index: int, values: Mapping[str, Any]) -> Job:
        """The run of one item of a map."""
        scope = self.scope.at(index)
        return Job(self.pipeline, self.plan, values, scope, outer=self)

    def fail(
        self,
        node: NodeLike,
        error: BaseException,
        inputs: Mapping[str, Any],
        results: Mapping[str, Any],
        item: int | None = None,
    ) -> None:
        """Note on *error* which node raised it, and keep what it takes to raise it again."""
        if isinstance(error, Exception):
            add_note(error, note(node, inputs, item))
            self._keep(Failure(node, error, inputs, results, item))

    def _keep(self, failure: Failure) -> None:
        self.pipeline.last_error = failure
        self._failures.append(failure)
        if self._outer is not None:
            self._outer._keep(failure)

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Of several nodes that raised, the one whose exception goes on is the last error."""
        try:
            yield
        except Exception as error:
            for failure in self._failures:
                if failure.error is error:
                    self.pipeline.last_error = failure
            raise

    @contextmanager
    def told(self) -> Iterator[dict[str, Any]]:
        """Around a run: tells its start and its end. What is put into the dict are its outputs."""
        outputs: dict[str, Any] = {}
        tell, name, started = self.scope.tell, self.pipeline.name, clock()
        tell("on_pipeline_start", name, self.values, context=self._starting())
        try:
            yield outputs
        finally:
            tell("on_pipeline_end", name, outputs, clock() - started)

    @contextmanager
    def map_told(self, items: int) -> Iterator[None]:
        """Around a map: tells its start and its end."""
        started = clock()
        self.scope.tell("on_map_start", items, context=self._starting())
        try:
            yield
        finally:
            self.scope.tell("on_map_end", clock() - started)

    def _starting(self) -> Context | None:
        """What a start is told with; None where nobody listens."""
        if not self.scope.callbacks:
            return None
        return self.scope.context.starting(tuple([node.name for node in self.plan.nodes]))

    @contextmanager
    def item_told(self) -> Iterator[None]:
        """Around an item of a map: tells its start and its end."""
        started, item = clock(), self.scope.context.item
        self.scope.tell("on_map_item_start", item)
        try:
            yield
        finally:
            self.scope.tell("on_map_item_end", item, clock() - started)
