"""From the marker in rewritten text to constants in code.

``__kogine__["lr"]`` becomes the constant ``b"kogine:<n>"`` subscripted by a number; when a
Program is bound to values, ``transform/given.py`` puts an object in the place of that constant.
So nothing is added to the script's globals, locals or builtins, and no name is looked up.
"""

from __future__ import annotations

import ast

from kohaku_ast.transform.program import CAPTURE, INDEX, placeholder
from kohaku_ast.transform.sites import MARKER

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def lower(tree: ast.Module) -> list[tuple[str, int, bool]]:
    """Replace every marker in *tree*; returns target, line and whether it may
    run many times for site 0, 1, ...
    """
    lowering = _Lowering()
    lowering.visit_all(tree)
    return lowering.sites


class _Lowering:
    def __init__(self) -> None:
        self.sites: list[tuple[str, int, bool]] = []

    def visit_all(self, tree: ast.Module) -> None:
        """Go down with a stack of our own: expressions can be deeper than Python's."""
        waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
        while waiting:
            node, repeated = waiting.pop()
            inner = repeated or isinstance(node, SCOPES)
            for name, value in ast.iter_fields(node):
                items = value if isinstance(value, list) else [value]
                for position, item in enumerate(items):
                    new = self.replacement(item, inner)
                    if new is not item:
                        items[position] = new
                        if not isinstance(value, list):
                            setattr(node, name, new)
                    elif isinstance(item, ast.AST):
                        waiting.append((item, inner))

    def replacement(self, node: object, repeated: bool) -> object:
        if self.is_marker(node):
            return self.value(node, repeated)  # type: ignore[arg-type]
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and self.is_marker(node.func.value)
        ):
            return self.setter(node, node.func.value, repeated)  # type: ignore[arg-type]
        return node

    def is_marker(self, node: object) -> bool:
        return (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id == MARKER
            and isinstance(node.slice, ast.Constant)
        )

    def value(self, node: ast.Subscript, repeated: bool) -> ast.expr:
        number = self.add(node, repeated)
        found = _subscript(placeholder("value", number), ast.Constant(INDEX), node)
        # Code that may run again has to give a new list each time, as a display does.
        return _subscript(placeholder("fresh", number), found, node) if repeated else found

    def setter(self, node: ast.Call, marker: ast.Subscript, repeated: bool) -> ast.expr:
        """``marker.set(cfg)`` -> ``<finds the setter>[cfg](value)``, so that an error of the
        assignment itself is raised in the script's own frame.
        """
        value = self.value(marker, repeated)
        number = len(self.sites) - 1
        node.func = _subscript(placeholder("setter", number), node.args[0], node)
        node.args = [value]
        return node

    def add(self, node: ast.Subscript, repeated: bool) -> int:
        assert isinstance(node.slice, ast.Constant)
        self.sites.append((str(node.slice.value), node.lineno, repeated))
        return len(self.sites) - 1


def _subscript(constant: bytes, index: ast.expr, where: ast.expr) -> ast.Subscript:
    value = ast.copy_location(ast.Constant(constant), where)
    new = ast.Subscript(value, ast.copy_location(index, where), ast.Load())
    return ast.copy_location(new, where)


def lower_capture(tree: ast.Module, call: ast.Call) -> None:
    """Keep what the call of *tree* that stands where *call* does returns; if it makes a
    coroutine, what the call that runs it returns (``asyncio.run(main())``).
    """
    awaited = {node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}
    if isinstance(call.func, ast.Name) and call.func.id in awaited:
        call = _call_around(tree, call)
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                value[:] = [_captured(item, call) for item in value]
            elif isinstance(value, ast.AST):
                setattr(node, name, _captured(value, call))


def _call_around(tree: ast.Module, call: ast.Call) -> ast.Call:
    """The call that *call* is an argument of, else *call* itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _place(call) in map(_place, node.args):
            return node
    return call


def _captured(node: object, call: ast.Call) -> object:
    if not isinstance(node, ast.Call) or _place(node) != _place(call):
        return node
    constant = ast.copy_location(ast.Constant(CAPTURE), node)
    return ast.copy_location(ast.Subscript(constant, node, ast.Load()), node)


def _place(node: ast.expr) -> tuple[int, int, int | None, int | None]:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset
