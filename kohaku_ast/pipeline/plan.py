"""The Plan of a run: which nodes run for the given values and the wanted outputs, and the Python
function that is generated from it, a line for each node: a run costs what the calls cost.

The generated text has only names of ours; the user's names are in tables beside it. If a node
raises, the line number tells which one, and the locals of the frame hold the values so far: a run
that succeeds pays nothing for that.
"""

from __future__ import annotations

import threading

from kohaku_ast.errors import PipelineError, near
from kohaku_ast.pipeline.condition import may_skip
from kohaku_ast.pipeline.graph import shown
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import check_readers, split
from kohaku_ast.user_code import GENERATED_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from types import TracebackType
    from typing import Any

    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.node_like import NodeLike

    #: A line of the text, and the node that it runs.
    Line = tuple[str, NodeLike | None]


class Plan:
    """The nodes that run, in order. Frozen: the same for every run with the same names."""

    __slots__ = (
        "_generated",
        "given",
        "has_body",
        "has_nested",
        "is_async",
        "is_quiet",
        "keys",
        "loose",
        "may_skip",
        "names",
        "nodes",
        "opens",
        "shared",
        "single",
        "wanted",
    )

    def __init__(
        self,
        nodes: tuple[NodeLike, ...],
        given: tuple[str, ...],
        wanted: tuple[str, ...],
        single: bool = False,
        loose: frozenset[str] = frozenset(),
    ) -> None:
        #: The nodes that run, in order. A pipeline among them gives what is needed of it only.
        self.nodes = nodes
        #: The names whose values are given; some node reads each of them.
        self.given = given
        #: The wanted outputs; if the caller names none, every output of every node that runs.
        self.wanted = wanted
        #: Whether the caller wants one output by its name: the result is its value, not a dict.
        self.single = single
        #: Those of the wanted outputs that nobody has named: the caller wants whatever there is.
        self.loose = loose
        #: The names with more than one reader: their values can be no iterators.
        self.shared = _shared(nodes, [name for name in wanted if name not in loose])
        #: Whether a node is an ``async def``.
        self.is_async = any(node.is_async for node in nodes)
        #: Whether a node is a pipeline.
        self.has_nested = any(hasattr(node, "run_inside") for node in nodes)
        #: Whether its node is the body of an imperative pipeline.
        self.has_body = any(hasattr(node, "run_body") for node in nodes)
        #: The nodes that run, by name, as far as they are known before.
        self.names = () if self.has_body else tuple([node.name for node in nodes])
        #: Whether a node may need pools or an event loop, whatever the engine.
        self.opens = self.is_async or any(
            getattr(node, "opens", hasattr(node, "run_inside")) for node in nodes
        )
        #: Whether one of them, or of the nodes inside of them, may be skipped.
        self.may_skip = any(map(may_skip, nodes))
        #: Whether none of them has a condition, and no pipeline among them a cache or callbacks of
        #: its own.
        self.is_quiet = all(getattr(node, "is_quiet", True) for node in nodes)
        #: The PlanKeys of this plan, which ``cache_keys`` makes once.
        self.keys: object = None
        self._generated: GeneratedCode | None = None

    @property
    def generated(self) -> GeneratedCode:
        """The Plan as one generated function, made at its first use."""
        if self._generated is None:
            with MAKING:
                self._generated = self._generated or GeneratedCode(self)
        return self._generated

    def check_readers(self, name: str, value: Any) -> None:
        """Raise PipelineError if *value* of the shared *name* can be read only once."""
        check_readers(name, value, self.nodes, name in self.wanted and name not in self.loose)

    def result(self, values: Mapping[str, Any]) -> Any:
        """The wanted outputs out of *values*."""
        if self.single:
            return values[self.wanted[0]]
        return {name: values[name] for name in self.wanted}

    def __reduce__(self) -> tuple[Any, ...]:
        return Plan, (self.nodes, self.given, self.wanted, self.single, self.loose)


def _shared(nodes: tuple[NodeLike, ...], wanted: list[str]) -> frozenset[str]:
    seen, shared = set(wanted), set()
    for node in nodes:
        shared.update(seen.intersection(node.inputs))
        seen.update(node.inputs)
    return frozenset(shared)


def make_plan(
    graph: Graph,
    given: Collection[str],
    output_name: str | Collection[str] | None = None,
    loose: frozenset[str] = frozenset(),
    bound: Collection[str] = (),
) -> Plan:
    """The Plan that makes *output_name* (None: the outputs of all nodes that lead to a leaf) from
    values of the names *given*. Raises PipelineError, which lists all missing and unused inputs,
    or all wanted outputs that no node gives. *loose*: wanted outputs that nobody has named.
    *bound*: names with values that are used if nobody gives another one.
    """
    single = isinstance(output_name, str)
    wanted = (output_name,) if isinstance(output_name, str) else output_name
    wanted = None if wanted is None else tuple(wanted)
    unknown = [name for name in wanted or () if name not in graph.producers]
    if unknown:
        raise PipelineError("\n".join(_unknown_output(graph, name) for name in unknown))
    bound = [name for name in bound if name not in given]
    nodes, needed = ancestors(graph, frozenset([*given, *bound]), wanted, loose)
    unused = [name for name in given if name not in needed]
    given = [*given, *[name for name in bound if name in needed]]
    missing = _missing(nodes, given)
    if wanted == ():  # nothing runs, so no input could be used
        unused = [name for name in unused if name not in _names(graph)]
        given = ()
    if missing or unused:
        raise PipelineError(_message(graph, missing, unused, wanted))
    _check_doubled(nodes, given)
    if wanted is None:
        wanted = tuple([name for one in nodes for name in one.outputs])
        loose = frozenset(wanted)
    return Plan(nodes, tuple(given), wanted, single, loose)


def ancestors(
    graph: Graph,
    given: Collection[str],
    wanted: tuple[str, ...] | None,
    loose: frozenset[str] = frozenset(),
) -> tuple[tuple[NodeLike, ...], set[str]]:
    """The nodes to run, and every name that is read or wanted."""
    if wanted is None:
        needed = {name for node in graph.leaves for name in node.outputs}
    else:
        needed = set(wanted)
    nodes: list[NodeLike] = []
    read: set[str] = set()
    for node in reversed(graph.nodes):
        here = [name for name in node.outputs if name not in given]
        if needed.isdisjoint(here):
            continue
        if hasattr(node, "narrowed"):
            here = [name for name in here if wanted is None or name in needed]
            unread = [name for name in here if name not in read]
            free = unread if wanted is None else loose.intersection(unread)
            node = node.narrowed(tuple(here), frozenset(free))
        nodes.append(node)
        read.update(node.inputs)
        needed.update(node.inputs)
    return tuple(nodes[::-1]), needed


def _names(graph: Graph) -> set[str]:
    """All names that a caller may give values to."""
    return {*graph.inputs, *graph.outputs}


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


#: Acquired while code is generated: each Plan has one, even if several threads need it at once.
MAKING = threading.RLock()


class GeneratedCode:
    """The generated functions of one Plan."""

    __slots__ = (
        "_given_names",
        "_globals",
        "_lines",
        "_loops",
        "_nodes",
        "_shared",
        "_single",
        "_variables",
        "_wanted",
        "run",
    )

    #: Mapping of the given values -> the result of the Plan.
    run: Callable[[Any], Any]

    def __init__(self, plan: Plan) -> None:
        self._nodes = plan.nodes
        self._given_names = given = plan.given
        self._wanted = plan.wanted
        self._single = plan.single
        self._shared = plan.shared
        self._globals: dict[str, Any] = {"split": split, "check": plan.check_readers}
        self._variables: dict[str, str] = {}
        self._lines: list[NodeLike | None] = []
        self._loops: dict[tuple[str, ...], Callable[..., None]] = {}
        self.run = self._compiled(
            [
                ("def run(given):", None),
                *self._given(given),
                *self._body(" "),
                (f" return {self._result()}", None),
            ]
        )

    def loop(self, over: tuple[str, ...]) -> Callable[..., None]:
        """A function with three arguments: an iterator of rows (values if *over* is one name, else
        tuples), the mapping of the other values, and the function that takes each result.
        """
        found = self._loops.get(over)
        if found is None:
            with MAKING:
                found = self._loops.get(over) or self._make_loop(over)
        return found

    def _make_loop(self, over: tuple[str, ...]) -> Callable[..., None]:
        fixed = self._given([name for name in self._given_names if name not in over])
        row = ", ".join([self._variable(name) for name in over])
        self._loops[over] = self._compiled(
            [
                ("def run(rows, given, append):", None),
                *fixed,
                (f" for {row} in rows:", None),
                *self._checks(over, "  "),
                *self._body("  "),
                (f"  append({self._result()})", None),
            ]
        )
        return self._loops[over]

    def failed(self, traceback: TracebackType | None) -> tuple[NodeLike, dict[str, Any]] | None:
        """The node that raised, and the values by then; None if no node of this Plan raised."""
        while traceback and traceback.tb_frame.f_globals is not self._globals:
            traceback = traceback.tb_next
        node = self._lines[traceback.tb_lineno - 1] if traceback else None
        if node is None or traceback is None:
            return None
        found = traceback.tb_frame.f_locals
        return node, {name: found[self._variables[name]] for name in self._names_before(node)}

    def _names_before(self, failed: NodeLike) -> list[str]:
        """The names that have values when *failed* runs. The variables of later nodes may still
        have those of an earlier row.
        """
        known = list(self._given_names)
        for node in self._nodes:
            if node is failed:
                break
            known += [name for name in node.outputs if name not in known]
        return known

    def _compiled(self, lines: list[Line]) -> Any:
        """The function, its lines numbered after those of the functions before it."""
        text = "\n" * len(self._lines) + "\n".join([line for line, _ in lines])
        self._lines += [node for _, node in lines]
        exec(compile(text, GENERATED_FILE, "exec", dont_inherit=True), self._globals)
        return self._globals.pop("run")

    def _variable(self, name: str) -> str:
        return self._variables.setdefault(name, f"v{len(self._variables)}")

    def _constant(self, value: object) -> str:
        name = f"c{len(self._globals)}"
        self._globals[name] = value
        return name

    def _given(self, names: Collection[str]) -> list[Line]:
        values = [(f" {self._variable(name)} = given[{name!r}]", None) for name in names]
        return [*values, *self._checks(names, " ")]

    def _checks(self, names: Iterable[str], indent: str) -> list[Line]:
        """Lines that refuse an iterator with several readers. No node has raised if one does."""
        shared = [name for name in names if name in self._shared]
        return [(f"{indent}check({name!r}, {self._variable(name)})", None) for name in shared]

    def _result(self) -> str:
        wanted = self._wanted
        if self._single:
            return self._variable(wanted[0])
        return "{" + ", ".join([f"{name!r}: {self._variable(name)}" for name in wanted]) + "}"

    def _body(self, indent: str) -> list[Line]:
        known = set(self._given_names)
        lines: list[Line] = []
        for node in self._nodes:
            lines += [(indent + line, node) for line in self._statements(node, known)]
            lines += self._checks([name for name in node.outputs if name not in known], indent)
            known.update(node.outputs)
        return lines

    def _statements(self, node: NodeLike, known: set[str]) -> list[str]:
        """The lines for *node*. A value that was given stays, even if its node runs for another of
        its outputs.
        """
        targets = ["_" if name in known else self._variable(name) for name in node.outputs]
        if not isinstance(node, Node) or not node.is_direct:
            return [f"{', '.join(targets)}, = {self._run_call(node, known)}"]
        call = self._call(node, known)
        if len(targets) == 1:
            return [f"{targets[0]} = {call}"]
        own = self._constant(node)
        checked = f"r if r.__class__ is tuple and len(r) == {len(targets)} else split({own}, r)"
        return [f"r = {call}", f"{', '.join(targets)} = {checked}"]

    def _call(self, node: Node, known: set[str]) -> str:
        """The call of a function. Arguments go by position where possible, which is faster; the
        function fills in its own defaults.
        """
        parts, skipped = [], False
        for one in node.parameters:
            if one.name in node.bound:
                value = self._constant(node.bound[one.name])
            elif one.name in known:
                value = self._variable(one.name)
            elif one.kind == "positional":
                value = self._constant(one.default)
            else:
                skipped = True
                continue
            by_name = one.kind == "keyword" or (skipped and one.kind == "either")
            parts.append(f"{one.parameter}={value}" if by_name else value)
        return f"{self._constant(node.function)}({', '.join(parts)})"

    def _run_call(self, node: NodeLike, known: set[str]) -> str:
        values = [f"{name!r}: {self._variable(name)}" for name in node.inputs if name in known]
        return f"{self._constant(node.run)}({{{', '.join(values)}}})"
