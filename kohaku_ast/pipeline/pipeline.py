"""``Pipeline``: a graph of nodes that can be run, mapped, nested, drawn and explained."""

from __future__ import annotations

import copy
import os
from functools import partial
from importlib import import_module
from types import MappingProxyType

from kohaku_ast.errors import (
    PATHS,
    PipelineError,
    PipelineTypeError,
    check_type,
)
from kohaku_ast.frames import hidden
from kohaku_ast.helpers.processes import process_of
from kohaku_ast.pipeline.callbacks import Callback, Context, callbacks_at, checked_callbacks
from kohaku_ast.pipeline.condition import may_skip
from kohaku_ast.pipeline.engine import find_engine, run_direct
from kohaku_ast.pipeline.execution import PipelineRun
from kohaku_ast.pipeline.failure import trim_traceback
from kohaku_ast.pipeline.graph import Graph, chain_bound, chain_nodes, chain_option, shown_inputs
from kohaku_ast.pipeline.map_bar import map_rows
from kohaku_ast.pipeline.mapping import (
    check_items,
    checked_names,
    checked_on_error,
    checked_progress,
    make_rows,
    merged,
    over_names,
)
from kohaku_ast.pipeline.nested import PipelineNode, check_known
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import Recipe, is_node
from kohaku_ast.pipeline.plan import Plan, make_plan
from kohaku_ast.pipeline.scope import Scope, checked_cache
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any

    from kohaku_ast.pipeline.drawing import Drawing, Explanation
    from kohaku_ast.pipeline.engine import Engine, RunEngine
    from kohaku_ast.pipeline.failure import Failure
    from kohaku_ast.pipeline.node_like import NodeLike

    Names = str | Collection[str] | None


_NAME = "pipeline"  # of one that has none
_PLANS = 256  # kept; more kinds of calls of one pipeline are rare


class Pipeline:
    """Nodes, joined by the names of their outputs and inputs.

    *nodes*: those that ``@node`` and ``script()`` make, and pipelines. *engine*: "sequential" (the
    default), "async", "threaded", "parallel", an Engine, an executor of ``concurrent.futures``, or
    a cluster as for ``--on``. *cache*: a DiskCache or MemoryCache. Pipelines inside use its engine,
    cache and callbacks unless they have their own. *record*: whether each run is recorded below
    ``.kogine/runs``; None: yes if a node, at any depth, is a script. *permanences*: name -> a
    function that makes what nodes take by that name, once a process; or ``permanence(...)``.

    Raises PipelineError if the nodes cannot be a graph: a cycle, two nodes that give one name,
    types that cannot fit.
    """

    #: The last node that raised in this pipeline, with its inputs; ``reproduce()`` calls it again.
    last_error: Failure | None = None
    #: The folder of the record of the last run; empty if it has none.
    last_record: str = ""
    #: The TOML file that it is from, or empty.
    file: str = ""
    #: The pipeline that it is a copy of, made for one around it; else None.
    original: Pipeline | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        """A subclass with ``__call__`` and annotated nodes becomes an imperative pipeline."""
        super().__init_subclass__(**options)
        if any("__call__" in vars(one) for one in cls.__mro__):
            # By name: it stands above this module, and few programs have one.
            import_module("kohaku_ast.imperative.imperative").adopt(cls)

    @public
    def __init__(
        self,
        nodes: Iterable[NodeLike | Pipeline | Callable[..., Any]],
        engine: str | Engine | Any = None,
        cache: Any = None,
        callbacks: Iterable[Callback] | None = None,
        name: str | None = None,
        record: bool | None = None,
        permanences: Mapping[str, Any] | None = None,
    ) -> None:
        check_type(name, (str, type(None)), "the name of a pipeline is a text", PipelineError)
        check_type(record, (bool, type(None)), "record is True, False or None", PipelineError)
        #: What errors, callbacks and drawings call it.
        self.name = name or _NAME
        #: The nodes and the names between them.
        self.graph = Graph(listed_nodes(nodes))
        #: Its own engine, or None.
        self.engine: RunEngine | None = None if engine is None else find_engine(engine)
        #: Its own cache, or None.
        self.cache = checked_cache(cache)
        #: Name -> value of what is bound: used unless a run gives another value.
        self.bound: Mapping[str, Any] = MappingProxyType({})
        self._plans: dict[Any, Plan] = {}
        #: Whether a node, at any depth, is a script.
        self.has_scripts = any(getattr(node, "has_scripts", False) for node in self.graph.nodes)
        #: Whether a node, at any depth, has a condition.
        self.may_skip = any(map(may_skip, self.graph.nodes))
        #: What was given as *record*.
        self.record = record
        #: Its own callbacks, or None.
        self.callbacks = checked_callbacks(callbacks)
        if permanences:
            from kohaku_ast.pipeline.permanence_nodes import checked_permanences

            self._take(checked_permanences(permanences, self.graph))
        for one in self.callbacks or ():
            one.check(self.nodes)
        self._find_ways()

    def _find_ways(self) -> None:
        """Find out which ways a run may take, and its scope."""
        #: Whether neither it nor a pipeline inside it has conditions, or a cache or callbacks of
        #: its own.
        self.is_quiet = (
            self.cache is None
            and not self.callbacks
            and all(getattr(node, "is_quiet", True) for node in self.graph.nodes)
        )
        self._is_recorded = self.has_scripts if self.record is None else self.record
        own = [one for one in self.bound.values() if isinstance(one, Recipe)]
        inner = [one for node in self.graph.nodes for one in getattr(node, "held", ())]
        #: The permanences in it, at any depth.
        self.held: tuple[Any, ...] = tuple(dict.fromkeys([*own, *inner]))
        is_plain = not (self._is_recorded or self.held)
        self._is_bare = self.engine is None and self.is_quiet and is_plain
        self._own_scope = Scope(
            self.engine or find_engine("sequential"),
            self.cache,
            callbacks_at((self.name,), self.callbacks or ()),
            Context((self.name,)),
        )

    @property
    def nodes(self) -> tuple[NodeLike, ...]:
        """The nodes, in an order in which they can run."""
        return self.graph.nodes

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names that no node gives and that are not bound."""
        return tuple([name for name in self.graph.inputs if name not in self.bound])

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
        """Run the nodes that *output_name* needs. Returns the value of one name, or a dict for
        several; without it, a dict of every output of every node, pipelines inside included.

        Give values by name in *inputs* or as keywords. A value for an output replaces its node,
        and nodes that only this one needs do not run. Raises PipelineError, before anything runs,
        for inputs that are missing or would not be used; and for a named output whose node was
        skipped. An exception of a node keeps its type.
        """
        try:
            given = merged(inputs, named)
            return self._run(self.plan(given, output_name), given)
        except BaseException as error:
            trim_traceback(error)
            raise error  # a bare one brings all frames back in Python 3.10

    @hidden
    def run_available(self, inputs: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
        """As ``run`` with the outputs *names*, but those that are skipped are left out."""
        try:
            loose = frozenset(names)
            return self._run(self.plan(inputs, names, loose), inputs)  # type: ignore[no-any-return]
        except BaseException as error:
            trim_traceback(error)
            raise error  # a bare one brings all frames back in Python 3.10

    def _run(self, plan: Plan, given: Mapping[str, Any]) -> Any:
        values = self.filled(plan, given)
        if self._is_bare and not plan.is_async:
            return run_direct(PipelineRun(self, plan, values, self._own_scope))
        run = PipelineRun(self, plan, values, self.scope(None))
        return self._recorded(run, given, PipelineRun.run) if self._is_recorded else run.run()

    @hidden
    def map(
        self,
        inputs: Mapping[str, Any] | None = None,
        map_over: str | Iterable[str] | Mapping[str, str] | None = None,
        map_mode: str = "zip",
        output_name: Names = None,
        on_error: str = "raise",
        progress: bool | None = None,
        **named: Any,
    ) -> list[Any]:
        """Run once for each value of the inputs that *map_over* names. Returns the results of
        ``run`` in their order. The other inputs are the same for all items.

        Several inputs are combined one by one (*map_mode* "zip", equal lengths) or in every
        combination ("product"). ``map_over={"urls": "url"}`` takes the values of the input "url"
        from "urls". *on_error* "keep" puts a FailedItem in the place of an item that raised.
        *progress*: a map of over a second shows a bar in a notebook and on a terminal; False:
        never, True: at once, and elsewhere lines.
        """
        try:
            keep = checked_on_error(on_error) == "keep"
            progress = checked_progress(progress, self.graph.inputs, named)
            given = merged(inputs, named)
            over = [] if not self.bound or map_over is None else over_names(map_over)
            bound = {name: self.bound[name] for name in over if name in self.bound}
            asked = make_rows({**bound, **given}, map_over, map_mode)
            plan = self.plan(asked.names, output_name)
            rows = asked.filled(self.filled(plan, asked.fixed, asked.over))
            check_items(plan, rows)
            run = PipelineRun(self, plan, rows.fixed, self.scope(None))
            call = partial(map_rows, rows=rows, keep=keep, progress=progress)
            if self._is_recorded:
                found: list[Any] = self._recorded(run, asked.given(), call, len(rows), rows.over)
                return found
            return call(run)
        except BaseException as error:
            trim_traceback(error)
            raise error  # a bare one brings all frames back in Python 3.10

    def _recorded(
        self, run: PipelineRun, given: Mapping[str, Any], call: Callable[..., Any], *items: Any
    ) -> Any:
        from kohaku_ast.pipeline.run_record import recorded  # here: others pay nothing for it

        return recorded(run, call, given, *items)

    def plan(
        self,
        given: Iterable[str],
        output_name: Names = None,
        loose: frozenset[str] = frozenset(),
    ) -> Plan:
        """The Plan for values of the names *given*. Raises PipelineError as ``run`` does. *loose*:
        those of the wanted outputs that no caller has named.
        """
        key = given, wanted, loose = tuple(given), checked_names(output_name), loose
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            found = self._plans[key] = make_plan(self.graph, given, wanted, loose, self.bound)
        return found

    def filled(
        self, plan: Plan, values: Mapping[str, Any], varying: Collection[str] = ()
    ) -> Mapping[str, Any]:
        """*values*, and the bound ones that *plan* needs besides them and the *varying* inputs."""
        if not self.bound:
            return values
        names = [name for name in plan.given if name not in values and name not in varying]
        return {**values, **{name: self.bound[name] for name in names}}

    @public
    def bind(self, /, **values: Any) -> Pipeline:
        """A copy that uses *values* for these inputs, or outputs, unless a run gives other values.
        Raises PipelineError for names that it does not have.
        """
        check_known(values, [*self.graph.inputs, *self.outputs], "input", shown_name(self))
        return self._with_bound({**self.bound, **values})

    @public
    def unbind(self, *names: str) -> Pipeline:
        """A copy in which *names* are inputs again; without names, all that were bound."""
        check_known(names, self.bound, "bound input", shown_name(self))
        left = {name: value for name, value in self.bound.items() if names and name not in names}
        return self._with_bound(left)

    def __rshift__(self, other: Any) -> Pipeline:
        """``prep >> train``: one pipeline of the nodes of both, or of this one and a node. Its
        outputs feed inputs by name. Raises PipelineError if none does.
        """
        after = other if isinstance(other, Pipeline) else Pipeline([other])
        return self.in_chain()._then(after.in_chain())

    def __rrshift__(self, other: Any) -> Pipeline:
        return Pipeline([other])._then(self.in_chain())

    def in_chain(self) -> Pipeline:
        """What ``>>`` joins with others: its nodes."""
        return self

    def _then(self, after: Pipeline) -> Pipeline:
        options = {name: chain_option(name, self, after) for name in ("engine", "cache", "record")}
        names = [one.name for one in (self, after) if one.name != _NAME]
        made = Pipeline(
            chain_nodes(self, after),
            callbacks=[*dict.fromkeys([*(self.callbacks or ()), *(after.callbacks or ())])] or None,
            name=" >> ".join(names),
            **options,
        )
        bound = chain_bound(self, after)
        return made._with_bound(bound) if bound else made

    def watched(self, callbacks: Iterable[Callback], record: bool | None, engine: Any) -> Pipeline:
        """A copy with more *callbacks*, another *record* and, unless None, another *engine*."""
        made = copy.copy(self)
        made.engine = self.engine if engine is None else find_engine(engine)
        made.callbacks, made.record = (*(self.callbacks or ()), *callbacks), record
        made._find_ways()
        return made

    def _with_bound(self, bound: dict[str, Any]) -> Pipeline:
        made = copy.copy(self)
        made._take(bound)
        made._find_ways()
        return made

    def _take(self, bound: Mapping[str, Any]) -> None:
        """Bind values, and make nodes that take what permanences among them make."""
        self.bound = MappingProxyType(dict(bound))
        names = [name for name, one in bound.items() if isinstance(one, Recipe)]
        if names:
            from kohaku_ast.pipeline.permanence_nodes import taking

            self.graph = taking(self.graph, names)

    def taking(self, names: Collection[str]) -> Pipeline:
        """A copy whose nodes take *names* as permanences of a pipeline around it."""
        from kohaku_ast.pipeline.permanence_nodes import taking

        made = copy.copy(self)
        made.graph, made.original = taking(self.graph, names), self.original or self
        made._find_ways()
        return made

    def scope(self, outer: Scope | None) -> Scope:
        """Its own engine, cache and callbacks, and those of *outer* where it has none. Without
        *outer*, the scope of a run that starts here.
        """
        if outer is None:
            return self._own_scope.replaced(context=Context((self.name,)))
        changes: dict[str, Any] = {}
        if self.engine is not None and self.engine is not outer.engine:
            changes.update(engine=self.engine, level=None)
        if self.cache is not None:
            changes["cache"] = self.cache
        if self.callbacks is not None:
            path = outer.context.path
            changes["callbacks"] = callbacks_at(path, self.callbacks, outer.callbacks)
        return outer.replaced(**changes) if changes else outer

    @classmethod
    @public
    def from_toml(cls, path: str) -> Pipeline:
        """The pipeline in the TOML file *path*. Raises PipelineError with the place in the file."""
        from kohaku_ast.pipeline.toml_file import read_pipeline

        made = read_pipeline(path, cls)
        made.file = os.path.abspath(path)
        return made

    @public
    def to_toml(self) -> str:
        """The text of a TOML file that gives an equal pipeline, for functions with ``@process`` and
        scripts. Raises PipelineError for what has no text there.
        """
        from kohaku_ast.pipeline.toml_text import text_of

        return text_of(self)

    @public
    def as_node(
        self,
        input_mapping: Mapping[str, str] | None = None,
        output_mapping: Mapping[str, str] | None = None,
        map_over: str | Iterable[str] | Mapping[str, str] | None = None,
        map_mode: str = "zip",
        name: str | None = None,
        cache: bool = True,
        when: str | None = None,
    ) -> PipelineNode:
        """A node that runs this pipeline inside another.

        *input_mapping*: name outside -> name in this pipeline; *output_mapping*: name in this
        pipeline -> name outside, and the outputs that it does not name stay inside. *map_over*
        names inputs, as called outside, that hold many values: the pipeline runs for each of them,
        and its outputs are lists (``{"urls": "url"}`` renames, as in ``map``). *when*
        names what decides whether it runs ("flag", "not flag"). Raises PipelineError for names
        that it does not have.
        """
        options: Any = (map_over, map_mode, name, cache, when)
        return PipelineNode(self, input_mapping, output_mapping, *options)

    @public
    def explain_cache(
        self, inputs: Mapping[str, Any] | None = None, output_name: Names = None, **named: Any
    ) -> Any:
        """Report why each node would or would not run for these values. Runs nothing."""
        from kohaku_ast.pipeline.explain import explain_cache

        values = merged(inputs, named)
        plan = self.plan(values, output_name)
        return explain_cache(plan, self.filled(plan, values), self.cache)

    @public
    def explain(self, from_node: str | None = None, to_node: str | None = None) -> Explanation:
        """Describe every edge and why it is there, of all nodes or of those from *from_node* to
        *to_node*. Raises PipelineError for a node that it does not have.
        """
        from kohaku_ast.pipeline.drawing import explain_graph

        return explain_graph(self, from_node, to_node)

    @public
    def visualize(
        self,
        depth: int = 0,
        from_node: str | None = None,
        to_node: str | None = None,
        filename: str | os.PathLike[str] | None = None,
        orient: str = "TB",
    ) -> Drawing:
        """A drawing for a notebook, or to ``save("x.svg")``, which *filename* does at once. Nested
        pipelines are open down to *depth*; *orient* "LR" leads from left to right ("BT", "RL":
        back). With a LastRun or ProgressBar among the callbacks it shows states and times.
        """
        check_type(filename, (*PATHS, type(None)), "filename is a file's name")
        drawing = self._draw(depth, from_node, to_node, orient)
        if filename is not None:
            drawing.save(filename)
        return drawing

    def _draw(self, *how: Any) -> Drawing:
        from kohaku_ast.pipeline.drawing import draw

        return draw(self, *how)

    def cache_identity(self) -> tuple[Any, ...]:
        """Its nodes and bound values: the keys of a node that runs it depend on them."""
        return (*self.graph.nodes, *sorted(self.bound.items()))

    def __getstate__(self) -> dict[str, Any]:
        """The state for another process, without plans and the last error."""
        return {**self.__dict__, "_plans": {}, "last_error": None, "bound": dict(self.bound)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A mapping proxy cannot be pickled."""
        self.__dict__.update(state, bound=MappingProxyType(state["bound"]))

    def __repr__(self) -> str:
        shown = {name for node in self.nodes for name in shown_inputs(self.graph, node)}
        inputs, outputs = [one for one in self.inputs if one in shown], ", ".join(self.outputs)
        return f"<pipeline {self.name}({', '.join(inputs)}) -> {outputs}, {len(self.nodes)} nodes>"

    def _repr_html_(self) -> str:
        return self.visualize()._repr_html_()


def shown_name(pipeline: Pipeline) -> str:
    """``pipeline 'prep'``, for errors."""
    return f"pipeline {pipeline.name!r}"


def listed_nodes(nodes: Any) -> list[NodeLike]:
    """The nodes; a pipeline among them becomes a node. Raises PipelineError for other objects."""
    if isinstance(nodes, str) or not hasattr(nodes, "__iter__"):
        raise PipelineTypeError(f"nodes is {nodes!r}: give a list of nodes.")
    return [_as_node(one) for one in nodes]


def _as_node(one: Any) -> NodeLike:
    if callable(getattr(one, "as_node", None)):
        return one.as_node()  # type: ignore[no-any-return]
    if not is_node(one):
        marked = process_of(one)
        if marked is not None:
            return Node(marked.function, **marked.options)
        what = getattr(one, "__name__", None)
        hint = ': decorate it with @node(output_name="...").' if what else "."
        raise PipelineTypeError(f"{what or one!r} is no node{hint}")
    return one  # type: ignore[no-any-return]
