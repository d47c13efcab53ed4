"""One run of a Pipeline: what an Engine gets, the steps that it makes, and who is notified."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from contextvars import ContextVar

from kohaku_ast.errors import PipelineError
from kohaku_ast.frames import contextmanager
from kohaku_ast.pipeline.condition import Skip, is_skip, present, skip_of
from kohaku_ast.pipeline.failure import Failure, add_note, note
from kohaku_ast.pipeline.node_like import call_async, run_async
from kohaku_ast.pipeline.scope import NodeValues, is_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Any

    from kohaku_ast.pipeline.callbacks import Context
    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.plan import Plan
    from kohaku_ast.pipeline.scope import PipelineLike, Scope


class PipelineRun:
    """A Plan with the values of one run, and where and for whom it runs."""

    __slots__ = ("_outer", "ended", "failures", "is_inside", "pipeline", "plan", "scope", "values")

    def __init__(
        self,
        pipeline: PipelineLike,
        plan: Plan,
        values: Mapping[str, Any],
        scope: Scope,
        failures: list[Failure] | None = None,
        outer: PipelineRun | None = None,
        is_inside: bool = False,
        ended: list[Any] | None = None,
    ) -> None:
        #: Whether a node of another pipeline runs it: its result has a Skip for each output that
        #: was skipped.
        self.is_inside = is_inside
        self.pipeline = pipeline
        self.plan = plan
        #: The given values; those of the varying inputs are missing in a map.
        self.values = values
        self.scope = scope
        self.failures = [] if failures is None else failures
        self._outer = outer
        #: Of a map that a bar shows: something for each item that has ended.
        self.ended = ended

    @property
    def failure(self) -> Failure | None:
        """The node that raised last in this run, or in this item."""
        return self.failures[-1] if self.failures else None

    @property
    def is_item(self) -> bool:
        """Whether this is the run of one item of a map."""
        return self._outer is not None

    @property
    def is_bare(self) -> bool:
        """Whether neither this run nor a pipeline inside it has callbacks, a cache or conditions:
        then the generated code is enough.
        """
        return self.scope.cache is None and not self.scope.callbacks and self.plan.is_quiet

    def run(self) -> Any:
        """The result. Reports the start, has the engine run the nodes, reports the end."""
        with self.held(), self.reported() as outputs, self._keeping_last_error():
            result = self.scope.engine.run(self)
            outputs.update({self.plan.wanted[0]: result} if self.plan.single else result)
            return result

    def map(self, rows: Rows, keep: bool = False) -> list[Any]:
        """The results of *rows*, in their order. Reports, and has the engine run them."""
        with self.held(), self.reported_map(len(rows)), self._keeping_last_error():
            return self.scope.engine.map(self, rows, keep)  # type: ignore[no-any-return]

    def held(self) -> AbstractContextManager[None]:
        """Inside, its permanences stay."""
        if not self.pipeline.held:
            return nullcontext()
        from kohaku_ast.pipeline.permanence import holding  # here: others pay nothing for it

        return holding(self.pipeline.held)

    def inside(self, scope: Scope) -> PipelineRun:
        """The same run in another scope."""
        made = (self.pipeline, self.plan, self.values, scope, self.failures, self._outer)
        return PipelineRun(*made, self.is_inside, self.ended)

    def item(self, index: int, values: Mapping[str, Any]) -> PipelineRun:
        """The run of one item of a map."""
        scope = self.scope.at(index)
        return PipelineRun(self.pipeline, self.plan, values, scope, None, self, self.is_inside)

    def result(self, values: Mapping[str, Any]) -> Any:
        """What the caller gets of *values*. What was skipped is left out of outputs that nobody has
        named; PipelineError for one that somebody has.
        """
        plan = self.plan
        if self.is_inside or not plan.may_skip:
            return plan.result(values)
        for name in plan.wanted:
            if is_skip(values[name]) and name not in plan.loose:
                raise values[name].error(name)
        return plan.result(values) if plan.single else present(plan.result(values))

    def call(self, plan: Plan, values: Mapping[str, Any], scope: Scope) -> PipelineRun:
        """The run of one call in the body of an imperative pipeline: its failure is that of this
        run.
        """
        return PipelineRun(self.pipeline, plan, values, scope, self.failures)

    def fail(
        self,
        node: NodeLike,
        error: BaseException,
        inputs: Mapping[str, Any],
        results: Mapping[str, Any],
        item: int | None = None,
    ) -> None:
        """Add a note to *error* that names the node, and keep what ``reproduce`` needs."""
        if not isinstance(error, Exception):
            return
        known = self.failure if hasattr(node, "run_body") else None
        if known is None or known.error is not error:
            add_note(error, note(node, inputs, item))
            known = Failure(node, error, inputs, results, item)
        self._keep(known)

    def _keep(self, failure: Failure) -> None:
        self.pipeline.last_error = failure
        self.failures.append(failure)
        if self._outer is not None:
            self._outer._keep(failure)

    @contextmanager
    def _keeping_last_error(self) -> Iterator[None]:
        """If several nodes raise, ``last_error`` is the one whose exception the caller gets."""
        try:
            yield
        except Exception as error:
            for failure in self.failures:
                if failure.error is error:
                    self.pipeline.last_error = failure
            raise

    @contextmanager
    def reported(self) -> Iterator[dict[str, Any]]:
        """Report the start of the run and its end, with the outputs that the caller puts into the
        dict.
        """
        outputs: dict[str, Any] = {}
        notify, name, started = self.scope.notify, self.pipeline.name, clock()
        notify("on_pipeline_start", name, {**self.values}, context=self._starting())
        error = None
        try:
            yield outputs
        except BaseException as caught:
            error = caught
            raise
        finally:
            context = self.scope.context.ending(error)
            notify("on_pipeline_end", name, present(outputs), clock() - started, context=context)
            del error, context

    @contextmanager
    def reported_map(self, items: int) -> Iterator[None]:
        """Report the start and the end of a map."""
        started = clock()
        self.scope.notify("on_map_start", items, context=self._starting())
        error = None
        try:
            yield
        except BaseException as caught:
            error = caught
            raise
        finally:
            context = self.scope.context.ending(error)
            self.scope.notify("on_map_end", clock() - started, context=context)
            del error, context

    def _starting(self) -> Context | None:
        """The context of a start; None without callbacks."""
        if not self.scope.callbacks:
            return None
        return self.scope.context.starting(self.plan.names)

    @contextmanager
    def reported_item(self) -> Iterator[None]:
        """Report the start and the end of an item of a map."""
        started, item = clock(), self.scope.context.item
        self.scope.notify("on_map_item_start", item)
        try:
            yield
        finally:
            self.scope.notify("on_map_item_end", item, clock() - started)
            if self._outer is not None:
                self._outer.count(1)

    @property
    def is_watched(self) -> bool:
        """Whether anybody learns that this item ends."""
        return bool(self.scope.callbacks or (self._outer and self._outer.ended is not None))

    def count(self, items: int) -> None:
        """So many *items* more of this map have ended."""
        if self.ended is not None:
            self.ended += (None,) * items


class Steps:
    """The state of one run, and the verbs that every engine runs a node with: ``begin``, ``call``,
    then ``end`` or ``fail``. Threads may run different nodes at the same time.
    """

    def __init__(self, run: PipelineRun) -> None:
        self.run = run
        self._context = run.scope.context
        #: The values so far, by name.
        self.values: dict[str, Any] = dict(run.values)
        self._lock = threading.Lock()
        self._keys: dict[NodeLike, str] = {}
        self._started: dict[NodeLike, float] = {}
        #: Nodes whose conditions cannot be told -> why.
        self._unclear: dict[NodeLike, PipelineError] = {}
        #: The values of ``context``.
        self.shared = NodeValues(is_joined=bool(run.scope.called))
        #: The nodes that are not cached, in order.
        is_uncached = run.scope.cache is None or run.plan.has_body
        self.todo = list(run.plan.nodes) if is_uncached else self._load_cached()
        self._waits: dict[NodeLike, int] = {}
        self._children: dict[NodeLike, list[NodeLike]] = {}

    def _load_cached(self) -> list[NodeLike]:
        """Load results from the cache; the nodes that have none. It goes from the wanted outputs
        upstream, so that above a hit nothing is looked up.
        """
        from kohaku_ast.pipeline.cache_keys import Lineage

        plan, cache = self.run.plan, self.run.scope.cache
        self._lineage = lineage = Lineage(plan, self.run.values)
        given = self.run.values
        missing, todo, last = {name for name in plan.wanted if name not in given}, [], ""
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
                last = last or key
                continue
            if key is not None:
                self._keys[node] = key
            missing.update([name for name in node.inputs if name not in given])
            todo.append(node)
        if last and not todo and self.run.is_item:
            self.run.scope.notify("on_map_item_cached", self._context.item, last)
        return todo[::-1]

    def first(self) -> list[NodeLike]:
        """The nodes that can run now. After each of them, ``end`` returns the next ones. What is
        skipped is in neither.
        """
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
        return self._unskipped([node for node in self.todo if not self._waits[node]])

    def _unskipped(self, ready: list[NodeLike]) -> list[NodeLike]:
        """Those of the *ready* nodes that run, and of those that can run because others of them are
        skipped.
        """
        if not self.run.plan.may_skip:
            return ready
        found, waiting = [], [*ready]
        while waiting:
            node = waiting.pop(0)
            if self.skips(node):
                waiting += self._freed(node)
            else:
                found.append(node)
        return found

    def _freed(self, node: NodeLike) -> list[NodeLike]:
        """The nodes that waited for *node* alone."""
        children = self._children.get(node, ())
        for child in children:
            self._waits[child] -= 1
        return [child for child in children if not self._waits[child]]

    def skips(self, node: NodeLike) -> bool:
        """Whether *node*, whose turn it is, is skipped, which is reported. ``first`` and ``end``
        have asked; who goes through ``todo`` asks before each node.
        """
        if not self.run.plan.may_skip:
            return False
        try:
            with self.shared.of(node):  # a condition may read ``context``
                found = skip_of(node, self.values)
        except PipelineError as error:  # ``begin`` raises it
            self._unclear[node] = error
            return False
        if found is not None:
            self.skip(node, found)
        return found is not None

    def skip(self, node: NodeLike, found: Skip) -> None:
        """Report that *node* is skipped, and keep that for its readers."""
        self._notify(node, "on_node_skipped", found.why)
        self.shared.have_fed(node, self.run.plan, self.run.values)
        self._keep(node, (found,) * len(node.outputs))

    def begin(self, node: NodeLike) -> dict[str, Any]:
        """The inputs of *node*. Reports its start. Raises PipelineError, before that, for an
        iterator that other nodes read, too, and for a condition that cannot be told.
        """
        if node in self._unclear:
            raise self._unclear[node]
        inputs = {name: self.values[name] for name in node.inputs if name in self.values}
        if self.run.plan.may_skip:
            inputs = present(inputs)
        for name in self.run.plan.shared.intersection(inputs):
            self.run.plan.check_readers(name, inputs[name])
        if self.run.scope.callbacks:
            self._started[node] = clock()
            self._notify(node, "on_node_start", {**inputs})
        return inputs

    def call(self, node: NodeLike, inputs: Mapping[str, Any], wait: Any = None) -> tuple[Any, ...]:
        """The values of the outputs of *node*, called in this thread. *wait* returns the result
        of a coroutine.
        """
        with self.shared.of(node):
            return self._result_of(node, inputs, wait)

    def _result_of(self, node: Any, inputs: Mapping[str, Any], wait: Any) -> tuple[Any, ...]:
        if hasattr(node, "run_body"):
            return node.run_body(inputs, self.run)  # type: ignore[no-any-return]
        if hasattr(node, "run_inside"):
            return node.run_inside(inputs, self.run.scope)  # type: ignore[no-any-return]
        place = self.place(self.name_of(node))
        if is_script(node):
            return node.run_recorded(inputs, place)  # type: ignore[no-any-return]
        if place is None:
            return _call(node, inputs, wait)
        with place.enter():
            return _call(node, inputs, wait)

    async def call_async(self, node: NodeLike, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
        """As ``call``, for an async *node* in the event loop that runs."""
        place = self.place(self.name_of(node))
        with self.shared.of(node):
            if place is None:
                return await call_async(node, inputs)
            with place.enter():
                return await call_async(node, inputs)

    def name_of(self, node: NodeLike) -> str:
        """What events and records call *node*."""
        return self.run.scope.called or node.name

    def place(self, *names: str) -> Any:
        """The RecordPlace of the node *names* of this run, or of its nodes; None without record."""
        recorder = self.run.scope.recorder
        return None if recorder is None else recorder.place((*self._context.path, *names))

    def end(self, node: NodeLike, result: tuple[Any, ...]) -> list[NodeLike]:
        """Store *result* in the cache, report the end; the nodes that can run now."""
        key, cache = self._keys.get(node), self.run.scope.cache
        is_fed = cache is not None and self.shared.have_fed(node, self.run.plan, self.run.values)
        if key is not None:
            self._store(node, key, result, is_fed)
        outputs = dict(zip(node.outputs, result))
        self._notify_end(node, present(outputs) if self.run.plan.may_skip else outputs)
        with self._lock:
            self._keep(node, result)
            return self._unskipped(self._freed(node))

    def fail(self, node: NodeLike, inputs: Mapping[str, Any], error: BaseException) -> None:
        """Keep *error*, which *node* raised, with its inputs, and report it."""
        with self._lock:
            results = {
                name: value
                for name, value in present(self.values).items()
                if name not in self.run.values
            }
        self.run.fail(node, error, inputs, results, self._context.item)
        try:
            self._notify(node, "on_error", error)
        finally:
            self._notify_end(node, {}, error)

    def drop(self, node: NodeLike) -> None:
        """Report the end of *node*, which was begun but not called because another one failed."""
        self._notify_end(node, {}, is_dropped=True)

    def take(self, node: NodeLike, changed: Mapping[str, Any] | None) -> None:
        """Take over what *node*, which ran elsewhere, has *changed* in ``context``; None if it has
        not used that.
        """
        if changed is not None:
            self.shared.users.add(node)
            self.shared.values.update(changed)

    def replay(self, node: NodeLike, outputs: Mapping[str, Any] | None, seconds: float) -> None:
        """Report *node*, which ran in another process, and keep its *outputs* (None: not sent). A
        Skip in the place of the first output: it was skipped there.
        """
        if outputs is not None and is_skip(found := next(iter(outputs.values()))):
            self.skip(node, found)
            return
        self.begin(node)
        if self.run.scope.callbacks:
            self._started[node] -= seconds
        if outputs is None:
            self._notify_end(node, {})
        else:
            self.end(node, tuple([outputs[name] for name in node.outputs]))

    def step(self, node: NodeLike, call: Callable[..., tuple[Any, ...]]) -> list[NodeLike]:
        """Begin *node*, have *call* call it, and end it; the nodes that can run now."""
        inputs = self.begin(node)
        try:
            result = call(node, inputs)
        except BaseException as error:
            self.fail(node, inputs, error)
            raise
        return self.end(node, result)

    def result(self) -> Any:
        """What the caller of the run gets."""
        return self.run.result(self.values)

    def _store(self, node: NodeLike, key: str, result: tuple[Any, ...], is_fed: bool) -> None:
        from kohaku_ast.pipeline.explain import note_use, store_result

        if is_fed:
            note_use(node, self._lineage, self.run.scope.cache)
            return
        store_result(node, key, result, self._lineage, self.run.scope.cache)

    def _keep(self, node: NodeLike, result: tuple[Any, ...]) -> None:
        for name, value in zip(node.outputs, result):
            if name not in self.run.values:  # a given value replaces the node's
                self.values[name] = value

    def _notify(self, node: NodeLike, event: str, value: Any) -> None:
        scope, name = self.run.scope, self.name_of(node)
        if scope.callbacks and not self.run.plan.has_body:  # it is the whole pipeline
            scope.notify(event, name, value, context=scope.context.inside(name))

    def _notify_end(
        self,
        node: NodeLike,
        outputs: Mapping[str, Any],
        error: BaseException | None = None,
        is_dropped: bool = False,
    ) -> None:
        scope, name = self.run.scope, self.name_of(node)
        if scope.callbacks and not self.run.plan.has_body:
            seconds = clock() - self._started[node]
            context = scope.context.inside(name)
            if error is not None or is_dropped:
                context = context.ending(error, is_dropped)
            scope.notify("on_node_end", name, outputs, seconds, context=context)


def _call(node: NodeLike, inputs: Mapping[str, Any], wait: Any) -> tuple[Any, ...]:
    if not node.is_async:
        return node.run(inputs)
    return run_async(node, inputs) if wait is None else wait(call_async(node, inputs))


clock: Callable[[], float] = time.perf_counter

#: The run that an engine of the user's runs now: pipelines inside it belong to it.
CURRENT: ContextVar[PipelineRun | None] = ContextVar("kogine-pipeline-run", default=None)
