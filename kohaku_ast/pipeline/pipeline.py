"""A graph of nodes that can be run."""

from __future__ import annotations

from kohaku_ast.errors import PipelineError
from kohaku_ast.frames import hidden
from kohaku_ast.pipeline.callbacks import Callback, Context
from kohaku_ast.pipeline.engine import find_engine, run_direct
from kohaku_ast.pipeline.execution import PipelineRun, Scope
from kohaku_ast.pipeline.failure import trim_traceback
from kohaku_ast.pipeline.graph import Graph
from kohaku_ast.pipeline.mapping import make_rows
from kohaku_ast.pipeline.nested import PipelineNode
from kohaku_ast.pipeline.plan import Plan, make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    from kohaku_ast.pipeline.drawing import Drawing, Explanation
    from kohaku_ast.pipeline.execution import Engine
    from kohaku_ast.pipeline.failure import Failure
    from kohaku_ast.pipeline.node_like import NodeLike

    Names = str | Collection[str] | None


_PLANS = 256  # kept; more kinds of calls of one pipeline are rare


class Pipeline:
    """Nodes, joined by the names of their outputs and inputs.

    *nodes*: what ``@node`` and ``script()`` make, and pipelines. *engine*: "sequential" (the
    default), "async", "threaded", "parallel", an executor of ``concurrent.futures``, or an
    Engine. *cache*: a DiskCache or MemoryCache. Pipelines inside this one use its engine, cache
    and callbacks unless they have their own.

    Raises PipelineError if the nodes cannot be a graph: a circle, two nodes that give one name,
    types that cannot fit.
    """

    #: The node that last raised in this pipeline, with its inputs; ``reproduce()`` runs it again.
    last_error: Failure | None = None

    def __init__(
        self,
        nodes: Iterable[NodeLike | Pipeline],
        engine: str | Engine | Any = None,
        cache: Any = None,
        callbacks: Iterable[Callback] | None = None,
        name: str | None = None,
    ) -> None:
        #: What errors, callbacks and drawings call it.
        self.name = name or "pipeline"
        #: The nodes and the names between them.
        self.graph = Graph(listed_nodes(nodes))
        #: Its own engine, or None.
        self.engine: Engine | None = None if engine is None else find_engine(engine)
        #: Its own cache, or None.
        self.cache = checked_cache(cache)
        #: Its own callbacks, or None.
        self.callbacks = checked_callbacks(callbacks)
        self._plans: dict[Any, Plan] = {}
        #: Whether neither it nor a pipeline inside it has a cache or callbacks of its own.
        self.is_quiet = (
            cache is None
            and not self.callbacks
            and all(getattr(node, "is_quiet", True) for node in self.graph.nodes)
        )
        self._is_bare = self.engine is None and self.is_quiet
        self._own_scope = Scope(
            self.engine or find_engine("sequential"),
            cache,
            self.callbacks or (),
            Context((self.name,)),
        )

    @property
    def nodes(self) -> tuple[NodeLike, ...]:
        """The nodes, in an order in which they can run."""
        return self.graph.nodes

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names that no node gives."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names that nodes give."""
        return self.graph.outputs

    @hidden
    def run(
        self,
        inputs: Mapping[str, Any] | None = None,
        output_name: Names = None,
        **named: Any,
    ) -> Any:
        """Run what *output_name* needs: the value of one name, or a dict for several; without
        it, every output of every node that leads to something.

        Values are given by name in *inputs* or as keywords; one of an output replaces its node,
        and what only that node needs does not run. Raises PipelineError, before anything runs,
        for inputs that are missing or would not be used; what a node raises keeps its type.
        """
        try:
            return self._run(merged(inputs, named), output_name)
        except BaseException as error:
            trim_traceback(error)
            raise error  # a bare one brings all frames back in Python 3.10

    @hidden
    def map(
        self,
        inputs: Mapping[str, Any] | None = None,
        map_over: str | Iterable[str] | Mapping[str, str] | None = None,
        map_mode: str = "zip",
        output_name: Names = None,
        on_error: str = "raise",
        **named: Any,
    ) -> list[Any]:
        """Run once for each value of the inputs that *map_over* names: the results of ``run`` in
        their order. The other inputs are the same for all.

        Several inputs go together one by one (*map_mode* "zip", equal lengths) or in every
        combination ("product"). ``map_over={"urls": "url"}`` takes the values of the input "url"
        from "urls". *on_error* "keep" puts a FailedItem in the place of an item that raised.
        """
        try:
            return self._map(merged(inputs, named), map_over, map_mode, output_name, on_error)
        except BaseException as error:
            trim_traceback(error)
            raise error  # a bare one brings all frames back in Python 3.10

    def _run(self, values: dict[str, Any], output_name: Names) -> Any:
        plan = self.plan(values, output_name)
        if self._is_bare and not plan.is_async:
            return run_direct(PipelineRun(self, plan, values, self._own_scope))
        return PipelineRun(self, plan, values, self.scope(None)).run()

    def _map(
        self,
        values: dict[str, Any],
        map_over: str | Iterable[str] | Mapping[str, str] | None,
        map_mode: str,
        output_name: Names,
        on_error: str,
    ) -> list[Any]:
        if on_error not in ("raise", "keep"):
            raise PipelineError(f"on_error is {on_error!r} (expected 'raise' or 'keep').")
        rows = make_rows(values, map_over, map_mode)
        plan = self.plan(rows.names, output_name)
        return PipelineRun(self, plan, rows.fixed, self.scope(None)).map(rows, on_error == "keep")

    def plan(self, given: Iterable[str], output_name: Names = None) -> Plan:
        """What would run for values of the names *given*. Raises PipelineError as ``run`` does."""
        given, wanted = tuple(given), checked_names(output_name)
        found = self._plans.get((given, wanted))
        if found is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            found = self._plans[given, wanted] = make_plan(self.graph, given, wanted)
        return found

    def scope(self, outer: Scope | None) -> Scope:
        """Its own engine, cache and callbacks, and those of *outer* where it has none; without
        *outer* those of a run that begins here.
        """
        if outer is None:
            return self._own_scope.replaced(context=Context((self.name,)))
        changes: dict[str, Any] = {}
        if self.engine is not None and self.engine is not outer.engine:
            changes.update(engine=self.engine, level=None)
        if self.cache is not None:
            changes["cache"] = self.cache
        if self.callbacks is not None:
            changes["callbacks"] = self.callbacks
        return outer.replaced(**changes) if changes else outer

    def as_node(
        self,
        input_mapping: Mapping[str, str] | None = None,
        output_mapping: Mapping[str, str] | None = None,
        map_over: str | Iterable[str] | Mapping[str, str] | None = None,
        map_mode: str = "zip",
        name: str | None = None,
        cache: bool = True,
    ) -> PipelineNode:
        """A node that runs this pipeline inside another.

        *input_mapping*: name outside -> name in here; *output_mapping*: name in here -> name
        outside. *map_over* names inputs, as called outside, that hold many values: the pipeline
        runs for each, and its outputs are lists (``{"urls": "url"}`` renames, as in ``map``).
        Raises PipelineError for names it has not.
        """
        return PipelineNode(self, input_mapping, output_mapping, map_over, map_mode, name, cache)

    def explain_cache(
        self, inputs: Mapping[str, Any] | None = None, output_name: Names = None, **named: Any
    ) -> Any:
        """Why each node would or would not run for these values; runs nothing."""
        from kohaku_ast.pipeline.explain import explain_cache

        values = merged(inputs, named)
        return explain_cache(self.plan(values, output_name), values, self.cache)

    def explain(self, from_node: str | None = None, to_node: str | None = None) -> Explanation:
        """Every edge and why it is there, in words; of a part of the nodes, if it is named by its
        ends. Raises PipelineError for nodes that are not there.
        """
        from kohaku_ast.pipeline.drawing import explain_graph

        return explain_graph(self, from_node, to_node)

    def visualize(
        self, depth: int = 0, from_node: str | None = None, to_node: str | None = None
    ) -> Drawing:
        """A drawing for a notebook, or to ``save("x.svg")``; pipelines inside are open as deep as
        *depth*. With a LastRun or ProgressBar among its callbacks it shows states and times.
        """
        from kohaku_ast.pipeline.drawing import draw

        return draw(self, depth, from_node, to_node)

    def cache_identity(self) -> tuple[Any, ...]:
        """What it computes, for the keys of a node that runs it."""
        return self.graph.nodes

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs: neither plans nor what has failed here."""
        return {**self.__dict__, "_plans": {}, "last_error": None}

    def __repr__(self) -> str:
        from kohaku_ast.pipeline.drawing import shown_inputs

        shown = {name for node in self.nodes for name in shown_inputs(self.graph, node)}
        inputs = ", ".join([name for name in self.inputs if name in shown])
        outputs = ", ".join(self.outputs)
        return f"<pipeline {self.name}({inputs}) -> {outputs}, {len(self.nodes)} nodes>"


_OF_NODES = ("inputs", "outputs", "defaults", "run")


def listed_nodes(nodes: Any) -> list[NodeLike]:
    """The nodes, with pipelines among them as nodes. Raises PipelineError for what is none."""
    if isinstance(nodes, str) or not hasattr(nodes, "__iter__"):
        raise PipelineError(f"nodes is {nodes!r}: give a list of nodes.")
    return [_as_node(one) for one in nodes]


def _as_node(one: Any) -> NodeLike:
    if callable(getattr(one, "as_node", None)):
        return one.as_node()  # type: ignore[no-any-return]
    if not all(hasattr(one, name) for name in _OF_NODES):
        what = getattr(one, "__name__", None)
        raise PipelineError(
            f"{what or one!r} is no node"
            + (': decorate it with @node(output_name="...").' if what else ".")
        )
    return one  # type: ignore[no-any-return]


def checked_cache(cache: Any) -> Any:
    """*cache*. Raises PipelineError if it cannot load and store."""
    if cache is None or (hasattr(cache, "load") and hasattr(cache, "store")):
        return cache
    hint = f"DiskCache({cache!r})" if isinstance(cache, str) else "a DiskCache or a MemoryCache"
    raise PipelineError(f"cache is {cache!r}: give {hint}.")


def checked_callbacks(callbacks: Iterable[Callback] | None) -> tuple[Callback, ...] | None:
    """The callbacks. Raises PipelineError for what is none."""
    if callbacks is None:
        return None
    if not hasattr(callbacks, "__iter__"):
        raise PipelineError(f"callbacks is {callbacks!r}: give a list of them.")
    found = tuple(callbacks)
    for one in found:
        if isinstance(one, type):
            raise PipelineError(f"a callback is the class {one.__name__}: give {one.__name__}().")
        if not isinstance(one, Callback):
            raise PipelineError(f"{one!r} is no callback: derive its class from Callback.")
    return found


def merged(inputs: Mapping[str, Any] | None, named: dict[str, Any]) -> dict[str, Any]:
    """The values in *inputs* and those given as keywords."""
    if inputs is None:
        return named
    if not hasattr(inputs, "keys"):
        raise PipelineError(
            f"inputs is a {type(inputs).__name__}: give a dict, or the values by name."
        )
    both = [name for name in named if name in inputs]
    if both:
        raise PipelineError(f"the input {both[0]!r} is given twice: in the dict and by name.")
    return {**inputs, **named}


def checked_names(output_name: str | Collection[str] | None) -> str | tuple[str, ...] | None:
    """*output_name*, fit to be a key. Raises PipelineError for what names nothing."""
    if output_name is None or isinstance(output_name, str):
        return output_name
    names = tuple(output_name) if hasattr(output_name, "__iter__") else None
    if names is not None and all(isinstance(name, str) for name in names):
        return names
    raise PipelineError(f"output_name is {output_name!r}: give a name, or a list of names.")
