"""Rule: ``lr: float = field(default=0.1)``: the value inside the field is replaced, so that
its help, its metadata and its factory stay.
"""

from __future__ import annotations

import ast

from kohaku_ast.transform.literals import called_name
from kohaku_ast.transform.sites import Site

_FIELDS = {"field", "Field", "ib", "attrib"}  # dataclasses and attrs; pydantic
_FIRST_IS_DEFAULT = {"Field", "Option", "Argument", "ib", "attrib"}  # pydantic; typer; attrs
_FACTORIES = {"default_factory", "factory"}


def is_field(value: ast.expr) -> bool:
    """Whether *value* describes a field instead of being its value."""
    return isinstance(value, ast.Call) and called_name(value.func) in _FIELDS | _FIRST_IS_DEFAULT


def field_default(call: ast.Call) -> tuple[ast.expr, bool] | None:
    """The expression that makes a field's value, and whether it is a factory."""
    for keyword in call.keywords:
        if keyword.arg in _FACTORIES:
            return keyword.value, True
        if keyword.arg == "default":
            return keyword.value, False
    if called_name(call.func) in _FIRST_IS_DEFAULT and call.args:
        return call.args[0], False
    return None


def field_site(call: ast.Call, line: int) -> Site:
    """Where the value of the field is written."""
    found = field_default(call)
    if found is None:
        return Site(call, "keyword", "{}", line, "default")
    value, is_factory = found
    return Site(value, "replace", "(lambda: {})" if is_factory else "{}", line)


def factory_result(value: ast.expr) -> ast.expr | None:
    """What a default factory returns, as far as the text tells: ``lambda: [1]``, ``list``."""
    if isinstance(value, ast.Lambda):
        return value.body
    empty: dict[str, ast.expr] = {
        "list": ast.List([], ast.Load()),
        "dict": ast.Dict([], []),
        "tuple": ast.Tuple([], ast.Load()),
    }
    return empty.get(called_name(value))
