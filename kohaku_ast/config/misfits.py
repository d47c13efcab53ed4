"""Whether a value fits the type of its parameter, and the messages for a text that does not.

Imported when a text is refused or a config is checked: never on the warm start path.
"""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Callable
from typing import TypeAlias

from kohaku_ast.config.cells import CellText, beyond, beyond_floats, native, split_at_commas
from kohaku_ast.value_types import Reading, core, describe

_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "number": (int, float),
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
    """Whether *value* is of the type *reading*.

    Also true where this cannot be decided before the script runs: for a member of an enum of the
    script, and for an array in place of a number.
    """
    kind = reading[0]
    if kind in ("optional", "inferred"):
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
    """Whether *value* converts itself to the type, as numpy's numbers do."""
    protocols = {"int": "__index__", "float": "__float__", "path": "__fspath__"}
    is_own = type(value).__module__ != "builtins"
    return is_own and kind in protocols and hasattr(type(value), protocols[kind])


TypeOf: TypeAlias = Callable[[str, Reading], "type | None"]
"""The type of what a text is for a reading; None if it is nothing."""


def two_meanings(text: str, reading: Reading, name: str, type_of: TypeOf) -> str:
    """The message for a *text* with a comma outside brackets and quotes."""
    textual = _takes_text(reading)
    if not textual and text.lstrip()[:1] in ("(", "[", "{"):
        return expected(text, reading)  # [1, 2 without its end: the comma is not the mistake
    brief = text if len(text) <= 60 else text[:60] + "..."
    ways = _ways(text, reading, name, type_of) if brief == text else []
    if textual:
        ways.append(f"`{_word(name, _quoted(brief))}` for one text")
    told = f": write {', '.join(ways)}" if ways else ""
    return f"expected one value ({describe(reading)}), got {brief!r} with a comma{told}"


_BRACKETS = {"list": "[]", "tuple": "()", "set": "{}", "frozenset": "{}"}


def _ways(text: str, reading: Reading, name: str, type_of: TypeOf) -> list[str]:
    """What to type for a run with each value in *text*, and for one value of all of them. Every way
    is accepted as it stands.
    """
    parts = [part for part in split_at_commas(text) if part]
    if not parts:
        return []
    kind = core(reading)[0]
    written = [part if type_of(part, ("any",)) is not str else _quoted(part) for part in parts]
    if kind in _BRACKETS:
        each = [_bracketed([part], kind) for part in written]
        return [
            f"`--sweep {_word(name, ','.join(each))}` for a run with each value",
            f"`{_word(name, _bracketed(written, kind))}` for one {kind}",
        ]
    whole = _bracketed(written, "tuple")
    as_is = "" if type_of(whole, reading) is tuple else "--as-is "
    ways = [f"`{as_is}{_word(name, whole)}` for a tuple"]
    if all(type_of(part, reading) for part in parts):
        ways.insert(0, f"`--sweep {_word(name, ','.join(parts))}` for a run with each value")
    return ways


def _word(name: str, text: str) -> str:
    """``name=text`` as it is typed in a shell."""
    return shlex.quote(f"{name}={text}")


def _quoted(text: str) -> str:
    """The text as a literal of Python, in quotes that need none inside those of a shell."""
    is_plain = text.isprintable() and not any(one in text for one in "\\\"'")
    return f'"{text}"' if is_plain else repr(text)


def _bracketed(parts: list[str], kind: str) -> str:
    left, right = tuple(_BRACKETS[kind])
    comma = "," if kind == "tuple" and len(parts) == 1 else ""
    return f"{left}{','.join(parts)}{comma}{right}"


def _takes_text(reading: Reading) -> bool:
    """Whether a value of *reading* may be a text with a comma."""
    if reading[0] in ("optional", "union"):
        return any(_takes_text(inner) for inner in reading[1:])
    if reading[0] in ("inferred", "call"):
        return _takes_text(reading[1])
    return reading[0] in ("str", "path", "literal", "any", "none")


def expected(cell: object, reading: Reading) -> str:
    """The message for a *cell* that is no value of *reading*."""
    near = _suggest(cell, reading) if isinstance(cell, str) else ""
    too_large = beyond_floats(cell)
    if too_large:
        near = f": {beyond(too_large)}"
    if core(reading)[0] == "class":
        near = ": text cannot make one. Give the object in a Python config"
    return f"expected {describe(reading)}, got {_shown(cell)}{near}"


def _shown(cell: object) -> str:
    if getattr(cell, "is_null", False):
        return "null (for that word as text, put it in quotes)"
    text = repr(native(cell)) if not isinstance(cell, str) else repr(str(cell)[:100])
    if isinstance(cell, str):
        return text if len(cell) <= 100 else f"{text}... ({len(cell)} characters)"
    return text if len(text) <= 100 else f"{text[:100]}..."


def _suggest(text: str, reading: Reading) -> str:
    kind = core(reading)[0]
    if kind in ("list", "tuple") and text[:1] not in ("", "(", "[", "{") and len(text) <= 100:
        written = text if type(native(CellText(text))) is not str else _quoted(text)
        return f". Did you mean {_bracketed([written], kind)}?"
    found = near_word(text, reading)
    return f". Did you mean {found!r}?" if found else ""


def near_word(text: str, reading: Reading) -> str:
    """The word that looks like *text*, of those that *reading* accepts; else empty."""
    names = {name.lower(): name for name in _names(reading)}
    if not names or len(text) > 100:
        return ""
    import difflib

    found = difflib.get_close_matches(text.lower(), names, n=1)
    return names[found[0]] if found else ""


def _names(reading: Reading) -> list[str]:
    """The words that *reading* accepts."""
    if reading[0] == "literal":
        return [str(choice) for choice in reading[1]]
    if reading[0] == "enum":
        return list(reading[2] or ())
    inner = reading[1:] if reading[0] in ("optional", "union") else ()
    return [name for each in inner for name in _names(each)]
