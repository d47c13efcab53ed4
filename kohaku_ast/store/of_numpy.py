"""Numbers and arrays of numpy, as records keep them; numpy is imported once a value needs it."""

from __future__ import annotations

import re
import sys
from typing import Any

_NAME = re.compile(r"numpy\.(bool_|str_|u?int\d+|float(16|32|64))")
_KINDS = "biufU"
_MOST_BYTES = 8
"""Of a number: a wider one is none of Python."""


def is_number(value: Any) -> bool:
    """Whether it is a number, truth value or text of numpy that Python has too."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic) and _is_plain(value.dtype)


def is_array(value: Any) -> bool:
    """Whether it is an array of such that a list and a dtype give back."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray or not _is_plain(value.dtype):
        return False
    return bool((value.size or value.ndim == 1) and not value.flags.fnc)


def name_of(value: Any) -> str:
    """``float64``; the names that all versions have."""
    names = {"b": "bool_", "U": "str_"}
    return str(names.get(value.dtype.kind, value.dtype.name))


def number(name: str, value: object) -> object:
    """``("numpy.float64", 0.5)`` as numpy's; raises ValueError for other names."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"no value of a record: {name}({value!r})")
    try:
        import numpy
    except ImportError:  # who only looks at records need not have it
        return value
    return getattr(numpy, name.partition(".")[2])(value)


def array(items: list[Any], dtype: str) -> object:
    """The array; raises ValueError or TypeError."""
    import numpy

    return numpy.array(items, dtype)


def _is_plain(dtype: Any) -> bool:
    return dtype.kind in _KINDS and (dtype.kind == "U" or dtype.itemsize <= _MOST_BYTES)
