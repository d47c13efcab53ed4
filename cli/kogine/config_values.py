"""Values as short text, for people: equal for equal values, without addresses."""

from __future__ import annotations

from kohaku_ast.config.cells import is_cell, native
from kohaku_ast.display.text import short_repr


def shown(value: object) -> str:
    """*value* on one line: functions and classes by their name, a member of an enum as the script
    writes it.
    """
    class_text = getattr(value, "class_text", "") if isinstance(value, str) else ""
    if class_text:
        return f"{class_text}.{value}"
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str) and callable(value):
        return name
    return " ".join(short_repr(native(value) if is_cell(value) else value).split("\n"))
