"""The tables that ``kogine runs`` prints: for readers, as JSON, as CSV."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kogine.report import printing

from kohaku_ast.display.text import Group, group_rows, print_table
from kohaku_ast.errors import visible
from kohaku_ast.store.columns import FIELDS, cell, frame_names, heading, table_names
from kohaku_ast.store.query import MISSING
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.store import Runs, Store
from kohaku_ast.store.summary import RunSummary

if TYPE_CHECKING:
    from kohaku_ast.store.record import Record

_MOST_ROWS = 20
"""Of a table, unless ``--limit`` is given."""


def store_of(folder: str) -> Store:
    """The Store of ``--store``."""
    return Store(folder or RUNS)


def start_list(
    folder: str, chosen: Mapping[str, Any], limit: int | None, columns: str, form: str
) -> Callable[[], int]:
    """The function that prints the runs that fit *chosen*, arguments of ``Store.runs``."""
    store = store_of(folder)
    runs = store.runs(**chosen)
    if limit is None:
        limit = _MOST_ROWS if form == "table" else 0
    names = [one.strip() for one in columns.split(",") if one.strip()]
    rows = [*runs.rows(names)] if len(runs) and names else []
    shown = runs[:limit] if limit else runs
    if form == "json":
        return lambda: print_json(_documents(shown, names, rows))
    if form == "csv":
        return lambda: print_csv(*_csv(shown, names, rows))
    return lambda: _print_list(store, runs, shown, names, is_filtered=any(chosen.values()))


@printing
def _print_list(
    store: Store, runs: Runs, shown: Runs, names: Sequence[str], is_filtered: bool
) -> int:
    if not len(runs):
        what = "no run fits" if is_filtered and len(store.runs(limit=1)) else "no runs"
        sys.stdout.write(visible(f"{what} in {str(store.root)!r}\n"))
        return 0
    print_runs(shown, names)
    if len(shown) < len(runs):
        sys.stdout.write(f"{len(shown)} of {len(runs)} runs; --limit 0 lists all\n")
    return 0


def print_runs(runs: Runs, names: Sequence[str] = ()) -> None:
    """Print a table of *runs* for readers; without *names* it has the usual columns."""
    names = names or table_names(runs.summaries)
    rows = [
        tuple(table_cell(name, value) for name, value in zip(names, row))
        for row in runs.rows(names)
    ]
    print_table(tuple(map(heading, names)), [Group("", tuple(rows))], sys.stdout)


def table_cell(name: str, value: Any) -> str:
    """*value* of the column *name* for a table: an id is its short form, and all is one line."""
    text = cell(name, value)
    return text.partition("-")[2][:8] if name == "id" else " ".join(text.splitlines())


# --- JSON and CSV --------------------------------------------------------------------------------


def _documents(runs: Runs, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
    if names:
        return [dict(zip(names, row)) for row in rows[: len(runs)]]
    return [document(one) for one in runs.summaries]


def document(run: RunSummary) -> dict[str, Any]:
    """What the index holds of *run*, for programs."""
    found: dict[str, Any] = {name: getattr(run, name) for name in FIELDS}
    found["params"] = run.params
    found["metrics"] = {name: run.statistics(name) for name in run.metrics}
    found["outputs"], found["value"] = run.values("outputs"), run.value
    found["metadata"] = run.values("metadata")
    return found


def _csv(
    runs: Runs, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    if names:
        return names, iter(rows[: len(runs)])
    getters = frame_names(runs.summaries)
    return [*getters], ([get(run) for get in getters.values()] for run in runs.summaries)


@printing
def print_json(found: Any) -> int:
    """Print *found*; numbers that JSON lacks are texts, as in run.json."""
    sys.stdout.write(json.dumps(_finite(found), indent=2) + "\n")
    return 0


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(name): _finite(one) for name, one in value.items()}
    return [*map(_finite, value)] if isinstance(value, (list, tuple)) else value


@printing
def print_csv(names: Sequence[str], rows: Iterator[Sequence[Any]]) -> int:
    """Print a line of *names* and one for each of *rows*; lists and dicts are JSON."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_csv_cell(one) for one in row])
    return 0


def _csv_cell(value: Any) -> Any:
    if value is MISSING or value is None:
        return ""
    return json.dumps(_finite(value)) if isinstance(value, (list, dict)) else value


# --- one run -------------------------------------------------------------------------------------


def start_show(folder: str, name: str, form: str) -> Callable[[], int]:
    """The function that prints the run *name*."""
    runs = store_of(folder).select([name])
    record, summary = runs[0], runs.summaries[0]
    if form == "json":
        marks = {"tags": summary.tags, "note": summary.note}
        own = {"number": summary.number, "id": summary.id}
        return lambda: print_json({**own, **record.facts, "status": record.status, **marks})
    rows = [*_show_rows(record, summary)]
    if form == "csv":
        return lambda: print_csv(("part", "name", "value"), ((a, *b) for a, b in rows))
    return lambda: _print_show(rows)


@printing
def _print_show(rows: Sequence[tuple[str, tuple[str, str]]]) -> int:
    print_table(("name", "value"), group_rows(rows), sys.stdout)
    return 0


def _show_rows(record: Record, run: RunSummary) -> Iterator[tuple[str, tuple[str, str]]]:
    """Heading, and name and value."""
    for name in FIELDS:
        value = getattr(run, name)
        if value not in (None, "", []):
            yield "", (name, cell(name, value))
    if record.log is not None:
        yield "", ("log", str(record.log))
    origins = {one["target"]: one["origin"] for one in record.facts.get("overrides", ())}
    for target, value in run.params.items():
        origin = f"  ({origins[target]})" if target in origins else ""
        yield "params", (target, f"{_plain(value)}{origin}")
    for name in run.metrics:
        pairs = (f"{what} {_plain(one)}" for what, one in run.statistics(name).items())
        yield "metrics", (name, ", ".join(pairs))
    for kind in ("outputs", "metadata"):
        for name, value in run.values(kind).items():
            yield kind, (name, _plain(value))
    if run.value is not None:
        yield "value", ("value", _plain(run.value))


def _plain(value: Any) -> str:
    return repr(value) if not isinstance(value, float) else f"{value:.6g}"
