"""The values that completion offers for a parameter: those that its type lists, and its default. A
command line and editors offer the same.

They are texts, as a command line has them; template.py writes them in other formats.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from kohaku_ast.config.text_values import TextValueError, parse_value
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.value_types import Reading

_PATH_NAMES = ("path", "dir", "file", "folder", "root")


class ListedValues(NamedTuple):
    """What is known about the values of one parameter."""

    #: The text that is read as the default; empty if there is none.
    default: str
    #: Texts of values, the default first.
    texts: tuple[str, ...]
    #: Whether *texts* are all possible values.
    is_choice: bool
    is_number: bool
    is_path: bool


def listed_values(parameter: Parameter) -> ListedValues:
    """The values of *parameter*."""
    reading = parameter.reading
    choices, default = _choices(reading), _default(parameter)
    texts = list(dict.fromkeys([default, *choices] if default else choices))
    kinds = _kinds(reading)
    return ListedValues(
        default=default,
        texts=tuple(text for text in texts if _parsed(text, reading)),
        is_choice=kinds <= {"bool", "literal", "enum", "none"} and bool(set(choices) - {"None"}),
        is_number=bool(kinds & {"int", "float"}),
        is_path="path" in kinds or ("str" in kinds and _is_path(parameter.target, default)),
    )


def _is_path(target: str, default: str) -> bool:
    """Whether the text is likely the path of a file."""
    return "/" in default or target.rstrip(")").lower().endswith(_PATH_NAMES)


def _kinds(reading: Reading) -> set[str]:
    """The kinds of values that fit; ``none`` is the kind of None."""
    if reading[0] == "optional":
        return {"none", *_kinds(reading[1])}
    if reading[0] == "union":
        return {kind for inner in reading[1:] for kind in _kinds(inner)}
    if reading[0] in ("inferred", "call"):
        return _kinds(reading[1])
    return {"int" if reading[0] == "number" else reading[0]}


def _choices(reading: Reading) -> list[str]:
    """The texts of the values that the type *reading* lists."""
    kind = reading[0]
    if kind == "bool":
        return ["True", "False"]
    if kind == "literal":
        return [str(value) for value in reading[1]]
    if kind == "enum":
        return list(reading[2] or ())
    if kind == "optional":
        return [*_choices(reading[1]), "None"]
    if kind == "inferred":
        return _choices(reading[1])
    return [text for inner in reading[1:] for text in _choices(inner)] if kind == "union" else []


def _default(parameter: Parameter) -> str:
    """The text that is read as the default; empty if it is no literal or there is none."""
    written = parameter.default
    try:
        value = ast.literal_eval(written)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ""
    texts = [value, repr(value)] if isinstance(value, str) else [written]
    fitting = [text for text in texts if _is_read_as(text, value, parameter.reading)]
    return fitting[0] if fitting and fitting[0].isprintable() and len(fitting[0]) < 200 else ""


def _is_read_as(text: str, value: object, reading: Reading) -> bool:
    return any(one == value and type(one) is type(value) for one in _parsed(text, reading))


def _parsed(text: str, reading: Reading) -> list[object]:
    """The value that *text* is read as; empty if it does not fit the type *reading*."""
    try:
        return [parse_value(text, reading)]
    except TextValueError:
        return []
