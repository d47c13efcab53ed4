"""Values in run.json: one of four forms, so that who reads it knows what came back whole.

``{"json": 0.1}``; ``{"path": "out"}``, a Path;
``{"python": "(1, 2)"}``, a literal, with ``inf`` and ``nan`` as names;
``{"repr": "<Model>", "type": "net.Model"}``, which does not come back.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WHOLE = frozenset(("json", "path", "python"))
_MOST_ITEMS = 10_000
_MOST_TEXT = 1_000_000
_MOST_REPR = 2_000
"""Characters of a ``repr`` that are kept."""


def written(value: object) -> dict[str, object]:
    """*value* as it stands in run.json; never raises."""
    try:
        form = _Form().of(value)
        if form == "json":
            return {"json": value}
        if form == "python":
            return {"python": repr(value)}
        if isinstance(value, Path):
            return {"path": str(value)}
        text = repr(value)
    except Exception as error:
        text = f"<repr failed: {type(error).__name__}>"
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    return {"repr": text[:_MOST_REPR], "type": name}


def is_whole(form: object) -> bool:
    """Whether ``read`` gives the value itself."""
    return isinstance(form, Mapping) and not _WHOLE.isdisjoint(form)


def read(form: object) -> object:
    """The value that *form* stands for, or the text of its ``repr``.

    Raises ValueError for what is no form.
    """
    if not isinstance(form, Mapping):
        raise ValueError(f"no value of a record: {form!r}")
    if "json" in form:
        return form["json"]
    if "python" in form:
        return _evaluated(str(form["python"]))
    if "path" in form:
        return Path(form["path"])
    return str(form.get("repr", ""))


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


class _Form:
    """Finds the plainest form that gives a value back; counts, for a huge one is no record."""

    def __init__(self) -> None:
        self.items = self.text = 0

    def of(self, value: Any, depth: int = 30) -> str:
        kind = type(value)
        self.items += 1
        if self.items > _MOST_ITEMS or self.text > _MOST_TEXT or depth == 0:
            return "repr"
        if kind in (bool, type(None)):
            return "json"
        if kind is int:
            return "json" if value.bit_length() < 10_000 else "repr"
        if kind is float:
            return "json" if math.isfinite(value) else "python"
        if kind in (str, bytes):
            self.text += len(value)
            return "json" if kind is str else "python"
        return self._of_container(value, depth - 1)

    def _of_container(self, value: Any, depth: int) -> str:
        kind = type(value)
        if kind not in (list, tuple, set, dict):
            return "repr"
        inner = [*value, *value.values()] if kind is dict else value
        forms = {self.of(one, depth) for one in inner}
        if "repr" in forms:
            return "repr"
        is_json = kind is list or (kind is dict and all(type(key) is str for key in value))
        return "json" if is_json and "python" not in forms else "python"


class _Names(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in ("inf", "nan"):
            return ast.copy_location(ast.Constant(float(node.id)), node)
        return node


def _evaluated(text: str) -> object:
    tree = _Names().visit(ast.parse(text, mode="eval"))
    found: object = ast.literal_eval(tree)
    return found
