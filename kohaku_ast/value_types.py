"""Reading: the type that a text value of a parameter is read as. The transform infers it, and the
configs read values by it.

A Reading is stored in the cache of Programs, so it is made of plain tuples that marshal can write.
On the warm path: it imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias


Reading: TypeAlias = "tuple[Any, ...]"
"""A kind, then what the kind needs:

- ``("bool",) ("int",) ("float",) ("complex",) ("str",) ("bytes",)``: one value of that type; -
``("list",) ("tuple",) ("dict",) ("set",) ("frozenset",)``: a literal of that type; - ``("none",)``:
the default is None, which does not show the type; ``("any",)``: the type is unknown; - ``("path",
"pathlib.Path")``: a path, and its class in full; - ``("optional", inner)``: None or *inner*; -
``("union", first, second, ...)``: any one of them; - ``("literal", (value, ...))``: one of these
values; - ``("enum", "Mode", ("FAST", "SLOW"))``: a member of a class of the script, as its name is
written there; None in place of the names if only the running script has them.
"""


def describe(reading: Reading) -> str:
    """*reading* in words, for a table or an error: ``int or None``, ``one of 'a', 'b'``."""
    kind = reading[0]
    if kind in ("none", "any"):
        return "any value"
    if kind == "optional":
        return f"{describe(reading[1])} or None"
    if kind == "union":
        return " or ".join([describe(inner) for inner in reading[1:]])
    if kind == "literal":
        return "one of " + ", ".join([repr(value) for value in reading[1]])
    if kind == "enum":
        return f"member of {reading[1]}" + (f" ({', '.join(reading[2])})" if reading[2] else "")
    return str(kind)
