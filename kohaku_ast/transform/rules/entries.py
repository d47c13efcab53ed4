"""Rule: entries of a literal: keys of a dict, items of a list, keywords of a call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kohaku_ast.transform.targets import Step

_CLOSED_CALLS = {"dict", "SimpleNamespace", "Namespace"}


def find_entries(
    value: ast.expr, path: tuple[Step, ...] = ()
) -> Iterator[tuple[tuple[Step, ...], ast.expr]]:
    """Every entry below *value* that has a name, with its path; containers before contents."""
    if isinstance(value, ast.IfExp):
        yield from find_entries(value.body, path)
        yield from find_entries(value.orelse, path)
    for step, inner in _parts(value):
        if isinstance(step, str):
            yield (*path, step), inner
        yield from find_entries(inner, (*path, step))


def descend(value: ast.expr, path: tuple[Step, ...]) -> list[ast.expr]:
    """The expressions that *path* leads to from *value*; empty if the text does not tell.

    Both arms of ``a if c else b`` count: either may be the one that is used.
    """
    if not path:
        return [value]
    if isinstance(value, ast.IfExp):
        return descend(value.body, path) + descend(value.orelse, path)
    if isinstance(value, (ast.Await, ast.NamedExpr)):
        return descend(value.value, path)
    parts = list(_parts(value))
    if isinstance(path[0], int) and path[0] < 0 and parts and isinstance(parts[-1][0], int):
        path = (path[0] + len(parts), *path[1:])
    found = [inner for step, inner in parts if step == path[0] and type(step) is type(path[0])]
    # Of two equal keys in a display the last one holds.
    return descend(found[-1], path[1:]) if found else []


def is_closed(value: ast.expr) -> bool:
    """Whether all that *value* holds can be read off the text, so that another name is a typo."""
    if isinstance(value, ast.Dict):
        return all(isinstance(key, ast.Constant) for key in value.keys)
    if isinstance(value, ast.Call):
        name = (
            value.func.attr
            if isinstance(value.func, ast.Attribute)
            else getattr(value.func, "id", "")
        )
        named = all(keyword.arg for keyword in value.keywords)
        return name in _CLOSED_CALLS and named and not value.args
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        return not any(isinstance(item, ast.Starred) for item in value.elts)
    return isinstance(value, (ast.Constant, ast.JoinedStr, ast.UnaryOp, ast.Compare, ast.Lambda))


def _parts(value: ast.expr) -> Iterator[tuple[Step, ast.expr]]:
    """What *value* holds, by key, keyword or index."""
    if isinstance(value, ast.Dict):
        for key, inner in zip(value.keys, value.values):
            step = key.value if isinstance(key, ast.Constant) else None
            if isinstance(step, (str, int)) and not isinstance(step, bool):
                yield step, inner
    elif isinstance(value, (ast.List, ast.Tuple)):
        for index, inner in enumerate(value.elts):
            if isinstance(inner, ast.Starred):
                return  # from here on indices are not known
            yield index, inner
    elif isinstance(value, ast.Call):
        # Model(width=64).to(device): the inner call's keywords, the outer's over them.
        if isinstance(value.func, ast.Attribute) and isinstance(value.func.value, ast.Call):
            yield from _parts(value.func.value)
        for keyword in value.keywords:
            if keyword.arg:
                yield keyword.arg, keyword.value
