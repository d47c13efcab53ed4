"""A run node by node: what is known, what can run next, what comes from the cache, who is told."""

from __future__ import annotations

import threading

from kohaku_ast.pipeline.awaited import call_async, run_async
from kohaku_ast.pipeline.scope import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.node_like import NodeLike


class Steps:
    """The state of one run. ``begin``, a call of the node and ``end`` or ``fail`` make a step;
    steps of different nodes may be made by different threads.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._context = job.scope.context
        #: All values known so far, by name.
        self.values: dict[str, Any] = dict(job.values)
        self._lock = threading.Lock()
        self._keys: dict[NodeLike, str] = {}
        self._started: dict[NodeLike, float] = {}
        #: The nodes that have to run, in order.
        self.todo = list(job.plan.nodes) if job.scope.cache is None else self._load()
        self._waits: dict[NodeLike, int] = {}
        self._children: dict[NodeLike, list[NodeLike]] = {}

    def _load(self) -> list[NodeLike]:
        """What the cache does not have: from what is asked for upwards, so that nothing is even
        looked for above a hit.
        """
        from kohaku_ast.pipeline.caching.keys import Lineage

        plan, cache = self.job.plan, self.job.scope.cache
        self._lineage = lineage = Lineage(plan, self.job.values)
        given = self.job.values
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
                self._tell(node, "on_node_cached", key)
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
        if self.job.scope.callbacks:
            self._started[node] = clock()
            self._tell(node, "on_node_start", inputs)
        return inputs

    def call(self, node: NodeLike, inputs: Mapping[str, Any], wait: Any = None) -> tuple[Any, ...]:
        """The values of the outputs of *node*, in this thread. *wait* gives the result of a
        coroutine.
        """
        inside = getattr(node, "run_inside", None)
        if inside is not None:
            return inside(inputs, self.job.scope)  # type: ignore[no-any-return]
        if not node.is_async:
            return node.run(inputs)
        return run_async(node, inputs) if wait is None else wait(call_async(node, inputs))

    def end(self, node: NodeLike, result: tuple[Any, ...]) -> list[NodeLike]:
        """Keep *result*; the nodes that can run now."""
        key = self._keys.get(node)
        if key is not None:
            self._store(node, key, result)
        self._tell_end(node, dict(zip(node.outputs, result)))
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
                name: value for name, value in self.values.items() if name not in self.job.values
            }
        self.job.fail(node, error, inputs, results, self._context.item)
        try:
            self._tell(node, "on_error", error)
        finally:
            self._tell_end(node, {})

    def drop(self, node: NodeLike) -> None:
        """*node* was told of and did not start, because another had failed."""
        self._tell_end(node, {})

    def replay(self, node: NodeLike, outputs: Mapping[str, Any] | None, seconds: float) -> None:
        """*node* has run elsewhere: tell of it, and keep its outputs, if they came (None: not)."""
        self.begin(node)
        if self.job.scope.callbacks:
            self._started[node] -= seconds
        if outputs is None:
            self._tell_end(node, {})
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
        return self.job.plan.result(self.values)

    def _store(self, node: NodeLike, key: str, result: tuple[Any, ...]) -> None:
        from kohaku_ast.pipeline.caching.keeping import keep

        keep(node, key, result, self._lineage, self.job.scope.cache)

    def _keep(self, node: NodeLike, result: tuple[Any, ...]) -> None:
        for name, value in zip(node.outputs, result):
            if name not in self.job.values:  # a given value replaces the node's
                self.values[name] = value

    def _tell(self, node: NodeLike, event: str, value: Any) -> None:
        scope = self.job.scope
        if scope.callbacks:
            scope.tell(event, node.name, value, context=scope.context.inside(node.name))

    def _tell_end(self, node: NodeLike, outputs: Mapping[str, Any]) -> None:
        scope = self.job.scope
        if scope.callbacks:
            seconds = clock() - self._started[node]
            context = scope.context.inside(node.name)
            scope.tell("on_node_end", node.name, outputs, seconds, context=context)
