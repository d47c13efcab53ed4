"""Edits of a text by position."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from kohaku_ast.transform.source import Source


@dataclass(frozen=True)
class TextEdit:
    """Another text for a part of a file."""

    start: int
    end: int
    text: str


def edited(source: Source, edits: Sequence[TextEdit]) -> str:
    """The text of *source* with *edits* made; one that lies inside another is left out."""
    parts, place = [], 0
    for edit in sorted(edits, key=lambda one: (one.start, -one.end)):
        if edit.start < place:
            continue
        parts += [source.text[place : edit.start], edit.text]
        place = edit.end
    return "".join([*parts, source.text[place:]])


def whole_lines(source: Source, node: ast.stmt) -> tuple[int, int]:
    """Start and end of the lines of *node*, decorators and the last line's end included."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    last = node.end_lineno or node.lineno
    starts = [*source.line_starts, len(source.text)]
    return starts[first - 1], starts[last] if last < len(starts) else len(source.text)
