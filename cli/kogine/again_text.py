"""Values as text that a command line reads back."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import PurePath
from typing import TypeAlias

from kohaku_ast.config.cells import CellText, native
from kohaku_ast.config.text_values import find_commas

_LONGEST = 1000


Read: TypeAlias = Callable[[object], "str | None"]
"""Gives what most likely is read back as a value; None if nothing is."""


def text_of(value: object) -> str | None:
    """As it was written, if it was, and if it can be shown on a terminal."""
    is_written = isinstance(value, CellText) and value.isprintable()
    return str(value) if is_written else own_text_of(value)


def own_text_of(value: object) -> str | None:
    """As Python writes it, text without quotes where it needs none."""
    value = native(value)
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, str):
        text = value if _is_bare(value) else repr(value)
    elif value is None or type(value) in (bool, int, float):
        text = repr(value)
    else:
        text = repr(value) if _is_literal(value) else ""
    return text if text and len(text) <= _LONGEST else None


def is_sure(value: object, origin: str) -> bool:
    """Whether the text of *value* was given as such: it need not be tried."""
    return isinstance(value, CellText) and value.isprintable() and origin == "command line"


def _is_bare(text: str) -> bool:
    """Whether *text* is itself without quotes, for who expects text and for who expects nothing."""
    if not text.isprintable() or not text.strip() or find_commas(text) or text[0] in "'\"":
        return False
    return not _is_literal_text(text)


def _is_literal(value: object) -> bool:
    plain = (list, tuple, dict, set, frozenset, bytes, complex)
    return type(value) in plain and _is_literal_text(repr(value))


def _is_literal_text(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False
    return True
