"""A value as Python source: text that evaluates back to an equal value of the same type."""

from __future__ import annotations

import ast
import cmath
import math
import pathlib
from collections.abc import Callable

# PosixPath only where the script names nothing better: it cannot be made on Windows.
PATH_CLASSES = (
    "Path", "PurePosixPath", "PureWindowsPath", "PurePath", "PosixPath", "WindowsPath",
)  # fmt: skip

PathName = Callable[[pathlib.PurePath], str]
"""A path -> how the script writes its class (``Path``, ``pathlib.Path``), or ``""``."""

# Python's parser gives up at 100 brackets in each other, and the script may have some around.
_MOST_DEPTH = 80


class LiteralError(ValueError):
    """A value has no literal form; the text says what it is."""


def unnamed(value: pathlib.PurePath) -> str:
    """The PathName of a script that has no pathlib."""
    return ""


def literal(value: object, path_name: PathName = unnamed, depth: int = 0) -> str:
    """The text of *value*; raises LiteralError if it holds anything that has none.

    Only exact types count: a subclass (numpy.float64, a namedtuple) would come back as another.
    """
    kind = type(value)
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if kind in _DISPLAYS:
        if depth == _MOST_DEPTH:
            raise LiteralError(f"{kind.__name__} nested more than {_MOST_DEPTH} deep")
        return _DISPLAYS[kind](value, lambda inner: literal(inner, path_name, depth + 1))
    if isinstance(value, pathlib.PurePath):
        return _path(value, path_name)
    # The name of an enum's member, as text values give it; its class is known to the script only.
    class_text = getattr(value, "class_text", "") if isinstance(value, str) else ""
    if class_text:
        return f"{class_text}.{value}"
    raise LiteralError(type_name(value))


def type_name(value: object) -> str:
    """The type of *value*, with its module where that says something."""
    kind = type(value)
    shown = kind.__module__ in ("builtins", "__main__")
    return kind.__qualname__ if shown else f"{kind.__module__}.{kind.__qualname__}"


def in_encoding(text: str, encoding: str) -> str:
    """*text*, a literal, as a file in *encoding* can hold it: ``"東京"`` as escapes in latin-1."""
    try:
        if text.encode(encoding).decode(encoding) == text:
            return text
    except UnicodeError:
        pass
    # Outside ASCII a literal has nothing but characters of its texts, and no raw texts.
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _float(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value!r}")'


def _complex(value: complex) -> str:
    text = repr(value)
    # What Python prints is not always what it reads: (-0+1j) loses its sign, infj is a name.
    if cmath.isfinite(value) and repr(ast.literal_eval(text)) == text:
        return text
    return f"complex({_float(value.real)}, {_float(value.imag)})"


def _int(value: int) -> str:
    # Python prints no decimals beyond 4,300 digits, and reads none.
    return repr(value) if value.bit_length() < 14_000 else hex(value)


_SCALARS: dict[type, Callable[..., str]] = {
    type(None): repr,
    bool: repr,
    int: _int,
    float: _float,
    complex: _complex,
    str: repr,
    bytes: repr,
    type(Ellipsis): lambda value: "...",
}

Write = Callable[[object], str]
"""What writes the elements of a container."""


def _list(value: list[object], write: Write) -> str:
    return f"[{', '.join(map(write, value))}]"


def _tuple(value: tuple[object, ...], write: Write) -> str:
    return f"({', '.join(map(write, value))}{',' * (len(value) == 1)})"


def _dict(value: dict[object, object], write: Write) -> str:
    return f"{{{', '.join(f'{write(key)}: {write(inner)}' for key, inner in value.items())}}}"


def _set(value: set[object] | frozenset[object], write: Write) -> str:
    if not value:
        return "set()"
    texts = [write(inner) for inner in value]
    # Numbers hash alike in every process, and their order shows; the order of texts is chance.
    is_stable = all(type(inner) in (bool, int, float, complex) for inner in value)
    return f"{{{', '.join(texts if is_stable else sorted(texts))}}}"


def _frozenset(value: frozenset[object], write: Write) -> str:
    return f"frozenset({_set(value, write) if value else ''})"


_DISPLAYS: dict[type, Callable[..., str]] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
}


def _path(value: pathlib.PurePath, path_name: PathName) -> str:
    name = path_name(value)
    if not name:
        raise LiteralError(f"{type_name(value)} where the script has not imported that class")
    return f"{name}({str(value)!r})"
