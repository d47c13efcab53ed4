"""The parts of a YAML, TOML or JSON config: its cells, each with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kohaku_ast.config.cells import Cell, CellList, CellMap
from kohaku_ast.config.data_file import cells_of, is_composed
from kohaku_ast.errors import ConfigError
from kohaku_ast.lsp.document_text import ConfigParts, DocumentText, Part, Span, format_of
from kohaku_ast.lsp.flow_scan import FlowScan, unquoted

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node  # type: ignore[import-untyped]

_STEP = re.compile(r'"(?:\\.|[^"\\])*"?|\'[^\']*\'?|[^.\s"\']+')
"""A part of a dotted key of TOML."""


def read_data(text: str, path: str) -> ConfigParts:
    """The parts of the data file *path* with the content *text*."""
    try:
        top = cells_of(text, path).top
    except ConfigError as error:
        return _unreadable(error, text, path)
    except RecursionError:
        return ConfigParts(error="nested too deep")
    if top is None:
        return ConfigParts()
    if not isinstance(top, CellMap):
        return ConfigParts(error="a config is a mapping of targets to values")
    form = format_of(path)
    parts = {"yaml": _yaml_parts, "toml": _toml_parts, "json": _json_parts}[form](text)
    for one in parts:
        _fill(one, top.get(one.key))
    bases = [base for one in parts if one.key == "_base" for base in one.inner or [one]]
    return ConfigParts(parts, is_composed=is_composed(path, top), bases=bases)


def _unreadable(error: ConfigError, text: str, path: str) -> ConfigParts:
    line = error.line
    message = str(error).removeprefix(f"{path}:{line}: ").removeprefix(f"{path}: ")
    return ConfigParts(error=message, error_span=DocumentText(text).line_span(line or 1))


def _fill(part: Part, cell: Cell | None) -> None:
    """Give *part* and the parts in it their cells."""
    if cell is None:
        return
    part.value = cell
    if isinstance(cell, CellMap):
        for one in part.inner:
            _fill(one, cell.get(one.key))
    elif isinstance(cell, CellList) and len(cell) == len(part.inner):
        for one, item in zip(part.inner, cell):
            _fill(one, item)


# --- JSON and TOML -------------------------------------------------------------------------------


def _json_parts(text: str) -> list[Part]:
    top = FlowScan(text, "json").frames[0]
    top.end_item()
    return _unquote(top.parts[0].inner) if top.parts else []


def _unquote(parts: list[Part]) -> list[Part]:
    for one in parts:
        one.key = unquoted(one.key)
        _unquote(one.inner)
    return parts


def toml_steps(key: str, start: int) -> list[tuple[str, Span]]:
    """The parts of a dotted *key* that begins at *start*, with their places."""
    return [
        (unquoted(found[0]), Span(start + found.start(), start + found.end()))
        for found in _STEP.finditer(key)
    ]


def is_header(part: Part, text: str) -> bool:
    """Whether *part*, at the top of a TOML file, is the head of a table: ``[Args]``."""
    return not part.key and text.startswith("[", part.value_span.start)


def header_steps(part: Part, text: str) -> list[tuple[str, Span]]:
    """The names in the head of a table."""
    start, end = part.value_span
    while text[start] == "[" and start < end - 1:
        start += 1
    return toml_steps(text[start:end].rstrip("]"), start)


def _toml_parts(text: str) -> list[Part]:
    scan = FlowScan(text, "toml").frames[0]
    scan.end_item()
    root = Part("", Span(0, 0), Span(0, 0))
    table = root
    for one in scan.parts:
        if is_header(one, text):
            table = _below(root, header_steps(one, text), one.value_span)
        elif one.key:
            _add(table, one)
    return root.inner


def _add(table: Part, one: Part) -> None:
    """Add *one* to *table*, under the last part of its dotted key."""
    made = _below(table, toml_steps(one.key, one.key_span.start), one.value_span)
    for inner in one.inner:
        if inner.key:
            _add(made, inner)
        else:
            made.inner.append(inner)


def _below(table: Part, steps: list[tuple[str, Span]], value: Span) -> Part:
    """The part of *table* that *steps* lead to; it is made if it is not there."""
    for key, span in steps:
        found = table.find(key)
        if found is None:
            found = Part(key, span, value)
            table.inner.append(found)
        table = found
    return table


# --- YAML ----------------------------------------------------------------------------------------


def _yaml_parts(text: str) -> list[Part]:
    import yaml  # type: ignore[import-untyped]  # the text has been read by it

    return _YamlParts().of(yaml.compose(text, yaml.SafeLoader))


class _YamlParts:
    """Makes parts of nodes; an alias is only its key, since its value stands elsewhere."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def of(self, node: Node) -> list[Part]:
        """The parts in *node*."""
        if node.id == "mapping":
            return list(self.pairs(node))
        if node.id != "sequence":
            return []
        return [self.part("", _span(one), one) for one in node.value]

    def pairs(self, node: MappingNode) -> Iterator[Part]:
        for key, value in node.value:
            if key.id == "scalar" and not key.tag.endswith(":merge"):
                yield self.part(str(key.value), _span(key), value)

    def part(self, key: str, span: Span, value: Node) -> Part:
        if id(value) in self.seen:
            return Part(key, span, Span(span.end, span.end))
        self.seen.add(id(value))
        return Part(key, span, _span(value), inner=self.of(value))


def _span(node: Node) -> Span:
    return Span(node.start_mark.index, node.end_mark.index)
