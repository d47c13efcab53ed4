"""Values as JSON: as they are where JSON has them, else as short text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kohaku_ast.display.short import short_repr

_MOST_ENTRIES = 1000
_MOST_TEXT = 20_000


def as_json(value: object, depth: int = 8) -> object:
    """None, bool, int, float, str, lists and dicts of them; of anything else its ``repr``, cut.

    NaN and infinities are text, because JSON has none; a tuple is a list. What is nested deeper
    than *depth* or has more than 1,000 entries is cut text too. Never raises.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        assert isinstance(value, int)
        return value if abs(value) < 2**63 else _text(value)
    if kind is float:
        assert isinstance(value, float)
        return value if math.isfinite(value) else str(value)
    if kind is str:
        assert isinstance(value, str)
        return value if len(value) <= _MOST_TEXT else _text(value)
    return _nested(value, depth)


def _nested(value: object, depth: int) -> object:
    if depth and isinstance(value, (list, tuple, Mapping)) and _is_small(value):
        if isinstance(value, Mapping):
            if all(type(name) is str for name in value):
                return {name: as_json(one, depth - 1) for name, one in value.items()}
        else:
            return [as_json(one, depth - 1) for one in value]
    return _text(value)


def _is_small(value: Sequence[object] | Mapping[object, object]) -> bool:
    """Whether it is one of Python's own, whose length and entries can be asked for without harm."""
    return type(value).__module__ in ("builtins", "collections") and len(value) <= _MOST_ENTRIES


def _text(value: object) -> str:
    try:
        return short_repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
