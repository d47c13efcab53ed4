"""Values as JSON: as they are where JSON has them, else as short text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath

from kohaku_ast.display.text import short_repr

_MOST_ENTRIES = 1000
_MOST_TEXT = 20_000
_OWN = ("builtins", "collections")  # modules of classes whose length can be asked for without harm


def as_json(value: object, depth: int = 8) -> object:
    """None, bool, int, float, str, lists and dicts of them; of anything else its ``repr``, cut.

    NaN, infinities and integers of more than 64 bits are text; a tuple is a list, a scalar of numpy
    a number, a path text. What is nested deeper than *depth* or has more than 1,000 entries is cut
    text too. Never raises.
    """
    try:
        return _as_json(value, depth)
    except Exception:  # a script's own classes may do anything
        return f"<{type(value).__name__}>"


def _as_json(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else short_repr(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (str, PurePath)):
        text = str(value)
        return text if len(text) <= _MOST_TEXT else short_repr(text)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return as_json(value.item(), 0)  # type: ignore[attr-defined]
    return _nested(value, depth) if depth and type(value).__module__ in _OWN else short_repr(value)


def _nested(value: object, depth: int) -> object:
    if isinstance(value, Mapping) and len(value) <= _MOST_ENTRIES:
        if all(isinstance(name, str) for name in value):
            return {str(name): as_json(one, depth - 1) for name, one in value.items()}
    elif isinstance(value, (list, tuple)) and len(value) <= _MOST_ENTRIES:
        return [as_json(one, depth - 1) for one in value]
    return short_repr(value)
