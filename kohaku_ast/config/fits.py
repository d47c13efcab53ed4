"""Whether an object given in Python is of the type that a parameter had so far."""

from __future__ import annotations

import pathlib

from kohaku_ast.readings import Reading

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
