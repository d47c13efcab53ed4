"""Cells into values: what a cell of a table or a data file means for a parameter."""

from __future__ import annotations

from kohaku_ast.config.cells import CellText, native
from kohaku_ast.config.text_values import (
    CONTAINERS,
    MISFITS,
    fit,
    in_order,
    make_path,
    parse_as_is,
)
from kohaku_ast.readings import Reading


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
