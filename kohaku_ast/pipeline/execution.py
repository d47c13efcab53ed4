"""One run of a Pipeline, node by node, as an Engine gets it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Protocol

from kohaku_ast.pipeline.callbacks import Context
from kohaku_ast.pipeline.failure import Failure, add_note, note
from kohaku_ast.pipeline.node_like import call_async, run_async

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from kohaku_ast.pipeline.callbacks import Callback
    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.inputs import Rows
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.plan import Plan


class PipelineRun:
    """A Plan with the values of one run."""

    __slots__ = ("_failures", "_outer", "pipeline", "plan", "scope", "values")

    def __init__(
        self,
        pipeline: PipelineLike,
        plan: Plan,
        values: Mapping[str, Any],
        scope: Scope,
        failures: list[Failure] | None = None,
        outer: PipelineRun | None = None,
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
        with self.reported() as outputs, self._keeping_last_error():
            result = self.scope.engine.run(self)
            outputs.update({self.plan.wanted[0]: result} if self.plan.single else result)
            return result

    def map(self, rows: Rows, keep: bool = False) -> list[Any]:
        """The results of *rows*, by the engine of the scope."""
        with self.reported_map(len(rows)), self._keeping_last_error():
            return self.scope.engine.map(self, rows, keep)

    def inside(self, scope: Scope) -> PipelineRun:
        """The same Job in another scope."""
        return PipelineRun(
            self.pipeline, self.plan, self.values, scope, self._failures, self._outer
        )

    def item(self, index: int, values: Mapping[str, Any]) -> PipelineRun:
        """The run of one item of a map."""
        scope = self.scope.at(index)
        return PipelineRun(self.pipeline, self.plan, values, scope, outer=self)

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
    def _keeping_last_error(self) -> Iterator[None]:
        """Of several nodes that raised, the one whose exception goes on is the last error."""
        try:
            yield
        except Exception as error:
            for failure in self._failures:
                if failure.error is error:
                    self.pipeline.last_error = failure
            raise

    @contextmanager
    def reported(self) -> Iterator[dict[str, Any]]:
        """Around a run: tells its start and its end. What is put into the dict are its outputs."""
        outputs: dict[str, Any] = {}
        notify, name, started = self.scope.notify, self.pipeline.name, clock()
        notify("on_pipeline_start", name, self.values, context=self._starting())
        try:
            yield outputs
        finally:
            notify("on_pipeline_end", name, outputs, clock() - started)

    @contextmanager
    def reported_map(self, items: int) -> Iterator[None]:
        """Around a map: tells its start and its end."""
        started = clock()
        self.scope.notify("on_map_start", items, context=self._starting())
        try:
            yield
        finally:
            self.scope.notify("on_map_end", clock() - started)

    def _starting(self) -> Context | None:
        """What a start is told with; None where nobody listens."""
        if not self.scope.callbacks:
            return None
        return self.scope.context.starting(tuple([node.name for node in self.plan.nodes]))

    @contextmanager
    def reported_item(self) -> Iterator[None]:
        """Around an item of a map: tells its start and its end."""
        started, item = clock(), self.scope.context.item
        self.scope.notify("on_map_item_start", item)
        try:
            yield
        finally:
            self.scope.notify("on_map_item_end", item, clock() - started)


class Steps:
    """The state of one run. ``begin``, a call of the node and ``end`` or ``fail`` make a step;
    steps of different nodes may be made by different threads.
    """

    def __init__(self, run: PipelineRun) -> None:
        self.run = run
        self._context = run.scope.context
        #: All values known so far, by name.
        self.values: dict[str, Any] = dict(run.values)
        self._lock = threading.Lock()
        self._keys: dict[NodeLike, str] = {}
        self._started: dict[NodeLike, float] = {}
        #: The nodes that have to run, in order.
        self.todo = list(run.plan.nodes) if run.scope.cache is None else self._load()
        self._waits: dict[NodeLike, int] = {}
        self._children: dict[NodeLike, list[NodeLike]] = {}

    def _load(self) -> list[NodeLike]:
        """What the cache does not have: from what is asked for upwards, so that nothing is even
        looked for above a hit.
        """
        from kohaku_ast.pipeline.cache_keys import Lineage

        plan, cache = self.run.plan, self.run.scope.cache
        self._lineage = lineage = Lineage(plan, self.run.values)
        given = self.run.values
        missing, todo = {name for name in plan.wanted if name not in given}, []
        for node in reversed(plan.nodes):
            if not missing:
                break
            if missing.isdisjoint(node.outputs):
                continue
            missing.difference_update(node.outputs)
            key = lineage.key_of(node)
            hit = None if key is None else cache.load(key)
            if key is not None and hit is not None:
                self._keep(node, hit.value)
                self._notify(node, "on_node_cached", key)
                continue
            if key is not None:
                self._keys[node] = key
            missing.update([name for name in node.inputs if name not in given])
            todo.append(node)
        return todo[::-1]

    def first(self) -> list[NodeLike]:
        """The nodes that can run at once. ``end`` gives those that can run after each."""
        producers = {name: node for node in self.todo for name in node.outputs}
        for node in self.todo:
            parents = {
                producers[name]
                for name in node.inputs
                if name in producers and name not in self.values
            }
            self._waits[node] = len(parents)
            for parent in parents:
                self._children.setdefault(parent, []).append(node)
        return [node for node in self.todo if not self._waits[node]]

    def begin(self, node: NodeLike) -> dict[str, Any]:
        """The inputs of *node*, which starts now."""
        inputs = {name: self.values[name] for name in node.inputs if name in self.values}
        if self.run.scope.callbacks:
            self._started[node] = clock()
            self._notify(node, "on_node_start", inputs)
        return inputs

    def call(self, node: NodeLike, inputs: Mapping[str, Any], wait: Any = None) -> tuple[Any, ...]:
        """The values of the outputs of *node*, in this thread. *wait* gives the result of a
        coroutine.
        """
        inside = getattr(node, "run_inside", None)
        if inside is not None:
            return inside(inputs, self.run.scope)  # type: ignore[no-any-return]
        if not node.is_async:
            return node.run(inputs)
        return run_async(node, inputs) if wait is None else wait(call_async(node, inputs))

    def end(self, node: NodeLike, result: tuple[Any, ...]) -> list[NodeLike]:
        """Keep *result*; the nodes that can run now."""
        key = self._keys.get(node)
        if key is not None:
            self._store(node, key, result)
        self._notify_end(node, dict(zip(node.outputs, result)))
        with self._lock:
            self._keep(node, result)
            children = self._children.get(node, ())
            for child in children:
                self._waits[child] -= 1
            return [child for child in children if not self._waits[child]]

    def fail(self, node: NodeLike, inputs: Mapping[str, Any], error: BaseException) -> None:
        """Keep what there is to know of *error*, which *node* raised."""
        with self._lock:
            results = {
                name: value for name, value in self.values.items() if name not in self.run.values
            }
        self.run.fail(node, error, inputs, results, self._context.item)
        try:
            self._notify(node, "on_error", error)
        finally:
            self._notify_end(node, {})

    def drop(self, node: NodeLike) -> None:
        """*node* was told of and did not start, because another had failed."""
        self._notify_end(node, {})

    def replay(self, node: NodeLike, outputs: Mapping[str, Any] | None, seconds: float) -> None:
        """*node* has run elsewhere: tell of it, and keep its outputs, if they came (None: not)."""
        self.begin(node)
        if self.run.scope.callbacks:
            self._started[node] -= seconds
        if outputs is None:
            self._notify_end(node, {})
        else:
            self.end(node, tuple([outputs[name] for name in node.outputs]))

    def step(self, node: NodeLike, call: Callable[..., tuple[Any, ...]]) -> list[NodeLike]:
        """The whole step of *node*, made by *call*; the nodes that can run now."""
        inputs = self.begin(node)
        try:
            result = call(node, inputs)
        except BaseException as error:
            self.fail(node, inputs, error)
            raise
        return self.end(node, result)

    def result(self) -> Any:
        """What the run was for."""
        return self.run.plan.result(self.values)

    def _store(self, node: NodeLike, key: str, result: tuple[Any, ...]) -> None:
        from kohaku_ast.pipeline.explain import store_result

        store_result(node, key, result, self._lineage, self.run.scope.cache)

    def _keep(self, node: NodeLike, result: tuple[Any, ...]) -> None:
        for name, value in zip(node.outputs, result):
            if name not in self.run.values:  # a given value replaces the node's
                self.values[name] = value

    def _notify(self, node: NodeLike, event: str, value: Any) -> None:
        scope = self.run.scope
        if scope.callbacks:
            scope.notify(event, node.name, value, context=scope.context.inside(node.name))

    def _notify_end(self, node: NodeLike, outputs: Mapping[str, Any]) -> None:
        scope = self.run.scope
        if scope.callbacks:
            seconds = clock() - self._started[node]
            context = scope.context.inside(node.name)
            scope.notify("on_node_end", node.name, outputs, seconds, context=context)


clock: Callable[[], float] = time.perf_counter


class Scope:
    """Engine, cache, callbacks and place of a run. Frozen."""

    __slots__ = ("cache", "callbacks", "context", "engine", "level", "lock")

    def __init__(
        self,
        engine: Engine,
        cache: Any = None,
        callbacks: tuple[Callback, ...] = (),
        context: Context | None = None,
        level: Any = None,
        lock: threading.RLock | None = None,
    ) -> None:
        self.engine = engine
        self.cache = cache
        self.callbacks = callbacks
        self.context = context or Context()
        #: What the engine holds for the whole run, for the runs inside it.
        self.level = level
        #: Held while callbacks are told something.
        self.lock = lock

    def replaced(self, **changes: Any) -> Scope:
        """A copy with *changes*."""
        return Scope(**{name: changes.get(name, getattr(self, name)) for name in self.__slots__})

    def at(self, item: int) -> Scope:
        """The scope of an item of a map."""
        context = self.context.at(item)
        return Scope(self.engine, self.cache, self.callbacks, context, self.level, self.lock)

    def notify(self, event: str, *values: Any, context: Context | None = None) -> None:
        """Tell all callbacks, in their order."""
        if not self.callbacks:
            return
        if self.lock is None:
            self._notify(event, values, context or self.context)
            return
        with self.lock:
            self._notify(event, values, context or self.context)

    def _notify(self, event: str, values: tuple[Any, ...], context: Context) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*values, context)


class Engine(Protocol):
    """Decides where and in which order the nodes of a run are called."""

    def run(self, run: PipelineRun) -> Any:
        """``run.plan.result(...)``. Raises what a node raised, after ``run.fail(...)``."""

    def map(self, run: PipelineRun, rows: Rows, keep: bool) -> list[Any]:
        """A result for each of *rows*, in their order; with *keep* a FailedItem for one that
        raised.
        """


class PipelineLike(Protocol):
    """What runs, nested nodes and drawings need of a Pipeline."""

    #: The node that last raised.
    last_error: Failure | None
    cache: Any

    @property
    def name(self) -> str:
        """What errors, callbacks and drawings call it."""

    @property
    def graph(self) -> Graph:
        """The nodes and the names between them."""

    @property
    def nodes(self) -> tuple[NodeLike, ...]:
        """The nodes, in an order in which they can run."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names that no node gives."""

    @property
    def callbacks(self) -> tuple[Callback, ...] | None:
        """Its own callbacks, or None."""

    @property
    def is_quiet(self) -> bool:
        """Whether nothing in it has a cache or callbacks of its own."""

    def plan(self, given: Iterable[str], output_name: Any = None) -> Plan:
        """What would run for values of the names *given*."""

    def scope(self, outer: Scope | None) -> Scope:
        """Its own engine, cache and callbacks, and those of *outer* where it has none."""
