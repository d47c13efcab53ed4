"""Labels of runs: the values that vary, in the words of a command line."""

from __future__ import annotations

from collections.abc import Iterable

from kohaku_ast.config.cells import CellText


def label_of(pairs: Iterable[tuple[str, object]], most: int = 80) -> str:
    """``lr=0.1 bs=32`` for these targets and values, cut at *most* characters."""
    label = " ".join(f"{target}={value_text(value)}" for target, value in pairs)
    return label if len(label) <= most else label[: most - 3] + "..."


def value_text(value: object) -> str:
    """*value* as short as it can be told from others; never raises, never more than one line."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (bool, int, float)) or value is None:
        return _one_line(value)
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str) and callable(value):
        return name
    return _one_line(value)


def _text(value: str) -> str:
    is_plain = value.isprintable() and not any(char in value for char in " '\"")
    if isinstance(value, CellText):
        return str(value) if value.isprintable() else repr(str(value))
    return value if value and is_plain else _one_line(value)


def _one_line(value: object) -> str:
    from kohaku_ast.display.text import short_repr

    return " ".join(short_repr(value).split("\n")) if not isinstance(value, str) else repr(value)
