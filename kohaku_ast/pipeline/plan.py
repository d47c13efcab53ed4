"""The Plan of a run: which nodes run for the given values and the wanted outputs."""

from __future__ import annotations

from kohaku_ast.errors import PipelineError, near
from kohaku_ast.pipeline.codegen import MAKING, GeneratedCode
from kohaku_ast.pipeline.graph import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.node_like import NodeLike


class Plan:
    """The nodes that run, in order. Frozen: the same for every run with the same names."""

    __slots__ = (
        "_generated",
        "given",
        "has_nested",
        "is_async",
        "is_quiet",
        "keys",
        "nodes",
        "single",
        "wanted",
    )

    def __init__(
        self,
        nodes: tuple[NodeLike, ...],
        given: tuple[str, ...],
        wanted: tuple[str, ...],
        single: bool = False,
    ) -> None:
        #: The nodes that run, in order. A pipeline among them gives what is needed of it only.
        self.nodes = nodes
        #: The names whose values are given; some node reads each of them.
        self.given = given
        #: The wanted outputs; if the caller names none, every output of every node that runs.
        self.wanted = wanted
        #: Whether the caller wants one output by its name: the result is its value, not a dict.
        self.single = single
        #: Whether a node is an ``async def``.
        self.is_async = any(node.is_async for node in nodes)
        #: Whether a node is a pipeline.
        self.has_nested = any(hasattr(node, "run_inside") for node in nodes)
        #: Whether no pipeline among them has a cache or callbacks of its own.
        self.is_quiet = all(getattr(node, "is_quiet", True) for node in nodes)
        #: The PlanKeys of this plan, which ``cache_keys`` makes once.
        self.keys: object = None
        self._generated: GeneratedCode | None = None

    @property
    def generated(self) -> GeneratedCode:
        """The Plan as one generated function, made at its first use."""
        if self._generated is None:
            with MAKING:
                self._generated = self._generated or GeneratedCode(
                    self.nodes, self.given, self.wanted, self.single
                )
        return self._generated

    def result(self, values: Mapping[str, Any]) -> Any:
        """The wanted outputs out of *values*."""
        if self.single:
            return values[self.wanted[0]]
        return {name: values[name] for name in self.wanted}

    def __reduce__(self) -> tuple[Any, ...]:
        return Plan, (self.nodes, self.given, self.wanted, self.single)


def make_plan(
    graph: Graph, given: Collection[str], output_name: str | Collection[str] | None = None
) -> Plan:
    """The Plan that makes *output_name* (None: the outputs of all nodes that lead to a leaf) from
    values of the names *given*. Raises PipelineError, which lists all missing and unused inputs,
    or all wanted outputs that no node gives.
    """
    single = isinstance(output_name, str)
    wanted = (output_name,) if isinstance(output_name, str) else output_name
    wanted = None if wanted is None else tuple(wanted)
    unknown = [name for name in wanted or () if name not in graph.producers]
    if unknown:
        raise PipelineError("\n".join(_unknown_output(graph, name) for name in unknown))
    nodes, needed = ancestors(graph, frozenset(given), wanted)
    missing = _missing(nodes, given)
    unused = [name for name in given if name not in needed]
    if missing or unused:
        raise PipelineError(_message(graph, missing, unused, wanted))
    _check_doubled(nodes, given)
    wanted = (
        wanted if wanted is not None else tuple([name for one in nodes for name in one.outputs])
    )
    return Plan(nodes, tuple(given), wanted, single)


def ancestors(
    graph: Graph, given: Collection[str], wanted: tuple[str, ...] | None
) -> tuple[tuple[NodeLike, ...], set[str]]:
    """The nodes to run, and every name that is read or wanted."""
    if wanted is None:
        needed = {name for node in graph.leaves for name in node.outputs}
    else:
        needed = set(wanted)
    nodes: list[NodeLike] = []
    for node in reversed(graph.nodes):
        here = [name for name in node.outputs if name in needed and name not in given]
        if not here:
            continue
        if len(here) < len(node.outputs) and hasattr(node, "narrowed"):
            node = node.narrowed(tuple(here))
        nodes.append(node)
        needed.update(node.inputs)
    return tuple(nodes[::-1]), needed


def _missing(nodes: tuple[NodeLike, ...], given: Collection[str]) -> dict[str, NodeLike]:
    """Name without a value -> the first node that reads it."""
    known = set(given)
    missing: dict[str, NodeLike] = {}
    for node in nodes:
        for name in node.inputs:
            if name not in known and name not in node.defaults:
                missing.setdefault(name, node)
        known.update(node.outputs)
    return missing


def _check_doubled(nodes: tuple[NodeLike, ...], given: Collection[str]) -> None:
    """Raise PipelineError if two of the names *given* are one target of a script."""
    for node in nodes:
        found = node.doubled(given) if hasattr(node, "doubled") else None
        if found:
            raise PipelineError(
                f"{found[0]!r} and {found[1]!r} are the same in {shown(node)}. Give one of them.\n"
                "Nothing was run."
            )


def _unknown_output(graph: Graph, name: str) -> str:
    if name in graph.readers:
        return f"{name!r} is an input: no node gives it. There is: {', '.join(graph.outputs)}."
    return f"no node gives {name!r}.{_near(name, list(graph.outputs))}"


def _message(
    graph: Graph,
    missing: dict[str, NodeLike],
    unused: list[str],
    wanted: tuple[str, ...] | None,
) -> str:
    lines = [
        f"the input {name!r} is missing: {shown(node)} reads it." for name, node in missing.items()
    ]
    known = [*graph.inputs, *graph.outputs]
    bound = {name for node in graph.nodes for name in node.bound}
    for name in unused:
        if name in known or name in bound:
            lines.append(f"the input {name!r} would not be used: {_why(graph, name, wanted)}")
        else:
            hint = _near(name, [*missing, *known])
            lines.append(f"no node reads the input {name!r}.{hint}")
    return "\n".join(lines) + "\nNothing was run."


def _why(graph: Graph, name: str, wanted: tuple[str, ...] | None) -> str:
    readers = [node for node in graph.nodes if name in node.inputs]
    if not readers:
        bound = [node for node in graph.nodes if name in node.bound]
        return f"it is bound in {shown(bound[0])}." if bound else "nothing reads it."
    names = ", ".join(shown(node) for node in readers)
    what = "what is asked for" if wanted is not None else "what is given"
    return f"{names} reads it and does not run for {what}."


def _near(name: str, names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    found = near(str(name), names)  # a key of the user's inputs may be anything
    if found:
        return f" Did you mean {' or '.join(map(repr, found))}?"
    return f" There is: {', '.join(names)}." if 0 < len(names) <= 12 else ""
