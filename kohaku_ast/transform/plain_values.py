"""Which values can be written into another file and mean the same there."""

from __future__ import annotations

import ast
import builtins

from kohaku_ast.transform.literals import is_setting
from kohaku_ast.transform.source import parse_text

_IMPORTED = {
    "Path": "pathlib",
    "PurePath": "pathlib",
    "Decimal": "decimal",
    "Fraction": "fractions",
    "timedelta": "datetime",
}
_MUTABLE = (ast.List, ast.Dict, ast.Set)


def why_not_plain(value: ast.expr, known: set[str], imports: dict[str, str]) -> str:
    """Why *value* says nothing outside its script; empty if it is plain there as here.

    *known* are the globals of the script, *imports* what ``imports_of`` found.
    """
    if not is_setting(value):
        return _reason(value)
    names = [node for node in ast.walk(value) if isinstance(node, ast.Name)]
    for name in names:
        if name.id in imports:
            if isinstance(value, _MUTABLE):
                return "a container of objects"
        elif name.id in known or not hasattr(builtins, name.id):
            return f"read from {ast.unparse(value)}" if name.id == "os" else f"it reads {name.id!r}"
    return ""


def _reason(value: ast.expr) -> str:
    names = dict.fromkeys(node.id for node in ast.walk(value) if isinstance(node, ast.Name))
    return f"it reads {', '.join(map(repr, names))}" if names else "computed by the script"


def imports_of(tree: ast.Module) -> dict[str, str]:
    """Name -> import line, of what plain values may use: ``Path``, ``pathlib``, ``Decimal``."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                if alias.asname is None and _IMPORTED.get(alias.name) == node.module:
                    found[alias.name] = f"from {node.module} import {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname is None and alias.name in _IMPORTED.values():
                    found[alias.name] = f"import {alias.name}"
    return found


def names_in(value: ast.expr) -> set[str]:
    """The names that *value* reads."""
    return {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}


def in_brackets(text: str) -> str:
    """*text*, an expression, so that it stays one behind ``=`` and between the items of a list."""
    whole = ast.dump(expression(f"({text}\n)"))
    try:
        behind = expression(text)
        item = expression(f"[{text}]")
    except SyntaxError:
        return f"({text})"
    alone = isinstance(item, ast.List) and len(item.elts) == 1 and ast.dump(item.elts[0]) == whole
    return text if alone and ast.dump(behind) == whole else f"({text})"


def expression(text: str) -> ast.expr:
    """The tree of *text*; raises SyntaxError."""
    statement = parse_text(f"x = {text}", "value").body[0]
    assert isinstance(statement, ast.Assign)
    return statement.value
