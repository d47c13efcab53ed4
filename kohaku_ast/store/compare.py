"""Comparisons of runs: the columns in which they differ, and groups with the mean of a metric."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohaku_ast.errors import UsageError, check_type
from kohaku_ast.store.columns import (
    FIELDS,
    Columns,
    Getter,
    cell,
    frame_names,
    heading,
    order_key,
    without_copies,
)
from kohaku_ast.store.query import MISSING
from kohaku_ast.store.summary import STATISTICS, RunSummary
from kohaku_ast.store.values import form_text

_ALWAYS = ("number", "id")
_OFTEN = ("status", "script", "host", "commit", "exit_status", "error", "note", "tags")
"""Fields that a reader misses if runs differ in them. The others differ in nearly all runs."""


@dataclass(frozen=True)
class Comparison:
    """A table: a row for each run, or for each group of runs. ``print`` shows it."""

    #: The headings.
    columns: tuple[str, ...]
    #: The cells of each row; None for a value that the run lacks.
    rows: tuple[tuple[Any, ...], ...]
    #: Of groups: the names in which runs of one group differ, such as seeds.
    over: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each row as column -> value."""
        return (dict(zip(self.columns, row)) for row in self.rows)

    def to_frame(self) -> Any:
        """The table as a frame of pandas, or else of polars."""
        from kohaku_ast.display.text import frame_of

        return frame_of({name: [row[name] for row in self] for name in self.columns})

    def cells(self) -> list[tuple[str, ...]]:
        """The rows as texts."""
        return [tuple(cell(*pair) for pair in zip(self.columns, row)) for row in self.rows]

    def __str__(self) -> str:
        from kohaku_ast.display.text import Group, plain_table  # here: JSON and CSV do without

        table = plain_table(self.headings, [Group("", tuple(self.cells()))])
        return table + f"over {', '.join(self.over)}" if self.over else table.rstrip("\n")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from kohaku_ast.display.text import Group, html_table

        note = f"over {', '.join(self.over)}" if self.over else ""
        return html_table(self.headings, [Group("", tuple(self.cells()))], note=note)

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns as tables show them."""
        return tuple(map(heading, self.columns))


def compare_runs(
    runs: Sequence[RunSummary],
    root: Path,
    by: str | Iterable[str] = (),
    metric: str | Iterable[str] = (),
    everything: bool = False,
) -> Comparison:
    """The Comparison of *runs*, which are in the store *root*: see ``Runs.compare``."""
    names, metrics = _names(by, "by"), _names(metric, "metric")
    if metrics and not names:
        raise UsageError("metric needs by, the names that make the groups: by=['lr', 'bs']")
    if names and everything:
        raise UsageError("a table of groups has its own columns: leave one of all and by out")
    if names:
        return _groups(runs, names, metrics)
    return _differences(runs, root, everything)


def _names(given: str | Iterable[str], what: str) -> list[str]:
    """Names in a list, or in a text with commas; UsageError for others."""
    check_type(given, (str, list, tuple), f"{what} is a name, or a list of names")
    texts = given.split(",") if isinstance(given, str) else [*given]
    for one in texts:
        check_type(one, str, f"a name in {what} is a text")
    return list(dict.fromkeys(one.strip() for one in texts if one.strip()))


# --- a row a run ---------------------------------------------------------------------------------


def _differences(runs: Sequence[RunSummary], root: Path, everything: bool) -> Comparison:
    getters = frame_names(runs)
    values = {name: [get(run) for run in runs] for name, get in getters.items()}
    values.update(_full_values(runs, root, values))
    chosen = [*getters] if everything else [one for one in values if _is_shown(one, values[one])]
    columns = tuple(dict.fromkeys([*_ALWAYS, *chosen]))
    rows = zip(*(map(_or_none, values[name]) for name in columns))
    return Comparison(columns, tuple(rows))


def _is_shown(name: str, values: Sequence[Any]) -> bool:
    is_field = name in FIELDS
    return (not is_field or name in _OFTEN) and len(set(map(_exact, values))) > 1


def _exact(value: Any) -> str:
    """Equal for equal values of one type: 1, 1.0 and True are three."""
    return repr(value)


def _or_none(value: Any) -> Any:
    return None if value is MISSING else value


def _full_values(
    runs: Sequence[RunSummary], root: Path, values: Mapping[str, Sequence[Any]]
) -> dict[str, list[Any]]:
    """Parameter -> values from the records themselves, where the index cannot tell runs apart:
    it has the start of a long value only, and a list for a tuple.
    """
    targets = {target for run in runs for target in run.shape.names("params")}
    columns = [name for name in values if name.removeprefix("params.") in targets]
    seen = {tuple(map(_exact, row)) for row in zip(*(values[name] for name in columns))}
    if not columns or len({run.identity for run in runs}) <= len(seen):
        return {}
    found: dict[str, list[Any]] = {}
    forms = [_forms(root / run.id) for run in runs]
    for name in columns:
        target = name.removeprefix("params.")
        texts = [form_text(one[target]) if target in one else None for one in forms]
        if len(set(texts)) > 1 and len(set(map(_exact, values[name]))) == 1:
            found[name] = texts
    return found


def _forms(folder: Path) -> Mapping[str, Any]:
    from kohaku_ast.store.record import Record, param_forms

    record = Record.read(folder)
    return param_forms(record.facts) if record else {}


# --- a row a group -------------------------------------------------------------------------------


def _groups(runs: Sequence[RunSummary], names: list[str], metrics: list[str]) -> Comparison:
    columns = Columns(runs)
    getters = [columns.getter(name) for name in names]
    groups: dict[tuple[str, ...], list[RunSummary]] = {}
    for run in runs:
        groups.setdefault(tuple(_exact(get(run)) for get in getters), []).append(run)
    metrics = metrics or _all_numbers(runs, columns)
    numbers = {name: _number_of(name, columns) for name in metrics}
    rows = [
        (
            *(_or_none(get(own[0])) for get in getters),
            len(own),
            *(part for get in numbers.values() for part in _moments(own, get)),
        )
        for own in groups.values()
    ]
    rows.sort(key=lambda row: [_order(value) for value in row[: len(names)]])
    heads = (f"{name} {what}" for name in map(heading, metrics) for what in ("mean", "std", "n"))
    over = varied_params(groups.values())
    return Comparison((*names, "runs", *heads), tuple(rows), over)


def _all_numbers(runs: Sequence[RunSummary], columns: Columns) -> list[str]:
    """The metrics, and the outputs that are numbers."""
    outputs = [run.values("outputs") for run in runs]
    numbers = [
        name
        for name in columns.names("outputs")
        if name not in columns.names("last")
        and any(type(one.get(name)) in (int, float) for one in outputs)
    ]
    return [*(f"last:{name}" for name in columns.names("last")), *numbers]


def _order(value: Any) -> tuple[bool, tuple[int, Any]]:
    return value is None, order_key(value)


def _number_of(name: str, columns: Columns) -> Getter:
    """Reads the number *name*: of a metric, or of an output, which is its own min and max."""
    start, _, rest = name.partition(":")
    try:
        get = columns.getter(name)
    except UsageError:
        if start not in STATISTICS or not rest:
            raise
        get = columns.getter(rest)
    return get


def _moments(runs: Sequence[RunSummary], get: Getter) -> tuple[float | None, float | None, int]:
    """Mean, standard deviation of a sample, and count of the numbers of runs that succeeded; a
    result that was cached counts once.
    """
    succeeded = [run for run in runs if run.status == "succeeded"]
    found = [get(run) for run in without_copies(succeeded)]
    numbers = [float(one) for one in found if type(one) in (int, float)]
    if not numbers:
        return None, None, 0
    if not all(map(math.isfinite, numbers)):
        return sum(numbers) / len(numbers), None, len(numbers)
    spread = statistics.stdev(numbers) if len(numbers) > 1 else None
    return statistics.fmean(numbers), spread, len(numbers)


def varied_params(groups: Iterable[Sequence[RunSummary]]) -> tuple[str, ...]:
    """The parameters that differ between runs of one of *groups*."""
    found: dict[str, None] = {}
    for own in groups:
        params = [run.params for run in own]
        for target in dict.fromkeys(name for one in params for name in one):
            if len({_exact(one.get(target, MISSING)) for one in params}) > 1:
                found[target] = None
    return tuple(found)


def varied_names(runs: Sequence[RunSummary]) -> list[str]:
    """The names of the columns of the parameters that differ between *runs*: ``params.label`` for
    one that is called as a field.
    """
    varied = varied_params([runs])
    return [f"params.{one}" if one in FIELDS else one for one in varied]
