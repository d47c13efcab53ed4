"""``kogine config diff``: where two configs differ."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kogine.config_load import first_runs, load_all
from kogine.config_values import shown

from kohaku_ast.config.config import Config, same
from kohaku_ast.display.table import Row, group_rows, print_table

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep

MOST = 1000
"""Runs that are compared of sweeps without axes, which may be endless."""
_ABSENT = "-"

Values = dict[tuple[str, str], object]
"""Heading and name -> value."""


def start_diff(names: Sequence[str]) -> Callable[[], int]:
    """Read both; what comes back prints the differences, and gives 1 if there are any."""
    first, second = (load_all([name]) for name in names)
    by_axes = all(isinstance(one, Config) or one.axes for one in (first, second))
    rows = differences(_values(first, by_axes), _values(second, by_axes))
    if by_axes and not rows:  # the text of a long axis does not show all of its values
        rows = differences(_values(first, False), _values(second, False))
    return lambda: _print(("target", *names), rows)


def differences(first: Mapping[tuple[str, str], object], second: Values) -> list[tuple[str, Row]]:
    """A row for each name whose values differ, under its heading."""
    rows = []
    for key in dict.fromkeys([*first, *second]):
        if key in first and key in second and same(first[key], second[key]):
            continue
        cells = [shown(each[key]) if key in each else _ABSENT for each in (first, second)]
        if cells[0] == cells[1]:  # an object of each file's own, or 1 and True in a list
            cells = [f"{cell} ({type(each[key]).__name__})" for cell, each in
                     zip(cells, (first, second))]  # fmt: skip
        rows.append((key[0], (key[1], *cells)))
    return sorted(rows, key=lambda row: _HEADINGS.index(row[0].partition(" ")[0]))


_FIELDS = ("globals_dict", "new_globals", "kwargs", "metadata")
_LISTS = ("args", "argv", "outputs")
_HEADINGS = ["", "axes", *_FIELDS, *_LISTS, "run"]


def _values(found: Config | Sweep, by_axes: bool) -> Values:
    """All that *found* says: of a sweep its axes and what holds in every run, or its runs."""
    if isinstance(found, Config):
        return _of_config(found, "")
    runs = list(first_runs(found, 1 if by_axes else MOST))
    if not by_axes:
        return {
            (f"run {number}", name): value
            for number, run in enumerate(runs)
            for (_, name), value in _of_config(run, "").items()
        }
    values: Values = {("axes", ", ".join(one.targets)): _Shown(one.shown) for one in found.axes}
    fixed = _of_config(runs[0], "") if runs else {}
    varied = runs[0].varied if runs else ()
    return values | {key: value for key, value in fixed.items() if key[1] not in varied}


class _Shown(str):
    """Text that is shown as it is."""

    def __repr__(self) -> str:
        return str(self)


def _of_config(config: Config, heading: str) -> Values:
    values: Values = {(heading, name): value for name, value in config.globals_dict.items()}
    for field in _FIELDS[1:]:
        own = getattr(config, field)
        values |= {(field, name): value for name, value in own.items()}
    for field in _LISTS:
        values |= {(field, str(i)): value for i, value in enumerate(getattr(config, field))}
    return values


def _print(columns: Row, rows: list[tuple[str, Row]]) -> int:
    if rows:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        print_table(columns, group_rows(rows), sys.stdout)
    return int(bool(rows))
