"""Data files: YAML, TOML and JSON read as cells, for configs and for tables of trials.

YAML needs PyYAML, the extra ``yaml``.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from kohaku_ast.config.cells import Cell, CellList, CellMap, CellText, native
from kohaku_ast.config.config import Config
from kohaku_ast.errors import (
    ConfigError,
    unreadable_config,
)
from kohaku_ast.files import read_input

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode  # type: ignore[import-untyped]


@dataclass(frozen=True)
class DataFile:
    """What a data file holds, as cells."""

    #: As the user wrote it.
    path: str
    #: None if the file is empty.
    top: Cell | None
    #: The line of each item of *top*, in its order; empty for JSON and TOML.
    lines: list[int]

    def origin(self, index: int) -> str:
        """``cfg.yaml:3``: file and line of the item *index* of the document."""
        return f"{self.path}:{self.lines[index]}" if self.lines else self.path


def read_cells(path: str) -> DataFile:
    """The YAML, TOML or JSON file at *path*; raises ConfigError."""
    text = _read_text(path)
    ending = os.path.splitext(path)[1].lower()
    reader = {".json": _read_json, ".toml": _read_toml}.get(ending, _read_yaml)
    try:
        return reader(text, path)
    except RecursionError:
        raise ConfigError(f"{path}: nested too deep") from None


def targets_of(top: CellMap, origins: Mapping[str, str]) -> Config:
    """The overrides in *top*, a whole config; *origins* has the place of each name."""
    values: dict[str, object] = {str(k): v for k, v in top.items() if not k.startswith("_")}
    where = origins.get("_overrides", "")
    overrides = top.get("_overrides", CellMap())
    if not isinstance(overrides, CellMap):
        raise ConfigError(f"{where}: _overrides is a mapping of targets to values")
    for target, value in overrides.items():
        if target in values:
            place = origins[str(target)]
            raise ConfigError(f"{where}: {str(target)!r} is in _overrides, and at {place}")
        values[str(target)] = value
    return Config(values, origins={target: origins.get(target, where) for target in values})


def is_composed(path: str, top: CellMap) -> bool:
    """Whether the file at *path*, with the content *top*, is one of Hydra or OmegaConf."""
    return path.lower().endswith((".yaml", ".yml")) and (
        has_defaults(top) or any(map(_is_marked, _texts(top)))
    )


def has_defaults(top: CellMap) -> bool:
    """Whether it has a defaults list: of names, and of groups with one option each."""
    listed = top.get("defaults")
    return isinstance(listed, CellList) and all(
        (isinstance(one, CellText) and isinstance(native(one), str))
        or (isinstance(one, CellMap) and len(one) == 1)
        for one in listed
    )


def _texts(top: Cell) -> Iterator[CellText]:
    """Each text in *top*, once: aliases of aliases may stand for billions of them."""
    waiting, seen = [top], {id(top)}
    while waiting:
        cell = waiting.pop()
        if isinstance(cell, CellText):
            yield cell
            continue
        inner = list(cell.values() if isinstance(cell, CellMap) else cell)
        waiting += [one for one in inner if id(one) not in seen]
        seen.update(map(id, inner))


def _is_marked(text: str) -> bool:
    return "${" in text or text == "???"


def _read_text(path: str) -> str:
    try:
        text = read_input(path).decode("utf-8-sig")
        return io.StringIO(text, newline=None).getvalue()
    except OSError as error:
        raise unreadable_config("config", path, error) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None


def _read_yaml(text: str, path: str) -> DataFile:

    return DataFile(path, *yaml_cells(text, path))


def _read_json(text: str, path: str) -> DataFile:
    def pairs(items: list[tuple[str, object]]) -> CellMap:
        found = CellMap()
        for key, value in items:
            if key in found:
                raise ConfigError(f"{path}: the key {key!r} is given twice")
            found[CellText(key, is_quoted=True)] = _cell(value)
        return found

    as_text: Callable[[str], CellText] = CellText
    try:
        made = json.loads(
            text, parse_float=as_text, parse_int=as_text, parse_constant=as_text,
            object_pairs_hook=pairs,
        )  # fmt: skip
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    return DataFile(path, _cell(made), [])


def _read_toml(text: str, path: str) -> DataFile:
    tomllib = toml_parser(path)
    try:
        return DataFile(path, _cell(tomllib.loads(text, parse_float=CellText)), [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None


def toml_parser(path: str) -> ModuleType:
    """``tomllib``, or what stands in for it on Python 3.10; ConfigError for *path* without it."""
    return import_module("tomllib") if sys.version_info >= (3, 11) else _tomli(path)


def _tomli(path: str) -> ModuleType:
    """The package that reads TOML on Python 3.10."""
    try:
        return import_module("tomli")
    except ImportError as error:
        raise ConfigError(
            f'{path}: TOML files need tomli on Python 3.10: pip install "kohaku-ast[toml]"'
        ) from error


def _cell(value: object) -> Cell:
    """A value of JSON or TOML as a cell; a value that is no text becomes unquoted text."""
    if isinstance(value, (CellText, CellMap)):
        return value
    if isinstance(value, dict):
        return CellMap({CellText(k, is_quoted=True): _cell(one) for k, one in value.items()})
    if isinstance(value, list):
        return CellList([_cell(one) for one in value])
    if isinstance(value, str):
        return CellText(value, is_quoted=True)
    if value is None:
        return CellText("null", is_null=True)
    return CellText(str(value).lower() if isinstance(value, bool) else str(value))


try:
    import yaml  # type: ignore[import-untyped]
except ImportError as error:
    raise ConfigError('YAML files need PyYAML: pip install "kohaku-ast[yaml]"') from error


_TAG = "tag:yaml.org,2002:"


_MERGE = _TAG + "merge"


_KNOWN = {_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value")}


_KNOWN |= {_MERGE, _TAG + "map", _TAG + "seq"}


def yaml_cells(text: str, path: str) -> tuple[Cell | None, list[int]]:
    """The one document in *text*, and the line of each of its items; None for an empty document.

    Raises ConfigError; messages show the file as *path*.
    """
    try:
        root = yaml.compose(text, _Loader)
        made = None if root is None else _Reader(path).cell(root)
        if root is not None and _size(root, {}) > _MOST_VALUES:
            raise ConfigError(
                f"{path}: with its aliases written out it has more than {_MOST_VALUES:,} values: "
                "write the file without aliases of aliases"
            )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    if root is None or made is None:
        return None, []
    return made, _item_lines(root, made, path)


_MOST_VALUES = 1_000_000
"""Ten lines of aliases of aliases stand for billions."""


def _size(node: Node, known: dict[int, int]) -> int:
    """The number of values in *node*, those behind aliases each time; *known* by the ids."""
    if id(node) not in known:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        items = node.value if isinstance(node, yaml.SequenceNode) else [one for _, one in pairs]
        known[id(node)] = 1 + sum(_size(one, known) for one in items)
    return known[id(node)]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # it is Any
    """Marks the scalars whose tag is written out: ``!!str 007`` is text as ``"007"`` is."""

    def compose_scalar_node(self, anchor: object) -> ScalarNode:
        is_written = self.peek_event().tag not in (None, "!")
        node: ScalarNode = super().compose_scalar_node(anchor)
        node.is_text = node.style is not None or (is_written and node.tag == _TAG + "str")
        return node


class _Reader:
    """Makes cells of nodes; all aliases of one anchor are the same cell."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.made: dict[int, Cell | None] = {}

    def cell(self, node: Node) -> Cell:
        known = self.made.get(id(node), self)
        if known is None:
            raise self.error(node, "an alias is inside the value that it names")
        if not isinstance(known, _Reader):
            return known
        self.made[id(node)] = None
        made = self.made[id(node)] = self.new(node)
        return made

    def new(self, node: Node) -> Cell:
        if node.tag not in _KNOWN:
            raise self.error(node, f"the tag {node.tag!r} has no meaning here: leave it out")
        if isinstance(node, yaml.ScalarNode):
            is_text = node.is_text
            return CellText(node.value, is_text, not is_text and node.tag == _TAG + "null")
        if isinstance(node, yaml.SequenceNode):
            return CellList([self.cell(one) for one in node.value])
        return self.mapping(node)

    def mapping(self, node: MappingNode) -> CellMap:
        """Its own keys over those that ``<<`` merges, each kind in its order."""
        merged, own = CellMap(), CellMap()
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for one in self.merged(value_node):
                    merged = CellMap({**one, **merged})
                continue
            key = self.cell(key_node)
            if not isinstance(key, CellText):
                raise self.error(key_node, "a key is one word or number")
            if key in own:
                raise self.error(key_node, f"the key {str(key)!r} is given twice")
            own[key] = self.cell(value_node)
        return CellMap({**merged, **own})

    def merged(self, node: Node) -> list[CellMap]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(one, yaml.MappingNode) for one in nodes):
            raise self.error(node, "`<<` merges a mapping, or a list of mappings")
        return [one for one in map(self.cell, nodes) if isinstance(one, CellMap)]

    def error(self, node: Node, message: str) -> ConfigError:
        return ConfigError(f"{self.path}:{node.start_mark.line + 1}: {message}")


def _item_lines(root: Node, made: Cell, path: str) -> list[int]:
    """The line of each item of the document: of the key in a mapping."""
    if isinstance(root, yaml.SequenceNode):
        return [one.start_mark.line + 1 for one in root.value]
    if not isinstance(made, CellMap):
        return []
    own = {key.value: key.start_mark.line + 1 for key, _ in root.value if key.tag != _MERGE}
    return [own.get(str(key), root.start_mark.line + 1) for key in made]
