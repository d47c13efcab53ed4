"""Tables of trials: a CSV, JSON or YAML file with a Config in each row."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from kohaku_ast.config.axis import Axis
from kohaku_ast.config.cells import CellList, CellMap, CellText
from kohaku_ast.config.data_file import DataFile, read_cells
from kohaku_ast.errors import (
    ConfigError,
    unreadable_config,
)
from kohaku_ast.files import read_input

Row: TypeAlias = "tuple[object, ...]"
"""A cell for each target."""


def read_trials(path: str) -> Axis:
    """The rows of the table at *path* as one Axis, its columns the targets.

    Raises ConfigError with the file and the line or row.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending == ".csv":
        return _read_csv(path)
    if ending in (".json", ".yaml", ".yml"):
        return _read_mappings(read_cells(path))
    raise ConfigError(f"{path}: a table of trials is a .csv, .json or .yaml file")


# --- CSV -----------------------------------------------------------------------------------------


def _read_csv(path: str) -> Axis:
    lines = _csv_rows(path)
    line, header = next(lines, (1, []))
    _refuse_header(header, f"{path}:{line}")
    rows = [(line, _csv_row(cells, header, f"{path}:{line}")) for line, cells in lines]
    if not rows:
        raise ConfigError(f"{path}: there is no row below the header: it would run nothing")
    places = tuple(f"{path}:{line}" for line, _ in rows)
    return _axis(header, [row for _, row in rows], path, places)


def _csv_rows(path: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with its first line."""
    line = 1
    try:
        # Spreadsheets write a byte order mark: it is no part of the first target's name.
        text = io.StringIO(read_input(path).decode("utf-8-sig"), newline="")
        reader = csv.reader(text, strict=True, skipinitialspace=True)
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield line, stripped
            line = reader.line_num + 1
    except csv.Error as error:
        raise ConfigError(f"{path}:{line}: not CSV: {error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise unreadable_config("table", path, error) from error


def _refuse_header(header: Sequence[str], where: str) -> None:
    if not header:
        raise ConfigError(f"{where}: the table is empty: its first line holds the targets")
    for number, name in enumerate(header, 1):
        if not name:
            raise ConfigError(f"{where}: column {number} of the header is empty: name its target")
        if header.index(name) != number - 1:
            raise ConfigError(f"{where}: two columns are called {name!r}")
    for mark in ";\t":
        if len(header) == 1 and mark in header[0]:
            raise ConfigError(f"{where}: columns are separated by commas, not by {mark!r}")


def _csv_row(cells: Sequence[str], header: Sequence[str], where: str) -> Row:
    if len(cells) != len(header):
        raise ConfigError(f"{where}: {len(cells)} cells, and the header names {len(header)}")
    for name, cell in zip(header, cells):
        if not cell:
            raise ConfigError(
                f"{where}: the cell of {name!r} is empty: write None, or '' for an empty text"
            )
    return tuple(map(CellText, cells))


# --- JSON and YAML -------------------------------------------------------------------------------


def _read_mappings(file: DataFile) -> Axis:
    rows = file.top
    if not isinstance(rows, CellList):
        raise ConfigError(f"{file.path}: a table of trials is a list of mappings, one for each run")
    if not rows:
        raise ConfigError(f"{file.path}: the list has no rows: it would run nothing")
    places = tuple(_place(file, number) for number in range(len(rows)))
    header = list(_mapping(rows[0], places[0]))
    found = [_row(row, header, place) for row, place in zip(rows, places)]
    return _axis(list(map(str, header)), found, file.path, places)


def _place(file: DataFile, number: int) -> str:
    return file.origin(number) if file.lines else f"{file.path}: row {number + 1}"


def _mapping(row: object, where: str) -> CellMap:
    if not isinstance(row, CellMap) or not row:
        raise ConfigError(f"{where}: a row is a mapping of targets to values")
    return row


def _row(row: object, header: Sequence[str], where: str) -> Row:
    cells = _mapping(row, where)
    for name in header:
        if name not in cells:
            raise ConfigError(f"{where}: {str(name)!r} is missing: every row has the first one's")
    for name in cells:
        if name not in header:
            raise ConfigError(f"{where}: {str(name)!r} is not in the first row: give it there too")
    return tuple(cells[name] for name in header)


def _axis(header: Sequence[str], rows: Sequence[Row], path: str, places: tuple[str, ...]) -> Axis:
    values = [row[0] for row in rows] if len(header) == 1 else rows
    return Axis(tuple(header), tuple(values), path, row_origins=places)
