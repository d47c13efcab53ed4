"""Values in run.json: one of four forms, so that who reads it knows what came back whole.

``{"json": 0.1}``, of a number of numpy with its ``type``; ``{"path": "out"}``, a Path;
``{"python": "(1, 2)"}``, see ``value_text``;
``{"repr": "<Model>", "type": "net.Model"}``, which does not come back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kohaku_ast.store import of_numpy
from kohaku_ast.store.value_text import from_text, text_of

_WHOLE = frozenset(("json", "path", "python"))
_MOST_ITEMS = 10_000
_MOST_TEXT = 1_000_000
_MOST_REPR = 2_000
"""Characters of a ``repr`` that are kept."""


def written(value: Any) -> dict[str, object]:
    """*value* as it stands in run.json; never raises."""
    try:
        if type(value) is type(_PATH):
            return {"path": str(value)}
        form = _Form().of(value)
        if form == "json":
            return {"json": value}
        if form == "python":
            return _of_number(value) or {"python": text_of(value)}
        text = _shown(value)
    except Exception as error:
        text = f"<repr failed: {type(error).__name__}>"
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    return {"repr": text[:_MOST_REPR], "type": name}


def _of_number(value: Any) -> dict[str, object] | None:
    """One of numpy as a number of JSON, if that has such."""
    if not of_numpy.is_number(value) or _Form().of(value.item()) != "json":
        return None
    return {"json": value.item(), "type": f"numpy.{of_numpy.name_of(value)}"}


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
        kind = str(form.get("type", ""))
        return of_numpy.number(kind, form["json"]) if kind else form["json"]
    if "python" in form:
        return from_text(str(form["python"]))
    if "path" in form:
        return Path(form["path"])
    return str(form.get("repr", ""))


_PATH = Path()


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _shown(value: Any) -> str:
    """The start of what Python shows of it."""
    if type(value) in (list, tuple, str, bytes) and len(value) > _MOST_REPR:
        value = value[:_MOST_REPR]
    return repr(value)


class _Form:
    """Finds the plainest form that gives a value back; counts, for a huge one is no record."""

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
        if of_numpy.is_number(value):
            return "repr" if self.of(value.item(), depth) == "repr" else "python"
        return self._of_container(value, depth - 1)

    def _of_container(self, value: Any, depth: int) -> str:
        kind = type(value)
        if of_numpy.is_array(value):
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
