"""Data files: YAML, TOML and JSON read as cells, for configs and for tables of trials."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from kohaku_ast.config.cells import Cell, CellList, CellMap, CellText
from kohaku_ast.errors import ConfigError


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


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"can't open config {path!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None


def _read_yaml(text: str, path: str) -> DataFile:
    from kohaku_ast.config.yaml_cells import yaml_cells  # which needs an optional package

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
    tomllib = import_module("tomllib") if sys.version_info >= (3, 11) else _tomli(path)
    try:
        return DataFile(path, _cell(tomllib.loads(text, parse_float=CellText)), [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None


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
