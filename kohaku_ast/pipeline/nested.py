"""A pipeline as a node of another one."""

from __future__ import annotations

from types import MappingProxyType

from kohaku_ast.errors import (
    PipelineError,
    check_named,
    check_type,
    did_you_mean,
)
from kohaku_ast.frames import contextmanager
from kohaku_ast.pipeline import edge_types
from kohaku_ast.pipeline.condition import is_skip, read_condition
from kohaku_ast.pipeline.execution import CURRENT, PipelineRun, clock
from kohaku_ast.pipeline.mapping import check_items, check_mode, make_rows, over_names
from kohaku_ast.pipeline.node_like import output_names
from kohaku_ast.pipeline.plan import ancestors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from kohaku_ast.pipeline.mapping import Rows
    from kohaku_ast.pipeline.scope import PipelineLike, Scope


class PipelineNode:
    """A node that runs a pipeline, made by ``Pipeline.as_node``. Only those of its nodes run whose
    outputs are needed.
    """

    #: The engine of the pipeline waits for its async nodes.
    is_async = False

    def __init__(
        self,
        pipeline: PipelineLike,
        input_mapping: Mapping[str, str] | None = None,
        output_mapping: Mapping[str, str] | None = None,
        map_over: str | Iterable[str] | Mapping[str, str] | None = None,
        map_mode: str = "zip",
        name: str | None = None,
        cache: bool = True,
        when: str | None = None,
        outputs: tuple[str, ...] | None = None,
        without: frozenset[str] = frozenset(),
        loose: frozenset[str] = frozenset(),
    ) -> None:
        check_type(name, (str, type(None)), "the name of a node is a text", PipelineError)
        for mapping in (input_mapping, output_mapping):
            check_named(mapping or {}, str, "a mapping is a dict of names to names", PipelineError)
        #: The pipeline that runs.
        self.pipeline = pipeline
        self.name = name or pipeline.name
        self.cache = cache
        #: What decides whether it runs; None: it always does.
        self.when = read_condition(when, f"pipeline {self.name!r}")
        self.bound: Mapping[str, Any] = MappingProxyType({})
        check_mode(map_mode)
        self.map_mode = map_mode
        over = over_names(map_over) if map_over is not None else {}
        #: The inputs, by their names outside, that hold a value for each run; empty without a map.
        self.map_over = tuple(over)
        #: Name outside -> name in the pipeline, of the inputs that are renamed.
        self.input_mapping = dict(input_mapping or {})
        self.input_mapping.update((old, new) for old, new in over.items() if old != new)
        #: Name in the pipeline -> name outside, of the outputs that it shows; empty: all of them.
        self.output_mapping = dict(output_mapping or {})
        self._without = without
        self._unnamed = loose
        self._read_names(outputs)
        self._read_inputs()

    def _read_names(self, outputs: tuple[str, ...] | None) -> None:
        graph, who = self.pipeline.graph, f"pipeline {self.name!r}"
        check_known(self.input_mapping.values(), [*graph.inputs, *graph.outputs], "input", who)
        check_known(self.output_mapping, graph.outputs, "output", who)
        mapped = self.input_mapping.values()
        self._replaced = [one for one in graph.outputs if one in mapped]
        known = [*graph.inputs, *self._replaced]
        #: Name of an input in the pipeline -> outside.
        self._outer = outer_inputs(known, self.input_mapping, who)
        check_known(self.map_over, self._outer.values(), "input", who)
        #: Name of an output outside -> in the pipeline.
        shown = [one for one in graph.outputs if one in self.output_mapping] or graph.outputs
        self._inner = outer_outputs(shown, self.output_mapping, who)
        self.outputs: tuple[str, ...] = tuple(self._inner) if outputs is None else outputs
        self._wanted = tuple([self._inner[one] for one in self.outputs])
        #: Those that nobody has named: the caller of the run wants whatever there is.
        self._loose = frozenset([self._inner[one] for one in self._unnamed])

    def _read_inputs(self) -> None:
        """Find the inputs of the nodes that are needed. One is optional if all its readers have a
        default.
        """
        graph, bound = self.pipeline.graph, self.pipeline.bound
        self._nodes, _ = ancestors(graph, frozenset([*self._replaced, *bound]), self._wanted)
        hidden = {one for one in bound if one not in self.input_mapping.values()}
        hidden.difference_update(self.map_over)
        names: dict[str, list[Any]] = {}
        for node in self._nodes:
            for one in node.inputs:
                if one in hidden:
                    continue
                if one in self._outer and self._outer[one] not in self._without:
                    names.setdefault(self._outer[one], []).append((node, one))
        self.inputs = tuple(dict.fromkeys([*names, *(self.when.reads if self.when else ())]))
        #: Those that no node inside takes.
        self._only_read = frozenset(self.inputs) - names.keys()
        self.defaults: Mapping[str, Any] = MappingProxyType(
            {
                outer: bound.get(inner, node.defaults.get(inner))
                for outer, [(node, inner), *_] in names.items()
                if inner in bound or all(one in node.defaults for node, one in names[outer])
            }
        )

    @property
    def is_quiet(self) -> bool:
        """Whether neither it nor a node in it has a condition, and nothing in it a cache or
        callbacks of its own.
        """
        return self.pipeline.is_quiet and self.when is None

    @property
    def may_skip(self) -> bool:
        """Whether a node in it has a condition."""
        return self.pipeline.may_skip

    @property
    def held(self) -> tuple[Any, ...]:
        """The permanences in it."""
        return self.pipeline.held

    @property
    def has_scripts(self) -> bool:
        """Whether a script runs in it."""
        return self.pipeline.has_scripts

    @property
    def where(self) -> str:
        """File and line of its first node, or of the body of an imperative pipeline."""
        nodes = self.pipeline.graph.nodes
        return nodes[0].where if nodes else "an empty pipeline"

    def narrowed(
        self, outputs: tuple[str, ...], loose: frozenset[str] = frozenset()
    ) -> PipelineNode:
        """A copy that gives *outputs* only: nodes that no output needs do not run. *loose*: those
        of them that no node reads and nobody has named.
        """
        if outputs == self.outputs and loose == self._unnamed:
            return self
        return PipelineNode(*self._arguments(outputs, loose=loose))

    @property
    def unlinked(self) -> frozenset[str]:
        """The inputs that only the caller fills: those of scripts inside that were not renamed."""
        readers, renamed = self.pipeline.graph.readers, self.input_mapping.values()
        unlinked = {node: getattr(node, "unlinked", ()) for node in self.pipeline.graph.nodes}
        return frozenset(
            [
                outer
                for inner, outer in self._outer.items()
                if inner in readers
                and inner not in renamed
                and all(inner in unlinked[node] for node in readers[inner])
            ]
        )

    def without(self, names: frozenset[str]) -> PipelineNode:
        """A copy that does not take *names*."""
        return PipelineNode(*self._arguments(self.outputs, names, self._unnamed))

    def of(self, pipeline: PipelineLike) -> PipelineNode:
        """An equal node that runs *pipeline*, a copy of its own."""
        return PipelineNode(pipeline, *self._arguments(self.outputs, loose=self._unnamed)[1:])

    def _arguments(
        self,
        outputs: tuple[str, ...],
        without: frozenset[str] = frozenset(),
        loose: frozenset[str] = frozenset(),
    ) -> Any:
        """The arguments for an equal node with these *outputs*."""
        return (
            self.pipeline,
            self.input_mapping,
            self.output_mapping,
            self.map_over or None,
            self.map_mode,
            self.name,
            self.cache,
            None if self.when is None else self.when.given,
            outputs,
            self._without | without,
            loose,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return PipelineNode, self._arguments(self.outputs, loose=self._unnamed)

    def run(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the outputs; with a map, a list for each."""
        current = CURRENT.get()
        return self.run_inside(values, None if current is None else current.scope)

    def run_inside(self, values: Mapping[str, Any], scope: Scope | None) -> tuple[Any, ...]:
        """The same; the engine, cache and callbacks are those of *scope* unless it has its own."""
        with self.opened(values, scope) as (run, rows):
            return self.gathered(run.run() if rows is None else run.map(rows))

    @contextmanager
    def opened(
        self, values: Mapping[str, Any], scope: Scope | None
    ) -> Iterator[tuple[PipelineRun, Rows | None]]:
        """The run for *values*, and its items if it maps. Reports its start and its end."""
        inner = {
            self.input_mapping.get(name, name): value
            for name, value in values.items()
            if name not in self._only_read
        }
        if scope is None:
            yield self._make_run(inner, None)
            return
        name, started = scope.called or self.name, clock()
        deeper = scope.replaced(context=scope.context.inside(name, 1), called="")
        deeper.notify("on_nested_start", name, self.pipeline.name)
        try:
            yield self._make_run(inner, deeper)
        finally:
            deeper.notify("on_nested_end", name, self.pipeline.name, clock() - started)

    def _make_run(
        self, inner: dict[str, Any], scope: Scope | None
    ) -> tuple[PipelineRun, Rows | None]:
        pipeline = self.pipeline
        if not self.map_over:
            plan = pipeline.plan(inner, self._wanted, self._loose)
            values = pipeline.filled(plan, inner)
            return PipelineRun(pipeline, plan, values, pipeline.scope(scope), is_inside=True), None
        over = [self.input_mapping.get(name, name) for name in self.map_over]
        present = [name for name in over if name in inner]
        rows = make_rows(inner, present, self.map_mode)
        plan = pipeline.plan(rows.names, self._wanted, self._loose)
        rows = rows.filled(pipeline.filled(plan, rows.fixed, rows.over))
        check_items(plan, rows)
        run = PipelineRun(pipeline, plan, rows.fixed, pipeline.scope(scope), is_inside=True)
        return run, rows

    def gathered(self, result: Any) -> tuple[Any, ...]:
        """The outputs of this node from *result*, which the run or the map returned: with a map
        lists, with None for an item in which the output was skipped.
        """
        if not self.map_over:
            return tuple([result[name] for name in self._wanted])
        if not self.may_skip:
            return tuple([[one[name] for one in result] for name in self._wanted])
        rows = [
            {name: None if is_skip(one) else one for name, one in row.items()} for row in result
        ]
        return tuple([[row[name] for row in rows] for name in self._wanted])

    def cache_identity(self) -> tuple[Any, ...]:
        """What the results depend on besides the inputs, for their keys in a cache."""
        names = tuple(sorted(self.input_mapping.items()))
        bound = sorted(self.pipeline.bound.items())
        when = () if self.when is None else (self.when.text,)
        return (self._nodes, names, self._wanted, self.map_over, self.map_mode, *bound, *when)

    def input_hint(self, name: str) -> Any:
        """The type of an input, or UNKNOWN if it holds a value for each run."""
        if name in self.map_over:
            return edge_types.UNKNOWN
        inner = self.input_mapping.get(name, name)
        for node in self.pipeline.graph.nodes:
            if inner in node.inputs and hasattr(node, "input_hint"):
                return node.input_hint(inner)
        return edge_types.UNKNOWN

    def output_hint(self, name: str) -> Any:
        """The type of an output."""
        if self.map_over:
            return list
        inner = self._inner[name]
        producer = self.pipeline.graph.producers[inner]
        return (
            producer.output_hint(inner) if hasattr(producer, "output_hint") else edge_types.UNKNOWN
        )

    def __repr__(self) -> str:
        return f"<node {self.name}({', '.join(self.inputs)}) -> {', '.join(self.outputs)}>"


def outer_inputs(inner: Iterable[str], mapping: Mapping[str, str], who: str) -> dict[str, str]:
    """Name in the pipeline -> name outside, of the inputs *inner*. *mapping*: name outside -> name
    in the pipeline. Raises PipelineError if two inputs would have one name.
    """
    outside: dict[str, str] = {}
    for outer, one in mapping.items():
        if one in outside:
            raise PipelineError(f"{who}: {outside[one]!r} and {outer!r} both go to {one!r}.")
        outside[one] = outer
    found = {one: outside.get(one, one) for one in inner}
    for outer, one in mapping.items():
        if outer in found and found[outer] == outer != one:
            raise PipelineError(
                f"{who}: {outer!r} goes to {one!r}, and is the name of another input. "
                f"Give that one another name too, as in {{..., 'other': {outer!r}}}."
            )
    return found


def outer_outputs(inner: Iterable[str], mapping: Mapping[str, str], who: str) -> dict[str, str]:
    """Name outside -> name in the pipeline, of the outputs *inner*. *mapping*: name in the pipeline
    -> name outside. Raises PipelineError if two outputs would have one name.
    """
    found: dict[str, str] = {}
    for one in inner:
        outer = mapping.get(one, one)
        if outer in found:
            raise PipelineError(
                f"{who}: two outputs are called {outer!r}: {found[outer]!r} and {one!r}."
            )
        found[outer] = one
    if found:
        output_names(list(found), who)
    return found


def check_known(names: Iterable[str], known: Iterable[str], what: str, who: str) -> None:
    """Raise PipelineError for a name of *names* that is not *known*."""
    known = list(known)
    for name in names:
        check_type(name, str, f"an {what} of {who} is named by a text", PipelineError)
        if name not in known:
            listed = f" It has: {', '.join(known)}." if known else " It has none."
            hint = did_you_mean(name, known) or listed
            raise PipelineError(f"{who} has no {what} {name!r}.{hint}")
