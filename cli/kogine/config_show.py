"""``kogine config show``: what a config says, in the form in which it is applied."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kogine.config_check import MOST, said
from kogine.config_fit import Fit, Fitter
from kogine.config_json import config_json, fit_json, sweep_json
from kogine.config_load import counted, first_runs, is_random, load_all
from kogine.config_values import shown
from kogine.source import show_syntax_error

from kohaku_ast.config.config import Config, value_text
from kohaku_ast.display.table import Row, group_rows, print_table
from kohaku_ast.runner.script import one_line

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep

JSON_VERSION = 1


def start_show(files: Sequence[str], script: str, most: int, form: str) -> Callable[[], int]:
    """Read everything; what comes back prints it, and gives 1 if it does not fit the *script*."""
    found = load_all(files)
    try:
        fits = _fits(files, script, found)
    except SyntaxError as error:
        status = show_syntax_error(error)
        return lambda: status
    if form == "json":
        return lambda: _print_json(files, found, fits, most)
    return lambda: _print_tables(found, fits, most)


def _fits(files: Sequence[str], script: str, found: Config | Sweep) -> list[list[Fit]]:
    """How each run fits the script; empty without one."""
    if not script:
        return []
    fitter = Fitter(script, ", ".join(files))
    return [fitter.fits(config) for config in first_runs(found, MOST)]


def _print_json(
    names: Sequence[str], found: Config | Sweep, fits: list[list[Fit]], most: int
) -> int:
    document: dict[str, object] = {"version": JSON_VERSION, "configs": [*names]}
    if isinstance(found, Config):
        document |= config_json(found)
        if fits:
            document["fits"] = [fit_json(one) for one in fits[0]]
    else:
        document |= sweep_json(found, list(first_runs(found, most)))
        if fits:
            document["problems"] = said(fits)
    print(json.dumps(document, indent=2))
    return _status(fits)


def _status(fits: list[list[Fit]]) -> int:
    return int(any(one.problem for run in fits for one in run))


def _print_tables(found: Config | Sweep, fits: list[list[Fit]], most: int) -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if isinstance(found, Config):
        _print_config(found, fits[0] if fits else [])
    else:
        _print_sweep(found, most)
    for line in said(fits):
        print(line)
    return _status(fits)


def _print_config(config: Config, fits: Sequence[Fit]) -> None:
    if fits:
        columns: Row = ("target", "value", "from", "default", "at")
        rows = [("", _fit_row(one)) for one in fits if one.target]
        rows += [(title, (*cells, "", "")) for title, cells in config_rows(config) if title]
    else:
        columns = ("target", "value", "from")
        rows = config_rows(config)
    if rows:
        print_table(columns, group_rows(rows), sys.stdout)
    else:
        print("empty: it changes nothing")


def _fit_row(one: Fit) -> Row:
    own = "of its own use" if one.is_own else one.where
    return (one.full or one.target, one.value, one.origin, one_line(one.default), own)


def config_rows(config: Config) -> list[tuple[str, Row]]:
    """The cells of *config* under the field they are in; overrides have no heading."""
    rows: list[tuple[str, Row]] = []
    for name, value in config.globals_dict.items():
        for table in config.tables.get(name, ()):  # of a class, what they say holds as well
            rows.append(("", (name, shown(table.cells), table.origin)))
        rows.append(("", (name, shown(value), config.origins.get(name, ""))))
    for field in ("new_globals", "kwargs", "metadata"):
        rows += [(field, (name, shown(one), "")) for name, one in getattr(config, field).items()]
    for field in ("args", "argv", "outputs"):
        rows += [(field, (str(i), shown(one), "")) for i, one in enumerate(getattr(config, field))]
    return rows


def _print_sweep(sweep: Sweep, most: int) -> None:
    axes = [
        (", ".join(axis.targets), axis.shown, "" if axis.size is None else str(axis.size))
        for axis in sweep.axes
    ]
    if axes:
        print_table(("axis", "values", "size"), group_rows([("", row) for row in axes]), sys.stdout)
    print(_count(sweep))
    runs = list(first_runs(sweep, most))
    if runs:
        _print_runs(runs)


def _count(sweep: Sweep) -> str:
    if is_random(sweep):
        return "random axes: say how many draws with -n; these are examples"
    return counted(sweep.size, "run") if sweep.size is not None else "as many runs as it gives"


def _print_runs(runs: list[Config]) -> None:
    varied = tuple(dict.fromkeys(name for run in runs for name in run.varied))
    fixed = [row for row in config_rows(runs[0]) if row[0] or row[1][0] not in varied]
    print()
    rows = [_run_row(number, run, varied) for number, run in enumerate(runs, 1)]
    print_table(("run", *varied), group_rows([("", row) for row in rows]), sys.stdout)
    if fixed:
        print("\nin every run:")
        print_table(("target", "value", "from"), group_rows(fixed), sys.stdout)


def _run_row(number: int, run: Config, varied: tuple[str, ...]) -> Row:
    values = run.globals_dict
    return (str(number), *(value_text(values[name]) if name in values else "" for name in varied))
