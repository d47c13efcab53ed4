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
the default is None, which does not show the type; ``("any",)``: the type is unknown;
``("below",)``: the type of the value that stands there when the script runs; - ``("path",
"pathlib.Path")``: a path, and its class in full; - ``("optional", inner)``: None or *inner*; -
``("union", first, second, ...)``: any one of them; - ``("literal", (value, ...))``: one of these
values; - ``("enum", "Mode", ("FAST", "SLOW"))``: a member of a class of the script, as its name is
written there; None in place of the names if only the running script has them;

- ``("number",)``: an int, or a float where the text is no whole number; - ``("inferred", inner)``:
the default alone shows the type, and ``None`` fits too; - ``("call", inner, "np.array(", ")")``:
*inner* is the argument of the call that makes the default, and the value goes through it; -
``("date", "datetime")``: the parts of a date, time or datetime, as arguments of its class; -
``("made", "decimal.Decimal")``: an object of that class; - ``("class", "Foo")``: a class that text
cannot make, so that only literals fit.
"""


def core(reading: Reading) -> Reading:
    """*reading* without what says that None fits too."""
    while reading[0] in ("optional", "inferred"):
        reading = reading[1]
    return reading


def none_fits(word: str, reading: Reading) -> bool:
    """Whether the unquoted *word* (``None``, ``none`` or ``null``) is None for *reading*."""
    return reading[0] == "optional" or (reading[0] == "inferred" and word == "None")


def describe(reading: Reading) -> str:
    """*reading* in words, for a table or an error: ``int or None``, ``one of 'a', 'b'``."""
    kind = reading[0]
    if kind in ("none", "any", "below"):
        return "any value"
    if kind in ("inferred", "number"):
        return describe(reading[1]) if kind == "inferred" else "int"
    if kind == "call":
        return f"{describe(reading[1])} for {reading[2].partition('(')[0]}"
    if kind in ("date", "made", "class"):
        return _FORMS.get(reading[1], "") or str(reading[1])
    if kind == "optional":
        return f"{describe(reading[1])} or None"
    if kind == "union":
        return " or ".join([describe(inner) for inner in reading[1:]])
    if kind == "literal":
        return "one of " + ", ".join([repr(value) for value in reading[1]])
    if kind == "enum":
        return f"member of {reading[1]}" + (f" ({', '.join(reading[2])})" if reading[2] else "")
    return str(kind)


_FORMS = {
    "date": "a date (2020-12-31)", "time": "a time (23:59:59)",
    "datetime": "a date and time (2020-12-31T23:59:59)",
}  # fmt: skip
