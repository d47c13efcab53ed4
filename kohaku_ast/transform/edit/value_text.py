"""``literal``: a value as Python source; and which expressions of a script mean the same
elsewhere.
"""

from __future__ import annotations

import ast
import builtins
import cmath
import math
import pathlib
from collections.abc import Callable

from kohaku_ast.transform.find.paths import is_setting
from kohaku_ast.transform.find.source import parse_text

# PosixPath last: a script that uses it does not run on Windows.
PATH_CLASSES = (
    "Path", "PurePosixPath", "PureWindowsPath", "PurePath", "PosixPath", "WindowsPath",
)  # fmt: skip

PathName = Callable[[pathlib.PurePath], str]
"""A path -> how the script writes its class (``Path``, ``pathlib.Path``), or ``""``."""

# Python's parser refuses 100 nested brackets, and the script may have some around the value.
_MOST_DEPTH = 80


class LiteralError(ValueError):
    """A value has no literal form; the message names its type."""


def unnamed(value: pathlib.PurePath) -> str:
    """The PathName of a script that has no pathlib."""
    return ""


def literal(value: object, path_name: PathName = unnamed, depth: int = 0) -> str:
    """The text of *value*; raises LiteralError if anything in it has none.

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
    # The name of an enum's member, read from a text value; only the script has its class.
    class_text = getattr(value, "class_text", "") if isinstance(value, str) else ""
    if class_text:
        return f"{class_text}.{value}"
    raise LiteralError(type_name(value))


def type_name(value: object) -> str:
    """The name of the type of *value*, with its module unless that is builtins or ``__main__``."""
    kind = type(value)
    shown = kind.__module__ in ("builtins", "__main__")
    return kind.__qualname__ if shown else f"{kind.__module__}.{kind.__qualname__}"


def in_encoding(text: str, encoding: str) -> str:
    """*text*, a literal, in characters that *encoding* has: ``"東京"`` in latin-1 as escapes."""
    try:
        if text.encode(encoding).decode(encoding) == text:
            return text
    except UnicodeError:
        pass
    # Characters outside ASCII stand only in the strings of a literal, and none of them is raw.
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _float(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value!r}")'


def _complex(value: complex) -> str:
    text = repr(value)
    # Python does not read all that it prints: (-0+1j) loses its sign, infj is a name.
    if cmath.isfinite(value) and repr(ast.literal_eval(text)) == text:
        return text
    return f"complex({_float(value.real)}, {_float(value.imag)})"


def _int(value: int) -> str:
    # Python neither prints nor reads decimals of more than 4,300 digits.
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
"""Writes an element of a container."""


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
    # The order of numbers is the same in every process; that of texts changes with the hash seed.
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


_IMPORTED = {
    "Path": "pathlib",
    "PurePath": "pathlib",
    "Decimal": "decimal",
    "Fraction": "fractions",
    "timedelta": "datetime",
}
_MUTABLE = (ast.List, ast.Dict, ast.Set)


def why_not_plain(value: ast.expr, known: set[str], imports: dict[str, str]) -> str:
    """The reason why *value* means nothing outside its script; empty if it means the same
    elsewhere.

    *known* are the globals of the script, *imports* what ``imports_of`` found.
    """
    if not is_setting(value):
        return _reason(value)
    names = [node for node in ast.walk(value) if isinstance(node, ast.Name)]
    for name in names:
        if name.id in imports:
            if isinstance(value, _MUTABLE):
                return "a container of objects"
        elif name.id in known or not hasattr(builtins, name.id):
            return f"read from {ast.unparse(value)}" if name.id == "os" else f"it reads {name.id!r}"
    return ""


def _reason(value: ast.expr) -> str:
    names = dict.fromkeys(node.id for node in ast.walk(value) if isinstance(node, ast.Name))
    return f"it reads {', '.join(map(repr, names))}" if names else "computed by the script"


def imports_of(tree: ast.Module) -> dict[str, str]:
    """Name -> import line, for the names that plain values may use (``Path``, ``pathlib``,
    ``Decimal``).
    """
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                if alias.asname is None and _IMPORTED.get(alias.name) == node.module:
                    found[alias.name] = f"from {node.module} import {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname is None and alias.name in _IMPORTED.values():
                    found[alias.name] = f"import {alias.name}"
    return found


def names_in(value: ast.expr) -> set[str]:
    """The names that *value* reads."""
    return {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}


def in_brackets(text: str) -> str:
    """*text*, an expression, in brackets if it needs them after ``=`` or as the item of a list."""
    whole = ast.dump(expression(f"({text}\n)"))
    try:
        right_side = expression(text)
        item = expression(f"[{text}]")
    except SyntaxError:
        return f"({text})"
    alone = isinstance(item, ast.List) and len(item.elts) == 1 and ast.dump(item.elts[0]) == whole
    return text if alone and ast.dump(right_side) == whole else f"({text})"


def expression(text: str) -> ast.expr:
    """The tree of *text*; raises SyntaxError."""
    statement = parse_text(f"x = {text}", "value").body[0]
    assert isinstance(statement, ast.Assign)
    return statement.value
