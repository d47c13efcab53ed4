"""The runs table: pages of rows, chosen by the query language of ``kogine runs ls``, or groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kohaku_ast.display.text import csv_text, short_time
from kohaku_ast.errors import UsageError, did_you_mean
from kohaku_ast.exports.series import curve_of
from kohaku_ast.exports.tables import csv_of_runs
from kohaku_ast.store.columns import FIELDS, Columns, cell, choose_runs, heading, table_names
from kohaku_ast.store.compare import varied_names, varied_params
from kohaku_ast.store.query import MISSING
from kohaku_ast.store.store import Runs, read_since
from kohaku_ast.store.summary import STATISTICS, RunSummary
from kohaku_ast.web.answers import answer, names_in, whole_number
from kohaku_ast.web.folders import Folders, every_run, store_of

_SIZE, _MOST_ROWS = 50, 500
_MOST_TEXT = 300
"""Characters of a cell: the page of the run has all of them."""
_CURVE = "spark:"
"""The start of the name of a column with the curve of a metric."""
_MOST_POINTS = 60
"""Of a curve in a cell."""
_MOST_VARIED = 6
"""Parameters that have a column of their own without being chosen."""
_MOST_COMPARED = 1000
"""Runs, the newest ones, in which those are looked for."""
_MOST_WHOLE = 1e6
_PARAMS = ("", "params.")
SWEEPS = "flow"
"""The name by which runs are grouped into sweeps: the runs of one flow."""


def chosen_runs(request: Request) -> Runs:
    """The runs that the query of *request* chooses: ``where``, ``script``, ``since``, ``sort``, or
    ``runs``, names with commas.
    """
    every, given = every_run(request), request.query_params
    if given.get("runs"):
        return store_of(request).select(names_in(request, "runs"))
    since = read_since(given["since"]) if given.get("since") else ""
    where, sort, script = (given.get(name, "") for name in ("where", "sort", "script"))
    chosen = choose_runs(every.summaries, where, sort, script, since)
    return Runs(store_of(request).root, chosen)


def show_table(request: Request) -> Response:
    """A page of the table."""
    runs = chosen_runs(request)
    group = ",".join(names_in(request, "group"))
    if group == SWEEPS:
        table = _sweeps(runs)
    elif group:
        table = _groups(runs, group, names_in(request, "columns"))
    else:
        table = _rows(runs, names_in(request, "columns"), every_run(request).summaries)
    size = whole_number(request, "size", _SIZE, _MOST_ROWS)
    pages = max(1, ceil(len(table) / size))
    page = whole_number(request, "page", 1, pages)
    store = store_of(request)
    return answer(
        {
            **table.page(page, size),
            "rows_in_all": len(table),
            "page": page,
            "pages": pages,
            "runs": len(runs),
            "of": len(every_run(request)),
            "states": _states(runs.summaries),
            "folder": str(store.root),
        }
    )


def send_csv(request: Request) -> Response:
    """All runs of the table, as ``kogine runs ls --format csv`` prints them, without curves."""
    runs = chosen_runs(request)
    names = [one for one in names_in(request, "columns") if not one.startswith(_CURVE)]
    rows = runs.rows(names) if len(runs) and names else ()
    return Response(
        csv_text(names, rows) if names else csv_of_runs(runs),
        media_type="text/csv",
        headers={"content-disposition": 'attachment; filename="runs.csv"'},
    )


class _Table:
    """A table of which pages are made when they are asked for."""

    def __init__(self, names: Sequence[str], rows: Sequence[Any]) -> None:
        self.names, self.rows = names, rows

    def __len__(self) -> int:
        return len(self.rows)

    def page(self, number: int, size: int) -> dict[str, Any]:
        """Columns and rows of the page *number*, from 1, with *size* rows."""
        rows = [*self.made(self.rows[(number - 1) * size : number * size])]
        values = [row["cells"] for row in rows]
        columns = [
            {"name": name, "heading": self.heading(name), "number": _are_numbers(column)}
            for name, column in zip(self.names, [*zip(*values)] or [()] * len(self.names))
        ]
        shown = [{**row, "cells": [*map(self.shown, self.names, row["cells"])]} for row in rows]
        return {"columns": columns, "rows": shown}

    def heading(self, name: str) -> str:
        """The heading of a column."""
        return "sweep" if name == SWEEPS and self.names is _OF_SWEEPS else heading(name)

    def shown(self, name: str, value: Any) -> Any:
        """A cell of the column *name*: a text, or what the page draws."""
        if isinstance(value, _Drawn):
            return value
        text = cell(name, value)
        return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"

    def made(self, rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """What the page has of *rows*: values in ``cells``, and what else it needs."""
        yield from rows


def _are_numbers(values: Sequence[Any]) -> bool:
    found = [one for one in values if one not in (None, "")]
    return bool(found) and all(type(one) in (int, float) for one in found)


class _Drawn(dict[str, Any]):
    """A ``curve`` or ``states``, which the page draws: no value of a run, which may be a dict."""


def _states(runs: Sequence[RunSummary]) -> dict[str, int]:
    return dict(Counter(one.status for one in runs).most_common())


# --- a row a run ---------------------------------------------------------------------------------


class _RunRows(_Table):
    def __init__(self, names: Sequence[str], runs: Runs, columns: Columns) -> None:
        super().__init__(names, runs.summaries)
        self._getters = [
            _curve_getter(runs, name.removeprefix(_CURVE), columns)
            if name.startswith(_CURVE)
            else columns.getter(name)
            for name in names
        ]
        self._params = {f"{start}{one}" for one in columns.names("params") for start in _PARAMS}

    def shown(self, name: str, value: Any) -> Any:
        # 1.0 as the label has it, and the script: a metric is short.
        is_whole = type(value) is float and value.is_integer() and abs(value) < _MOST_WHOLE
        return repr(value) if is_whole and name in self._params else super().shown(name, value)

    def made(self, rows: Sequence[RunSummary]) -> Iterator[dict[str, Any]]:
        for run in rows:
            state = {"id": run.id, "number": run.number, "status": run.status, "note": run.note}
            values = (get(run) for get in self._getters)
            cells = [None if one is MISSING else one for one in values]
            yield {**state, "kind": run.kind, "cells": cells}


def _rows(runs: Runs, names: Sequence[str], every: Sequence[RunSummary]) -> _Table:
    """A row for each of *runs*. Names mean what they mean among *every* run of the store: a column
    stays if no run that fits has it.
    """
    usual = () if names else _usual_names(runs.summaries)
    return _RunRows([*names, *usual], runs, Columns([*every, *runs.summaries]))


def _usual_names(runs: Sequence[RunSummary]) -> list[str]:
    """The columns that nobody has chosen. Of runs of one script with a few parameters that differ
    these stand in place of the labels.
    """
    names = [one for one in table_names(runs) if one != "id"]
    is_one = len({one.script for one in runs}) == 1
    varied = varied_names(runs[:_MOST_COMPARED]) if is_one else []
    if not 0 < len(varied) <= _MOST_VARIED:
        return names
    at = names.index("label")
    return [*names[:at], *varied, *(one for one in names[at + 1 :] if one not in varied)]


def _curve_getter(runs: Runs, name: str, columns: Columns) -> Callable[[RunSummary], Any]:
    """Reads the curve of a metric, of few points."""
    known = columns.names("last")
    if known and name not in known:
        raise UsageError(f"no run has a metric {name!r}.{did_you_mean(name, known)}")

    def get(run: RunSummary) -> _Drawn:
        values = curve_of(runs.record(run), name).values
        step = max(1, ceil(len(values) / _MOST_POINTS))
        return _Drawn(curve=[*values[::step], *(values[-1:] if (len(values) - 1) % step else ())])

    return get


# --- a row a group -------------------------------------------------------------------------------

_OF_SWEEPS = (SWEEPS, "script", "started", "took", "runs", "states", "varied")


def _sweeps(runs: Runs) -> _Table:
    """A row for each flow, the newest first."""
    flows: dict[str, list[RunSummary]] = {}
    for one in runs.summaries:
        flows.setdefault(one.flow, []).append(one)
    return _Table(_OF_SWEEPS, [_sweep(flow, own) for flow, own in flows.items()])


def _sweep(flow: str, runs: Sequence[RunSummary]) -> dict[str, Any]:
    first, last = runs[-1], max(runs, key=lambda one: one.ended or "")
    scripts = ", ".join(dict.fromkeys(one.script for one in runs))
    varied = ", ".join(varied_params([runs]))
    took = _between(first.started, last.ended) if all(one.ended for one in runs) else ""
    cells = [flow, scripts, first.started, took, len(runs), _Drawn(states=_states(runs)), varied]
    link = {"sweep": flow} if len(runs) > 1 else {"id": runs[0].id}
    return {**link, "status": first.status, "cells": cells}


def _between(start: str, end: str | None) -> str:
    from datetime import datetime

    if end is None:
        return ""
    return short_time((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def _groups(runs: Runs, by: str, metrics: Sequence[str]) -> _Table:
    """A row for each group of runs with equal values of *by*, as ``kogine runs compare --by``."""
    found = runs.compare(by=by, metric=[*metrics])
    names = by.split(",")
    rows = []
    for row in found.rows:
        own = dict(zip(found.columns, row))
        rows.append({"where": _condition(names, own), "status": "", "cells": [*row]})
    return _Table(found.columns, rows)


def _condition(names: Sequence[str], row: Mapping[str, Any]) -> str:
    """The query that the runs of a group fit; empty if a value has no text in it."""
    values = [row.get(name) for name in names]
    if not all(isinstance(one, (int, float, str)) for one in values):
        return ""
    return " and ".join(f"{name} == {value!r}" for name, value in zip(names, values))


# --- what can be chosen --------------------------------------------------------------------------


def list_columns(request: Request) -> Response:
    """The names of columns, by kind."""
    runs = every_run(request)
    shapes = {id(one.shape): one.shape for one in runs.summaries}.values()

    def names(kind: str) -> list[str]:
        return [*dict.fromkeys(name for shape in shapes for name in shape.names(kind))]

    metrics = names("last")
    found = {
        "fields": [*FIELDS],
        "parameters": names("params"),
        "metrics": metrics,
        "curves": [f"{_CURVE}{one}" for one in metrics],
        "statistics": [f"{what}:{one}" for one in metrics for what in STATISTICS[1:3]],
        "results": [f"outputs.{one}" for one in names("outputs")]
        + [f"returned.{one}" for one in names("returned")],
        "nodes": [f"nodes.{one}" for one in names("nodes")],
        "metadata": names("metadata"),
    }
    shown = _usual_names(runs.summaries)
    return answer({"kinds": {k: v for k, v in found.items() if v}, "shown": shown})


def list_stores(request: Request) -> Response:
    """The stores, with the number of runs in each."""
    folders: Folders = request.app.state.folders
    found = [{"name": name, "folder": str(one.root)} for name, one in folders.stores.items()]
    return answer({"stores": found})


routes = (
    Route("/api/runs", show_table),
    Route("/api/runs.csv", send_csv),
    Route("/api/columns", list_columns),
    Route("/api/stores", list_stores),
)
