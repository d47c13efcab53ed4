"""The text of a document in an editor, whose positions are lines and UTF-16 units; and the parts of
a config in it.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from kohaku_ast.transform.find.source import Source


class Span(NamedTuple):
    """A part of a text, from one offset to another."""

    start: int
    end: int


NOWHERE = Span(0, 0)


class Position(NamedTuple):
    """A place in an editor: a line from 0, and a column in units of the client's encoding."""

    line: int
    column: int


class DocumentText:
    """The text of one document."""

    def __init__(self, text: str, unit: str = "utf-16") -> None:
        """*unit* is the encoding whose units the client counts: utf-8, utf-16 or utf-32."""
        self.text = text
        self.unit = unit

    @cached_property
    def source(self) -> Source:
        """The text with the starts of its lines, as Python and the protocol count them."""
        return Source("", self.text)

    def offset(self, position: Position) -> int:
        """The offset of *position*; of one behind the end of a line, the end of that line."""
        lines, starts = self.source.lines, self.source.line_starts
        if position.line >= len(lines):
            return len(self.text)
        line = lines[position.line]
        if self.unit == "utf-32" or line.isascii():
            return starts[position.line] + min(position.column, len(line))
        width = 0
        for index, character in enumerate(line):
            if width >= position.column:
                return starts[position.line] + index
            width += self._width(character)
        return starts[position.line] + len(line)

    def position(self, offset: int) -> Position:
        """The place in the editor of *offset*."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect.bisect_right(self.source.line_starts, offset) - 1
        before = self.text[self.source.line_starts[line] : offset]
        if self.unit == "utf-32" or before.isascii():
            return Position(line, len(before))
        return Position(line, sum(map(self._width, before)))

    def line_span(self, line: int) -> Span:
        """The text of *line*, from 1, without the blanks around it; of one that is not there, the
        nearest one.
        """
        index = max(0, min(line, len(self.source.lines)) - 1)
        text, start = self.source.lines[index], self.source.line_starts[index]
        indent = len(text) - len(text.lstrip())
        return Span(start + indent, start + max(indent, len(text.rstrip())))

    def _width(self, character: str) -> int:
        if self.unit == "utf-8":
            return len(character.encode("utf-8", "surrogatepass"))
        return 2 if ord(character) > 0xFFFF else 1


UNKNOWN = object()
"""The value of an expression that only the running config knows."""


@dataclass
class Part:
    """A key of a config with its value, as they stand in the text."""

    key: str
    key_span: Span
    value_span: Span
    #: A cell of a data file, a literal of Python, or UNKNOWN.
    value: object = UNKNOWN
    #: The parts of a mapping; those of a list have no key.
    inner: list[Part] = field(default_factory=list)
    #: Whether the key is a name of Python, which cannot have a dot.
    is_name: bool = False

    def find(self, key: str) -> Part | None:
        """The last part with the *key*."""
        return next((one for one in reversed(self.inner) if one.key == key), None)


@dataclass
class ConfigParts:
    """What the text of a config holds, as far as it can be read without running it."""

    #: Its keys: targets, and reserved names.
    parts: list[Part] = field(default_factory=list)
    #: Why it cannot be read, and where; empty if it can.
    error: str = ""
    error_span: Span = NOWHERE
    #: The names that the config itself reads: the script may lack them.
    read: frozenset[str] = frozenset()
    #: Whether only Hydra knows its targets.
    is_composed: bool = False
    #: The configs that it inherits from.
    bases: list[Part] = field(default_factory=list)

    def reserved(self, name: str) -> Part | None:
        """The value of a reserved name."""
        return next((one for one in reversed(self.parts) if one.key == name), None)


def format_of(path: str) -> str:
    """``py``, ``yaml``, ``toml`` or ``json`` by the ending of *path*; empty for another file."""
    ending = os.path.splitext(path)[1].lower()
    return {".py": "py", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}.get(
        ending, ""
    )


def walk(parts: list[Part]) -> Iterator[Part]:
    """Each of *parts*, and the parts in it."""
    for one in parts:
        yield one
        yield from walk(one.inner)
