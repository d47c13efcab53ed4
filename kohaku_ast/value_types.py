"""What a parameter's text is read as: the value that the transform finds and the config side obeys.

A Reading is stored in the program cache, so it is made of plain tuples that marshal can write.
On the warm start path: nothing is imported here when a program runs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias


Reading: TypeAlias = "tuple[Any, ...]"
"""A kind, then what the kind needs:

- ``("bool",) ("int",) ("float",) ("complex",) ("str",) ("bytes",)``: one value of that type;
- ``("list",) ("tuple",) ("dict",) ("set",) ("frozenset",)``: a literal of that type;
- ``("none",)``: the default is None and says nothing of the type; ``("any",)``: nothing is known;
- ``("path", "pathlib.Path")``: a path, and its class in full;
- ``("optional", inner)``: None or *inner*;
- ``("union", first, second, ...)``: any one of them;
- ``("literal", (value, ...))``: one of these values;
- ``("enum", "Mode", ("FAST", "SLOW"))``: a member of a class of the script, as its name is written
  there; None in place of the names if they cannot be known without running the script.
"""


def describe(reading: Reading) -> str:
    """The words for *reading* in a table or an error: ``int or None``, ``one of 'a', 'b'``."""
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
