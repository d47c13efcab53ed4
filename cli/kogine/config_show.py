"""``kogine config show`` and ``diff``: the values of a config, and the differences of two.

A file of Hydra is shown as it is composed for the options and values of each run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kogine.config_check import (
    MOST,
    Fitter,
    counted,
    first_runs,
    fit_json,
    problems_of,
)
from kogine.report import printing
from kogine.script_command import is_assignment, load_configs, split_override

from kohaku_ast.config.cells import CellText, native
from kohaku_ast.config.config import Config, same, value_text
from kohaku_ast.display.text import Row, group_rows, print_table
from kohaku_ast.errors import ConfigError, UsageError, did_you_mean, visible
from kohaku_ast.runner.composed_overrides import is_choice
from kohaku_ast.runner.fitting import Fit, shown
from kohaku_ast.runner.script import one_line

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep


JSON_VERSION = 1


def start_show(words: Sequence[str], script: str, most: int, is_json: bool) -> Callable[[], int]:
    """Load the config of the files in *words*, with the values TARGET=VALUE among them over it; the
    result prints it, and gives 1 if it does not fit the *script*. Raises SyntaxError.
    """
    typed = [word for word in words if is_assignment(word)]
    files = [word for word in words if word not in typed]
    found = load_configs(files) or Config()
    base = found if isinstance(found, Config) else found.base
    fitter = Fitter(script, ", ".join(files)) if script else None
    if typed:
        found |= _typed_values(typed, base, files, fitter)
    if isinstance(found, Config):
        _settled(found)  # raises for a file that cannot be composed
    elif not found.base.composed or not found.targets:
        refuse_uncomposed(found.base)
    fits = [fitter.fits(config) for config in first_runs(found, MOST)] if fitter else []
    if is_json:
        return lambda: _print_json(files, found, fits, most)
    return lambda: _print_tables(found, fits, most)


def _typed_values(
    words: Sequence[str], base: Config, files: Sequence[str], fitter: Fitter | None
) -> Config:
    """The values of *words*; raises UsageError for one that *base*, of *files*, does not have, and
    UnknownTarget if the script of *fitter* has none, either.
    """
    pairs = dict(split_override(word if "=" in word else f"{word}=") for word in words)
    keys = {key for name, value in base.globals_dict.items() for key in _keys(name, value)}
    keys |= {key for one in base.composed for key in one.all_keys()}
    groups = {group for one in base.composed for group in (*(one.choices or ()), *one.lists)}
    for target in pairs:
        if target in keys or is_choice(base, target):
            continue
        if fitter is None or target[:1] in ("+", "~"):
            what = "neither a key nor a group" if groups else "no key"
            raise UsageError(
                f"{target}=...: {target!r} is {what} of {', '.join(files)}."
                f"{did_you_mean(target, [*groups, *keys])} (With --script, targets of the script "
                "can be given, too.)"
            )
        fitter.targets.find(target)
    return Config(
        {target: CellText(text) for target, text in pairs.items()},
        origins=dict.fromkeys(pairs, "command line"),
    )


def _keys(name: str, value: object) -> Iterator[str]:
    """``db`` and ``db.host`` of *value*, which *name* has."""
    yield name
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _keys(f"{name}.{key}", one)


def _settled(config: Config) -> Config:
    """*config* with its files of Hydra composed for the options and values in it."""
    if not config.composed:
        return config
    from kohaku_ast.config.hydra_config import settle

    return settle(config, is_whole=False).config


def refuse_uncomposed(config: Config) -> None:
    """Raise ConfigError for a file of Hydra that cannot be composed."""
    for one in config.composed:
        if one.failure:
            raise ConfigError(one.failure)


@printing
def _print_json(
    names: Sequence[str], found: Config | Sweep, fits: list[list[Fit]], most: int
) -> int:
    document: dict[str, object] = {"version": JSON_VERSION, "configs": [*names]}
    if isinstance(found, Config):
        document |= config_json(_settled(found))
        if fits:
            document["fits"] = [fit_json(one) for one in fits[0]]
    else:
        document |= sweep_json(found, list(first_runs(found, most)), _settled)
        if fits:
            document["problems"] = problems_of(fits)
    print(json.dumps(document, indent=2))
    return _status(fits)


def _status(fits: list[list[Fit]]) -> int:
    return int(any(one.problem for run in fits for one in run))


@printing
def _print_tables(found: Config | Sweep, fits: list[list[Fit]], most: int) -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if isinstance(found, Config):
        _print_config(_settled(found), fits[0] if fits else [])
    else:
        _print_sweep(found, most)
    for line in problems_of(fits):
        print(visible(line))
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
    own = "for the config itself" if one.is_own else one.where
    return (one.full or one.target, one.value, one.origin, one_line(one.default), own)


def config_rows(config: Config) -> list[tuple[str, Row]]:
    """The cells of *config* under the field they are in; overrides have no heading."""
    rows: list[tuple[str, Row]] = []
    for name, value in config.globals_dict.items():
        for table in config.tables.get(name, ()):  # values for attributes of a class hold as well
            rows.append(("", (name, shown(table.cells), table.origin)))
        rows.append(("", (name, shown(value), config.origins.get(name, ""))))
    for field in ("new_globals", "kwargs", "metadata"):
        rows += [(field, (name, shown(one), "")) for name, one in getattr(config, field).items()]
    for field in _LISTS:
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
    if sweep.is_random:
        return "random axes: say how many draws with -n; these are examples"
    return counted(sweep.size, "run") if sweep.size is not None else "an unknown number of runs"


def _print_runs(runs: list[Config]) -> None:
    varied = tuple(dict.fromkeys(name for run in runs for name in run.varied))
    fixed = [row for row in config_rows(_shared(runs)) if row[0] or row[1][0] not in varied]
    print()
    rows = [_run_row(number, run, varied) for number, run in enumerate(runs, 1)]
    print_table(("run", *varied), group_rows([("", row) for row in rows]), sys.stdout)
    if fixed:
        print("\nin every run:")
        print_table(("target", "value", "from"), group_rows(fixed), sys.stdout)


def _shared(runs: list[Config]) -> Config:
    """The first of *runs* without the values that Hydra composes otherwise for another."""
    if not runs[0].composed:
        return runs[0]
    first, *others = [_settled(run) for run in runs]
    values = {
        name: value
        for name, value in first.globals_dict.items()
        if all(same(value, one.globals_dict.get(name)) for one in others)
    }
    return replace(first, globals_dict=values)


def _run_row(number: int, run: Config, varied: tuple[str, ...]) -> Row:
    values = run.globals_dict
    return (str(number), *(value_text(values[name]) if name in values else "" for name in varied))


def config_json(config: Config) -> dict[str, object]:
    """Everything that *config* sets."""
    return {
        "overrides": [
            {"target": name, **value_json(value), "from": config.origins.get(name, "")}
            for name, value in config.globals_dict.items()
        ],
        "args": [value_json(value) for value in config.args],
        "kwargs": {name: value_json(value) for name, value in config.kwargs.items()},
        "argv": list(config.argv),
        "new_globals": {name: value_json(value) for name, value in config.new_globals.items()},
        "metadata": {name: value_json(value) for name, value in config.metadata.items()},
        "outputs": list(config.outputs),
        "inputs": list(config.inputs),
        "artifacts": list(config.artifacts),
    }


def sweep_json(
    sweep: Sweep, runs: list[Config], settled: Callable[[Config], Config] = lambda config: config
) -> dict[str, object]:
    """The axes of *sweep*, how many runs it has, and the first of them, each as *settled*."""
    return {
        "axes": [
            {
                "targets": list(axis.targets),
                "values": axis.shown,
                "size": axis.size,
                "random": axis.is_random,
            }
            for axis in sweep.axes
        ],
        "size": sweep.size,
        "runs": [{"label": run.label, **config_json(settled(run))} for run in runs],
    }


def value_json(value: object) -> dict[str, object]:
    """The value as text, and as JSON if it has that form."""
    plain = native(value)
    try:
        is_same = json.loads(json.dumps(plain, allow_nan=False)) == plain
    except (TypeError, ValueError, RecursionError):
        is_same = False
    return {"value": plain if is_same else None, "text": shown(value)}


MOST_COMPARED = 1000
"""The number of compared runs of sweeps without axes, which may be endless."""
_ABSENT = "-"

Values = dict[tuple[str, str], object]
"""Heading and name -> value."""


def start_diff(names: Sequence[str], is_json: bool) -> Callable[[], int]:
    """Load both configs; the result prints the differences, and gives 1 if there are any."""
    first, second = (load_configs([name]) or Config() for name in names)
    by_axes = all(isinstance(one, Config) or one.axes for one in (first, second))
    rows = differences(_values(first, by_axes), _values(second, by_axes))
    if by_axes and not rows:  # the text of a long axis does not contain all of its values
        rows = differences(_values(first, False), _values(second, False))
    if is_json:
        return lambda: _print_differences(names, rows)
    return lambda: _print(("target", *names), rows)


@printing
def _print_differences(names: Sequence[str], rows: list[tuple[str, Row]]) -> int:
    found = [
        {"heading": heading, "target": target, "values": cells}
        for heading, (target, *cells) in rows
    ]
    print(
        json.dumps({"version": JSON_VERSION, "configs": [*names], "differences": found}, indent=2)
    )
    return int(bool(rows))


def differences(first: Mapping[tuple[str, str], object], second: Values) -> list[tuple[str, Row]]:
    """A row for each name whose values differ, under its heading."""
    rows = []
    for key in dict.fromkeys([*first, *second]):
        if key in first and key in second and same(first[key], second[key]):
            continue
        cells = [shown(each[key]) if key in each else _ABSENT for each in (first, second)]
        if cells[0] == cells[1]:  # two objects with one text, or 1 and True in a list
            cells = [f"{cell} ({type(each[key]).__name__})" for cell, each in
                     zip(cells, (first, second))]  # fmt: skip
        rows.append((key[0], (key[1], *cells)))
    return sorted(rows, key=lambda row: _HEADINGS.index(row[0].partition(" ")[0]))


_FIELDS = ("globals_dict", "new_globals", "kwargs", "metadata")
_LISTS = ("args", "argv", "outputs", "inputs", "artifacts")
_HEADINGS = ["", "axes", *_FIELDS, *_LISTS, "run"]


def _values(found: Config | Sweep, by_axes: bool) -> Values:
    """All values of *found*: of a sweep its axes and the values of every run, or its runs."""
    if isinstance(found, Config):
        return _of_config(found, "")
    runs = list(first_runs(found, 1 if by_axes else MOST_COMPARED))
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
    """Text that is printed without quotes."""

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


@printing
def _print(columns: Row, rows: list[tuple[str, Row]]) -> int:
    if rows:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        print_table(columns, group_rows(rows), sys.stdout)
    return int(bool(rows))
