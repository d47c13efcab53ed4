"""A Plan as one generated Python function, a line for each node: a run costs what the calls cost.

The generated text has only names of ours; the user's names are in tables beside it. If a node
raises, the line number tells which one, and the locals of the frame hold the values so far: a run
that succeeds pays nothing for that.
"""

from __future__ import annotations

import threading

from kohaku_ast.pipeline.failure import FILENAME
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike

    #: A line of the text, and the node that it runs.
    Line = tuple[str, NodeLike | None]


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
        "_single",
        "_variables",
        "_wanted",
        "run",
    )

    #: Mapping of the given values -> the result of the Plan.
    run: Callable[[Any], Any]

    def __init__(
        self,
        nodes: tuple[NodeLike, ...],
        given: tuple[str, ...],
        wanted: tuple[str, ...],
        single: bool,
    ) -> None:
        """The arguments are those of Plan."""
        self._nodes = nodes
        self._given_names = given
        self._wanted = wanted
        self._single = single
        self._globals: dict[str, Any] = {"split": split}
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
        exec(compile(text, FILENAME, "exec", dont_inherit=True), self._globals)
        return self._globals.pop("run")

    def _variable(self, name: str) -> str:
        return self._variables.setdefault(name, f"v{len(self._variables)}")

    def _constant(self, value: object) -> str:
        name = f"c{len(self._globals)}"
        self._globals[name] = value
        return name

    def _given(self, names: Iterable[str]) -> list[Line]:
        return [(f" {self._variable(name)} = given[{name!r}]", None) for name in names]

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
            known.update(node.outputs)
        return lines

    def _statements(self, node: NodeLike, known: set[str]) -> list[str]:
        """The lines for *node*. A value that was given stays, even if its node runs for another of
        its outputs.
        """
        targets = ["_" if name in known else self._variable(name) for name in node.outputs]
        if not isinstance(node, Node):
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
