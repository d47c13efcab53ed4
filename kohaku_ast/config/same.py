"""Whether two values of two configs mean the same; never raises."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any

from kohaku_ast.config.cells import is_cell, native


def same(one: object, other: object) -> bool:
    """Equal and of one type; functions and classes that two files define alike are the same."""
    if one is other:
        return True
    if is_cell(one) or is_cell(other):
        return same(native(one), native(other)) if is_cell(one) != is_cell(other) else one == other
    if type(one) is not type(other):
        return False
    if isinstance(one, FunctionType) and isinstance(other, FunctionType):
        return _same_function(one, other)
    if isinstance(one, type) and isinstance(other, type):
        return one.__qualname__ == other.__qualname__ and _same_items(_body(one), _body(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and _same_items(one, other)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return _equal(one, other)


def _equal(one: object, other: object) -> bool:
    try:
        equal = one == other
        # An array answers with an array.
        return bool(equal.all()) if hasattr(equal, "all") else bool(equal)
    except Exception:
        return False  # it is the user's __eq__


def _same_function(one: FunctionType, other: FunctionType) -> bool:
    parts = ("__name__", "__defaults__", "__kwdefaults__")
    is_alike = all(same(getattr(one, part), getattr(other, part)) for part in parts)
    if not is_alike or not _same_code(one.__code__, other.__code__):
        return False
    cells = [[cell.cell_contents for cell in each.__closure__ or ()] for each in (one, other)]
    return same(*cells)


def _same_code(one: object, other: object) -> bool:
    """Whether the code does the same; where it stands does not count."""
    parts = ("co_code", "co_names", "co_varnames", "co_freevars")
    if any(getattr(one, part) != getattr(other, part) for part in parts):
        return False
    constants = [getattr(each, "co_consts", ()) for each in (one, other)]
    return len(constants[0]) == len(constants[1]) and all(
        _same_code(a, b) if hasattr(a, "co_code") and hasattr(b, "co_code") else same(a, b)
        for a, b in zip(*constants)
    )


_PLACES = ("__module__", "__dict__", "__weakref__", "__firstlineno__", "__annotate_func__")


def _body(owner: type) -> dict[str, object]:
    return {name: value for name, value in vars(owner).items() if name not in _PLACES}


def _same_items(one: Mapping[Any, object], other: Mapping[Any, object]) -> bool:
    return set(one) == set(other) and all(same(one[key], other[key]) for key in one)
