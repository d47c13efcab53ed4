"""What ``kogine runs`` prints, tables, JSON, CSV and logs, and the marks that it writes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kogine.report import print_answer, printing

from kohaku_ast.display.text import (
    Group,
    csv_text,
    group_rows,
    json_text,
    print_table,
    sparkline,
)
from kohaku_ast.errors import UsageError, did_you_mean, visible
from kohaku_ast.exports.series import curve_of
from kohaku_ast.exports.tables import document, table_of
from kohaku_ast.store.columns import heading, table_cell, table_names
from kohaku_ast.store.query import Query
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.store import Runs, Store
from kohaku_ast.store.summary import RunSummary

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
    shown = runs[:limit] if limit else runs
    # Of all runs: those that are shown may lack a name that others have.
    rows = _rows(runs, names, len(shown), form) if len(runs) and names else []
    if form != "table":
        return lambda: _print_data(shown, names, rows, form)
    if not len(runs):
        what = "no run fits" if any(chosen.values()) and len(store.runs(limit=1)) else "no runs"
        return lambda: _print_line(f"{what} in {str(store.root)!r}")
    more = (
        f"{len(shown)} of {len(runs)} runs; --limit 0 lists all" if len(shown) < len(runs) else ""
    )
    names = names or table_names(shown.summaries)
    return lambda: print_runs(names, rows or [*shown.rows(names)], more)


_CURVE = "spark:"
"""The start of the name of a column with the curve of a metric."""


def _rows(runs: Runs, names: Sequence[str], most: int, form: str) -> list[list[Any]]:
    """The values of *names* in the first *most* of *runs*; a curve is a list of numbers, in a table
    a line of blocks.
    """
    plain = [one for one in names if not one.startswith(_CURVE)]
    rows = [[*row] for row in [*runs.rows(plain)][:most]]
    for place, name in enumerate(names):
        if name.startswith(_CURVE):
            metric = _metric(runs, name.removeprefix(_CURVE))
            for row, record in zip(rows, runs):
                curve = curve_of(record, metric).values
                row.insert(place, sparkline(curve, sys.stdout) if form == "table" else curve)
    return rows


def _metric(runs: Runs, name: str) -> str:
    known = {one: None for run in runs.summaries for one in run.metrics}
    if name not in known:
        raise UsageError(f"no run has a metric {name!r}.{did_you_mean(name, known)}")
    return name


@printing
def print_runs(names: Sequence[str], rows: Iterable[Sequence[Any]], more: str = "") -> int:
    """Print a table for readers, and the line *more* below it."""
    cells = tuple(tuple(map(table_cell, names, row)) for row in rows)
    print_table(tuple(map(heading, names)), [Group("", cells)], sys.stdout)
    sys.stdout.write(more and f"{more}\n")
    return 0


# --- JSON and CSV --------------------------------------------------------------------------------


def _print_data(runs: Runs, names: Sequence[str], rows: Sequence[Sequence[Any]], form: str) -> int:
    if form == "json":
        return print_json(_documents(runs, names, rows))
    return print_csv(*_csv(runs, names, rows))


def _documents(runs: Runs, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
    if names:
        return [dict(zip(names, row)) for row in rows]
    return [document(one, runs) for one in runs.summaries]


def _csv(
    runs: Runs, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    return (names, rows) if names else table_of(runs)


@printing
def print_json(found: Any) -> int:
    """Print *found*; numbers that JSON lacks are texts, as in run.json."""
    sys.stdout.write(json_text(found))
    return 0


@printing
def print_csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Print a line of *names* and one for each of *rows*; lists and dicts are JSON."""
    sys.stdout.write(csv_text(names, rows))
    return 0


# --- one run -------------------------------------------------------------------------------------


def start_show(folder: str, name: str, form: str) -> Callable[[], int]:
    """The function that prints the run *name*."""
    runs = store_of(folder).select([name])
    from kohaku_ast.exports.run_sheet import show_rows  # here: lists do without
    from kohaku_ast.store.pipeline_record import nodes_of

    record, summary = runs[0], runs.summaries[0]
    nodes = nodes_of(record) if summary.kind == "pipeline" else []
    if form == "json":
        marks = {"tags": summary.tags, "note": summary.note}
        own = {"number": summary.number, "id": summary.id}
        now = {"status": record.status, **({"nodes": nodes} if nodes else {})}
        return lambda: print_json({**own, **record.facts, **now, **marks})
    rows = [*show_rows(record, summary, nodes)]
    if form == "csv":
        return lambda: print_csv(("part", "name", "value"), ((a, *b) for a, b in rows))
    error = record.error.traceback if record.error else ""
    return lambda: _print_show(rows, error)


@printing
def _print_show(rows: Sequence[tuple[str, tuple[str, str]]], traceback: str) -> int:
    print_table(("name", "value"), group_rows(rows), sys.stdout)
    sys.stdout.write(traceback and f"\n# traceback\n{visible(traceback.rstrip())}\n")
    return 0


def start_best(
    folder: str, name: str, where: str, limit: int | None, any_status: bool, form: str
) -> Callable[[], int]:
    """The function that prints the best of the runs that fit *where*: *limit* of them, all for 0,
    one for None. They have succeeded, unless *any_status*, or *where* asks for a status.
    """
    runs = store_of(folder).runs(where)
    if not len(runs):
        fits = " fits" if where else ""
        raise UsageError(f"no run{fits} in {str(store_of(folder).root)!r}")
    any_status = any_status or (bool(where) and "status" in Query(where).names)
    found = runs.best(name, len(runs) if limit == 0 else limit or 1, any_status=any_status)
    if form == "json" and limit is None:
        return lambda: print_json(document(found.summaries[0], found))
    if form != "table":
        return lambda: _print_data(found, (), (), form)
    names = table_names(found.summaries)
    names += [name] if any(name.partition(":")[2] in one for one in found.metrics) else []
    return lambda: print_runs(names, [*found.rows(names)])


def run_candidates(folder: str) -> Iterator[tuple[str, str, bool]]:
    """Words that name the newest runs, for completion."""
    runs = store_of(folder).runs(limit=_MOST_ROWS).summaries
    yield from [("last", runs[0].label, True)] if runs else []
    yield from ((str(one.number), f"{one.status} {one.label}", True) for one in runs)
    yield from ((one.id, f"{one.status} {one.label}", True) for one in runs)


# --- marks ---------------------------------------------------------------------------------------


def start_tag(
    folder: str, name: str, tags: Sequence[str], remove: bool, form: str
) -> Callable[[], int]:
    """Add *tags* to the run *name*, or remove them, now; the function prints those that it has."""
    store = store_of(folder)
    runs = store.select([name])
    lacking = [one for one in tags if remove and one not in runs.summaries[0].tags]
    if lacking:
        has = ", ".join(map(repr, runs.summaries[0].tags)) or "none"
        raise UsageError(f"run {runs.summaries[0].number} has no tag {lacking[0]!r}; it has: {has}")
    found = store.tag(runs[0], *tags, remove=remove)
    return _mark_printer(runs.summaries[0], "tags", found, ", ".join(found), form)


def start_note(folder: str, name: str, text: str, form: str) -> Callable[[], int]:
    """Write a note to the run *name*, now; the function prints it."""
    store = store_of(folder)
    runs = store.select([name])
    store.note(runs[0], text)
    return _mark_printer(runs.summaries[0], "note", text, text, form)


def _mark_printer(
    run: RunSummary, mark: str, value: object, text: str, form: str
) -> Callable[[], int]:
    row = {"number": run.number, "id": run.id, mark: value}
    line = visible(f"run {run.number}: {text or f'no {mark}'}")
    return lambda: print_answer(form, [line], [*row], [row])


def start_reindex(folder: str, form: str) -> Callable[[], int]:
    """Make the index anew, now; the function prints the number of runs."""
    count = store_of(folder).reindex()
    line = f"{count} run{'s' if count != 1 else ''} in the index"
    return lambda: print_answer(form, [line], ["runs"], [{"runs": count}])


@printing
def _print_line(text: str) -> int:
    sys.stdout.write(f"{visible(text)}\n")
    return 0
