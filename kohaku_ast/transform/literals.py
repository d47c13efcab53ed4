"""Which right sides are settings: literals, and what is built from literals only."""

from __future__ import annotations

import ast
from collections.abc import Collection

_BUILDERS = {
    "int", "float", "str", "bool", "bytes", "complex", "list", "tuple", "dict", "set",
    "frozenset", "range", "slice", "Path", "PurePath", "Decimal", "Fraction", "timedelta",
}  # fmt: skip


def is_setting(node: ast.expr, enums: Collection[str] = ()) -> bool:
    """Whether a person would tune *node*: it is made of literals only (``10 * 1024``,
    ``int(1e5)``, ``0.1 if FAST else 1``, ``os.environ.get("LR", 0.1)``, ``Path("x")``).
    """
    if isinstance(node, ast.Constant):
        return node.value is not Ellipsis
    if isinstance(node, ast.IfExp):
        return is_setting(node.body, enums) and is_setting(node.orelse, enums)
    if isinstance(node, ast.Call):
        return _is_builder(node) and all(is_setting(part, enums) for part in _arguments(node))
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id in enums
    if isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]
        return len(keys) == len(node.keys) and all(
            is_setting(part, enums) for part in [*keys, *node.values]
        )
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return all(is_setting(part, enums) for part in node.elts)
    return _is_operation(node, enums)


def _is_operation(node: ast.expr, enums: Collection[str]) -> bool:
    if isinstance(node, ast.UnaryOp):
        return is_setting(node.operand, enums)
    if isinstance(node, ast.BinOp):
        return is_setting(node.left, enums) and is_setting(node.right, enums)
    if isinstance(node, ast.BoolOp):
        return all(is_setting(value, enums) for value in node.values)
    if isinstance(node, ast.JoinedStr):
        return not any(isinstance(part, ast.Name) for part in ast.walk(node))
    if isinstance(node, ast.Subscript):
        return is_environment(node)
    return False


def _is_builder(node: ast.Call) -> bool:
    return called_name(node.func) in _BUILDERS or is_environment(node)


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def called_name(function: ast.expr) -> str:
    """The last name of what is called: ``Path`` for ``pathlib.Path``, else ``""``."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def dotted_name(node: ast.AST | None) -> str:
    """``np.random.seed`` of that expression, ``""`` of another."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def is_environment(node: ast.expr) -> bool:
    """``os.environ.get(...)``, ``os.getenv(...)`` or ``os.environ[...]``."""
    text = ast.unparse(node.func if isinstance(node, ast.Call) else node)
    return text.startswith(("os.environ.get", "os.getenv", "environ.get", "getenv", "os.environ["))
