"""Cells into values, and whether an object given in Python is of a parameter's type."""

from __future__ import annotations

import pathlib

from kohaku_ast.config.cells import CellText, native
from kohaku_ast.config.text_values import (
    CONTAINERS,
    MISFITS,
    fit,
    in_order,
    make_path,
    parse_as_is,
)
from kohaku_ast.value_types import Reading


def fit_cell(cell: object, reading: Reading) -> object:
    """The value of *cell* for *reading*, else one of MISFITS without a message."""
    kind = reading[0]
    if kind in ("none", "any"):
        return _untyped(cell)
    if kind == "optional":
        return None if native(cell) is None else fit_cell(cell, reading[1])
    if kind == "union":
        return _of_union(cell, reading)
    if isinstance(cell, CellText):
        return _of_text(cell, reading)
    return _of_container(cell, reading)


def _untyped(cell: object) -> object:
    value = native(cell)
    # (1, 2) and 'x' are Python's, no words or numbers of a data file.
    return parse_as_is(value) if isinstance(value, str) and not _is_quoted(cell) else value


def _is_quoted(cell: object) -> bool:
    return isinstance(cell, CellText) and cell.is_quoted


def _of_union(cell: object, reading: Reading) -> object:
    for inner in in_order(reading, type(_untyped(cell)).__name__):
        try:
            return fit_cell(cell, inner)
        except MISFITS:
            continue
    raise ValueError


def _of_text(cell: CellText, reading: Reading) -> object:
    kind, text = reading[0], str(cell)
    if kind == "literal":
        return _choice(cell, reading)
    if cell.is_null:
        raise ValueError
    if cell.is_quoted and kind in ("str", "path"):
        return text if kind == "str" else make_path(text, reading)
    return fit(text, reading)


def _choice(cell: CellText, reading: Reading) -> object:
    if native(cell) is None and None in reading[1]:
        return None
    exact = [choice for choice in reading[1] if str(choice) == cell]
    exact.sort(key=lambda choice: isinstance(choice, str) != cell.is_quoted)
    return exact[0] if exact else fit(str(cell), reading)


def _of_container(cell: object, reading: Reading) -> object:
    made, accepted = CONTAINERS.get(reading[0], (list, ()))
    value = native(cell)
    if not isinstance(value, accepted):
        raise ValueError
    return made(value)


_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "complex": (complex, float, int),
    "str": (str,),
    "bytes": (bytes,),
    "list": (list,),
    "tuple": (tuple,),
    "dict": (dict,),
    "set": (set, frozenset),
    "frozenset": (frozenset, set),
    "path": (pathlib.PurePath,),
}


def fits(value: object, reading: Reading) -> bool:
    """Whether *value* is what *reading* describes. What cannot be known from here fits: a member
    of an enum of the script, an array where a number was.
    """
    kind = reading[0]
    if kind == "optional":
        return value is None or fits(value, reading[1])
    if kind == "union":
        return any(fits(value, inner) for inner in reading[1:])
    if kind == "literal":
        return any(type(value) is type(one) and value == one for one in reading[1])
    if kind == "enum":
        return value is not None and type(value) not in (str, int, float)
    if kind not in _TYPES:
        return True
    if isinstance(value, bool) and kind != "bool":
        return False
    return isinstance(value, _TYPES[kind]) or _stands_for(value, kind)


def _stands_for(value: object, kind: str) -> bool:
    """Numpy's numbers and whatever else turns itself into the type."""
    protocols = {"int": "__index__", "float": "__float__", "path": "__fspath__"}
    is_own = type(value).__module__ != "builtins"
    return is_own and kind in protocols and hasattr(type(value), protocols[kind])
