"""Values as fields of run.json, and as Python text.

``{"json": 0.1}``, of a number of numpy with its ``type``; ``{"path": "out"}``, a Path;
``{"python": "(1, 2)"}``, see ``value_text``;
``{"repr": "<Model>", "type": "net.Model"}``, of which only the text is read back; of a function or
class ``{"repr": "cfg:warmup", "type": "function", "hash": "..."}``, equal for equal code.
"""

from __future__ import annotations

import ast
import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from kohaku_ast.config.cells import CellText, is_cell, native
from kohaku_ast.transform.program.bound_program import original

_WHOLE = frozenset(("json", "path", "python"))
TEXT = "text"
"""The key, beside the others, of a text that was to be read as the type of a parameter."""
_MOST_ITEMS = 10_000
_MOST_TEXT = 1_000_000
_MOST_REPR = 2_000
"""Characters of a ``repr`` in a record."""


def written(value: Any, show: Callable[[Any], str] | None = None) -> dict[str, object]:
    """*value*, or what a Pickled was made from, as a field of run.json; never raises. *show* gives
    the text of a value that cannot be read from any; without it, its ``repr`` does.
    """
    value = original(value)
    try:
        if type(value) is type(_PATH):
            return {"path": str(value)}
        form = _Form().of(value)
        if form == "json":
            return {"json": value}
        if form == "python":
            return _of_number(value) or {"python": text_of(value)}
        if isinstance(value, (FunctionType, type)):
            return _of_code(value)
        text = _ADDRESS.sub("", (show or _shown)(value))
    except Exception as error:
        text = f"<repr failed: {type(error).__name__}>"
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    return {"repr": text[:_MOST_REPR], "type": name}


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def _of_code(value: Any) -> dict[str, object]:
    from kohaku_ast.store.identity import UnstableError, fingerprint

    name = f"{value.__module__}:{value.__qualname__}"
    form: dict[str, object] = {"repr": name, "type": type(value).__qualname__}
    try:
        return {**form, "hash": fingerprint(value).hex()}
    except UnstableError:
        return form


def _of_number(value: Any) -> dict[str, object] | None:
    """A scalar of numpy as a number of JSON; None if JSON has no such number."""
    if not is_number(value) or _Form().of(value.item()) != "json":
        return None
    return {"json": value.item(), "type": f"numpy.{name_of(value)}"}


def form_of_text(value: Any) -> dict[str, object]:
    """The text or cell *value* of an override whose type nobody knows yet: what it looks like, and
    the text itself.
    """
    cell = value if is_cell(value) else CellText(str(value))
    return written(native(cell)) | ({TEXT: str(cell)} if isinstance(cell, CellText) else {})


def is_whole(form: object) -> bool:
    """Whether ``read`` returns the value itself, not its text."""
    return isinstance(form, Mapping) and not _WHOLE.isdisjoint(form)


def read(form: object) -> object:
    """The value of a field, or the text of its ``repr``.

    Raises ValueError if *form* is no field of a value.
    """
    if not isinstance(form, Mapping):
        raise ValueError(f"no value of a record: {form!r}")
    if "json" in form:
        kind = str(form.get("type", ""))
        return number(kind, form["json"]) if kind else form["json"]
    if "python" in form:
        return from_text(str(form["python"]))
    if "path" in form:
        return Path(form["path"])
    return str(form.get("repr", ""))


def form_text(form: Mapping[str, Any]) -> str:
    """The value of a field as Python writes it, or its ``repr``; of numpy with the type."""
    if "python" in form:
        return str(form["python"])
    if "path" in form:
        return f"Path({form['path']!r})"
    if "repr" in form:
        return str(form["repr"])
    kind, value = form.get("type"), form.get("json")
    return f"{kind}({value!r})" if kind else repr(value)


_PATH = Path()


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _shown(value: Any) -> str:
    """The start of its ``repr``."""
    if type(value) in (list, tuple, str, bytes) and len(value) > _MOST_REPR:
        value = value[:_MOST_REPR]
    return repr(value)


def brief(value: Any) -> str:
    """Kind and size of *value* in a few words, without a call of code of its class."""
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    if kind in (list, tuple, set, frozenset, dict, str, bytes):
        return f"<{name} of {len(value)}>"
    if kind.__module__.partition(".")[0] in _ARRAYS:
        shape = getattr(value, "shape", None)
        return f"<{name} {tuple(shape)}>" if isinstance(shape, tuple) else f"<{name}>"
    return f"<{name}>"


_ARRAYS = ("numpy", "torch", "jaxlib", "jax", "pandas", "polars", "tensorflow")
"""Packages whose ``shape`` is known without a computation."""


class _Form:
    """Finds the simplest form from which a value can be read; ``repr`` for a huge one."""

    def __init__(self) -> None:
        self.items = self.text = 0

    def of(self, value: Any, depth: int = 30) -> str:
        kind = type(value)
        self.items += 1
        if self.items > _MOST_ITEMS or depth == 0:
            return "repr"
        if kind in (bool, type(None)):
            return "json"
        if kind is int:
            return "json" if value.bit_length() < 10_000 else "repr"
        if kind is float:
            return "json" if math.isfinite(value) else "python"
        if kind in (str, bytes):
            self.text += len(value)
            return "repr" if self.text > _MOST_TEXT else "json" if kind is str else "python"
        if kind is type(_PATH):
            return "python"
        if is_number(value):
            return "repr" if self.of(value.item(), depth) == "repr" else "python"
        return self._of_container(value, depth - 1)

    def _of_container(self, value: Any, depth: int) -> str:
        kind = type(value)
        if is_array(value):
            self.items += value.size
            return "python" if self.items <= _MOST_ITEMS else "repr"
        if kind not in (list, tuple, set, frozenset, dict):
            return "repr"
        forms = set()
        for one in [*value, *value.values()] if kind is dict else value:
            forms.add(self.of(one, depth))
            if "repr" in forms:
                return "repr"
        is_json = kind is list or (kind is dict and all(type(key) is str for key in value))
        return "json" if is_json and "python" not in forms else "python"


_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), dict: ("{", "}"),
}  # fmt: skip


def text_of(value: Any) -> str:
    """The Python text of a value whose form is ``python`` or ``json``."""
    kind = type(value)
    if kind is frozenset:
        return f"frozenset({text_of(list(value))})"
    if isinstance(value, Path):
        return f"Path({str(value)!r})"
    if is_number(value):
        return f"numpy.{name_of(value)}({text_of(value.item())})"
    if is_array(value):
        return f"numpy.array({text_of(value.tolist())}, {value.dtype.str!r})"
    return _of_items(value) if value and kind in _BRACKETS else repr(value)


def _of_items(value: Any) -> str:
    kind = type(value)
    items = [text_of(one) for one in value]
    if kind is dict:
        items = [f"{key}: {text_of(one)}" for key, one in zip(items, value.values())]
    opening, closing = _BRACKETS[kind]
    comma = "," if kind is tuple and len(items) == 1 else ""
    return f"{opening}{', '.join(items)}{comma}{closing}"


def from_text(text: str) -> object:
    """The value of a text of ``text_of``. Raises ValueError or SyntaxError for other text."""
    found: object = ast.literal_eval(_Evaluator().visit(ast.parse(text, mode="eval")))
    return found


class _Evaluator(ast.NodeTransformer):
    """Replaces names and calls with their values."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in ("inf", "nan"):
            return ast.copy_location(ast.Constant(float(node.id)), node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not node.args:
            return node  # set()
        arguments = [ast.literal_eval(self.visit(one)) for one in node.args]
        return ast.copy_location(ast.Constant(_construct(ast.unparse(node.func), arguments)), node)


def _construct(name: str, arguments: list[Any]) -> Any:
    if name == "Path":
        return Path(*arguments)
    if name == "frozenset":
        return frozenset(*arguments)
    if name == "numpy.array":
        return array(*arguments)
    return number(name, *arguments)


_NAME = re.compile(r"numpy\.(bool_|str_|u?int\d+|float(16|32|64))")
_KINDS = "biufU"
_MOST_BYTES = 8
"""Of a number: Python has no wider ones."""


def is_number(value: Any) -> bool:
    """Whether it is a number, truth value or text of numpy with an equal Python value."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic) and _is_plain(value.dtype)


def is_array(value: Any) -> bool:
    """Whether it is an array of these that a list and a dtype restore."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray or not _is_plain(value.dtype):
        return False
    return bool((value.size or value.ndim == 1) and not value.flags.fnc)


def name_of(value: Any) -> str:
    """``float64``: a name that all versions of numpy have."""
    names = {"b": "bool_", "U": "str_"}
    return str(names.get(value.dtype.kind, value.dtype.name))


def number(name: str, value: object) -> object:
    """``("numpy.float64", 0.5)`` as a scalar of numpy. Raises ValueError for other names."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"no value of a record: {name}({value!r})")
    try:
        import numpy
    except ImportError:  # records can be read without numpy
        return value
    return getattr(numpy, name.partition(".")[2])(value)


def array(items: list[Any], dtype: str) -> object:
    """The array of *items*. Raises ValueError or TypeError."""
    import numpy

    return numpy.array(items, dtype)


def _is_plain(dtype: Any) -> bool:
    return dtype.kind in _KINDS and (dtype.kind == "U" or dtype.itemsize <= _MOST_BYTES)


_LONGEST = 80


def in_words(form: Mapping[str, object]) -> str:
    """The value of *form* in at most 80 characters."""
    text = repr(read(form)) if is_whole(form) else str(form["repr"])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
