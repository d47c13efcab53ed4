"""Data files as cells, for configs and for tables of trials: JSON, TOML, YAML (in yaml_cells.py),
and what plug-ins read.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from kohaku_ast.config.cells import Cell, CellList, CellMap, CellText, native
from kohaku_ast.config.config import Config
from kohaku_ast.errors import ConfigError, KogineError, unreadable_config
from kohaku_ast.files import read_input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.plugins import Plugin


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
    return cells_of(_read_text(path), path)


def cells_of(text: str, path: str) -> DataFile:
    """The *text* of the YAML, TOML or JSON file at *path*; raises ConfigError."""
    ending = os.path.splitext(path)[1].lower()
    reader = {".json": _read_json, ".toml": _read_toml}.get(ending, _read_yaml)
    try:
        return reader(text, path)
    except RecursionError:
        raise ConfigError(f"{path}: nested too deep") from None


def plugin_reader(plugin: Plugin) -> Callable[[str], DataFile]:
    """What reads a data file by *plugin*, which returns a dict for a path."""

    def read(path: str) -> DataFile:
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise unreadable_config("config", path, error) from error
        try:
            found = plugin.load()(path)
        except KogineError:
            raise
        except Exception as error:
            kind = type(error).__name__
            raise ConfigError(f"{path}: {plugin} cannot read it: {kind}: {error}") from error
        if not isinstance(found, dict):
            raise ConfigError(f"{path}: {plugin} returned {found!r}, which is no dict")
        return DataFile(path, _cell(found), [])

    return read


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
    from kohaku_ast.config.yaml_cells import yaml_cells  # only YAML needs PyYAML

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
        what = f"{path}:{error.lineno}: not JSON: {error.msg}"
        raise ConfigError(what).at_line(error.lineno) from None
    return DataFile(path, _cell(made), [])


def _read_toml(text: str, path: str) -> DataFile:
    tomllib = toml_parser(path)
    try:
        return DataFile(path, _cell(tomllib.loads(text, parse_float=CellText)), [])
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+),", str(error))  # before Python 3.14 it has no attribute
        line = int(place[1]) if place else 0
        raise ConfigError(f"{path}: not TOML: {error}").at_line(line) from None


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
    """A value of JSON, of TOML or of a plug-in as a cell; what is no text becomes unquoted text."""
    if isinstance(value, (CellText, CellMap)):
        return value
    if isinstance(value, dict):
        return CellMap({CellText(k, is_quoted=True): _cell(one) for k, one in value.items()})
    if isinstance(value, (list, tuple)):
        return CellList([_cell(one) for one in value])
    if isinstance(value, str):
        return CellText(value, is_quoted=True)
    if value is None:
        return CellText("null", is_null=True)
    return CellText(str(value).lower() if isinstance(value, bool) else str(value))
