"""The page that compares runs: the columns in which they differ, and figures of them, of which the
sweep's page and the run's show some as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kohaku_ast.errors import UsageError, unknown
from kohaku_ast.exports.figure_svg import figure_svg
from kohaku_ast.exports.figures import (
    Figure,
    best_so_far,
    box,
    curves,
    default_goal,
    parallel,
    scatter,
)
from kohaku_ast.store.columns import Columns, heading, sort_runs, table_cell
from kohaku_ast.store.compare import varied_names
from kohaku_ast.store.metrics import is_step
from kohaku_ast.store.store import Runs
from kohaku_ast.web.answers import answer, names_in
from kohaku_ast.web.runs_table import chosen_runs

_MOST_ROWS = 500
_MOST_CURVES = 100
"""Runs in a figure of curves: more lines cannot be told apart."""


def compared_runs(request: Request) -> Runs:
    """The runs that *request* chooses, the oldest first unless it names their order."""
    runs, sort = chosen_runs(request), request.query_params.get("sort", "")
    if not len(runs):
        raise UsageError("no run fits: there is nothing to compare")
    if request.query_params.get("runs"):
        summaries = runs.summaries
        return runs.chosen(sort_runs(summaries, sort, Columns(summaries))) if sort else runs
    return runs if sort else runs.chosen(runs.summaries[::-1])


def show_comparison(request: Request) -> Response:
    """The table of what differs, and what figures can show."""
    runs = compared_runs(request)
    found = runs[:_MOST_ROWS].compare(everything=request.query_params.get("all") == "1")
    shown = [name for name in found.columns if name not in ("number", "id")]
    rows = [_row(dict(zip(found.columns, row)), shown) for row in found.rows]
    numbers = [{type(row[name]) for row in found if row[name] is not None} for name in shown]
    columns = [
        {"name": name, "heading": heading(name), "number": bool(kinds) and kinds <= {int, float}}
        for name, kinds in zip(shown, numbers)
    ]
    return answer({"runs": len(runs), "columns": columns, "rows": rows, **choices_of(runs)})


def _row(row: Mapping[str, Any], shown: list[str]) -> dict[str, Any]:
    cells = [table_cell(name, row[name]) for name in shown]
    return {"id": row["id"], "number": row["number"], "cells": cells}


def choices_of(runs: Runs) -> dict[str, Any]:
    """What figures of *runs* can show: parameters that differ, and the one with the fewest values,
    metrics, and goals.
    """
    columns = Columns(runs.summaries)
    metrics = [one for one in columns.names("last") if not is_step(one)]
    results = [one for kind in ("returned", "outputs") for one in columns.names(kind)]
    numbers = dict.fromkeys([*metrics, *results])
    varied = varied_names(runs.summaries)
    return {
        "varied": varied,
        "by": _fewest(runs, varied, columns),
        "metrics": metrics,
        "goals": [f"{what}:{name}" for name in numbers for what in ("min", "max")],
        "goal": default_goal(runs),
    }


def _fewest(runs: Runs, names: list[str], columns: Columns) -> str:
    """The one of *names* with the fewest values: groups of many runs."""

    def count(name: str) -> int:
        get = columns.getter(name)
        return len({repr(get(run)) for run in runs.summaries})

    return min(names, key=count, default="")


# --- figures -------------------------------------------------------------------------------------


def show_figure(request: Request) -> Response:
    """A figure of the chosen runs, as plotly's JSON; parallel coordinates with their ``svg``, since
    plotly's need what the policy of pages forbids.
    """
    name, given = request.path_params["name"], request.query_params
    if name not in _FIGURES:
        raise UsageError(unknown("figure", name, _FIGURES))
    runs = compared_runs(request)
    figure = _FIGURES[name](runs, given, given.get("goal") or default_goal(runs))
    if name != "parallel":
        return answer(figure)
    axes = [one["label"] for one in figure["data"][0]["dimensions"]]
    drawing = figure_svg(figure, f"Parallel coordinates: {', '.join(axes)}", 360, 1000)
    return answer({**figure, "svg": drawing, "names": names_in(request, "names")})


def _curves(runs: Runs, given: Mapping[str, str], goal: str) -> Figure:
    if not given.get("metric"):
        raise UsageError("no metric is chosen")
    text = given.get("smooth") or "0"
    try:
        smoothing = float(text)
    except ValueError:
        raise UsageError(f"smooth {text!r}: a number from 0 to 0.99") from None
    figure = curves(
        runs[:_MOST_CURVES],
        given["metric"],
        over=given.get("over") or "step",
        smoothing=smoothing,
        log_y=given.get("log") == "1",
        goal=goal,
    )
    return {**figure, "left_out": max(0, len(runs) - _MOST_CURVES)}


def _parallel(runs: Runs, given: Mapping[str, str], goal: str) -> Figure:
    names = [one for one in given.get("names", "").split(",") if one]
    return parallel(runs, goal, names)


def _scatter(runs: Runs, given: Mapping[str, str], goal: str) -> Figure:
    return scatter(runs, _first(runs, given.get("x", "")), goal, colour=given.get("colour", ""))


def _box(runs: Runs, given: Mapping[str, str], goal: str) -> Figure:
    by = given.get("by") or _fewest(runs, varied_names(runs.summaries), Columns(runs.summaries))
    return box(runs, _first(runs, by), goal)


def _best(runs: Runs, given: Mapping[str, str], goal: str) -> Figure:
    return best_so_far(runs, goal)


def _first(runs: Runs, name: str) -> str:
    """*name*, or the first parameter in which *runs* differ."""
    varied = varied_names(runs.summaries)
    if not name and not varied:
        raise UsageError("the runs do not differ in a parameter")
    return name or varied[0]


_FIGURES: dict[str, Callable[[Runs, Mapping[str, str], str], Figure]] = {
    "curves": _curves,
    "parallel": _parallel,
    "scatter": _scatter,
    "box": _box,
    "best": _best,
}

routes = (
    Route("/api/compare", show_comparison),
    Route("/api/figures/{name}", show_figure),
)
