"""Values as Python text, and back: literals in which ``inf``, ``nan``, ``Path("out")``,
``frozenset({1})`` and ``numpy.float64(0.1)`` stand for what they say. Nothing is executed.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from kohaku_ast.store import of_numpy

_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), dict: ("{", "}"),
}  # fmt: skip


def text_of(value: Any) -> str:
    """Of a value that ``values`` has found to have one."""
    kind = type(value)
    if kind is frozenset:
        return f"frozenset({text_of(list(value))})"
    if isinstance(value, Path):
        return f"Path({str(value)!r})"
    if of_numpy.is_number(value):
        return f"numpy.{of_numpy.name_of(value)}({text_of(value.item())})"
    if of_numpy.is_array(value):
        return f"numpy.array({text_of(value.tolist())}, {value.dtype.str!r})"
    return _of_items(value) if value and kind in _BRACKETS else repr(value)


def _of_items(value: Any) -> str:
    kind = type(value)
    items = [text_of(one) for one in value]
    if kind is dict:
        items = [f"{key}: {text_of(one)}" for key, one in zip(items, value.values())]
    opening, closing = _BRACKETS[kind]
    comma = "," if kind is tuple and len(items) == 1 else ""
    return f"{opening}{', '.join(items)}{comma}{closing}"


def from_text(text: str) -> object:
    """The value; raises ValueError or SyntaxError for other text."""
    found: object = ast.literal_eval(_Made().visit(ast.parse(text, mode="eval")))
    return found


class _Made(ast.NodeTransformer):
    """Puts in place of names and calls what they stand for."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in ("inf", "nan"):
            return ast.copy_location(ast.Constant(float(node.id)), node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not node.args:
            return node  # set()
        arguments = [ast.literal_eval(self.visit(one)) for one in node.args]
        return ast.copy_location(ast.Constant(_made(ast.unparse(node.func), arguments)), node)


def _made(name: str, arguments: list[Any]) -> Any:
    if name == "Path":
        return Path(*arguments)
    if name == "frozenset":
        return frozenset(*arguments)
    if name == "numpy.array":
        return of_numpy.array(*arguments)
    return of_numpy.number(name, *arguments)
