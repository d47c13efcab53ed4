"""The page of a sweep: how far it is, when it will end, what failed alike, and the best so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kohaku_ast.errors import UsageError
from kohaku_ast.exports.figures import default_goal, number_getter
from kohaku_ast.flow.failures import FailedRuns, recorded_failures
from kohaku_ast.store.columns import Columns, best_runs, table_cell
from kohaku_ast.store.environment import ProcessMark, host
from kohaku_ast.store.record import Record
from kohaku_ast.store.store import Runs
from kohaku_ast.store.summary import RunSummary
from kohaku_ast.web.answers import answer
from kohaku_ast.web.compare_page import choices_of
from kohaku_ast.web.folders import every_run

_MOST_BEST, _MOST_RUNNING = 10, 50


def show_sweep(request: Request) -> Response:
    """All that the page shows but its figures."""
    flow = request.path_params["flow"]
    every = every_run(request)
    own = [one for one in every.summaries if one.flow == flow and not one.parent]
    if not own:
        raise UsageError(f"no sweep {flow!r}: its runs may have been removed")
    runs = every.chosen(own[::-1])
    goal = request.query_params.get("goal") or default_goal(runs)
    return answer(
        {
            "flow": flow,
            "scripts": [*dict.fromkeys(one.script for one in own)],
            "host": own[0].host,
            **progress(runs),
            "running": [*_running(runs)],
            "failures": [*_failures(runs)],
            **_best(runs, goal),
            **choices_of(runs),
            "goal": goal,
        }
    )


# --- progress ------------------------------------------------------------------------------------


def progress(runs: Runs) -> dict[str, Any]:
    """How far the flow of *runs* is, and how long the rest takes if it goes on as up to now."""
    states = Counter(one.status for one in runs.summaries)
    first, last = runs.summaries[0], runs[-1]
    total = (last.facts.get("flow") or {}).get("runs")
    finished = len(runs) - states["running"]
    is_live = bool(states["running"]) or (finished < (total or 0) and _is_alive(last))
    ends = [one.ended for one in runs.summaries if one.ended]
    ended = None if is_live else max(ends, default=None)
    took = _seconds(first.started, ended)
    return {
        "states": dict(states.most_common()),
        "runs": len(runs),
        "total": total,
        "finished": finished,
        "started": first.started,
        "ended": ended,
        "seconds": took,
        "is_live": is_live,
        "seconds_left": seconds_left(took, finished, total) if is_live else None,
    }


def seconds_left(took: float, finished: int, total: int | None) -> float | None:
    """For the runs that have not finished; None as long as nobody can know it."""
    if total is None or not finished:
        return None
    return took / finished * max(0, total - finished)


def _seconds(start: str, end: str | None) -> float:
    until = time.time() if end is None else datetime.fromisoformat(end).timestamp()
    return max(0.0, until - datetime.fromisoformat(start).timestamp())


def _is_alive(record: Record) -> bool:
    """Whether the process of the flow lives, as far as this machine can know."""
    mark = record.facts.get("flow") or {}
    if record.facts["host"] != host() or not mark.get("pid"):
        return False
    return ProcessMark(mark["pid"], mark["start"]).is_alive


def _running(runs: Runs) -> Iterator[dict[str, Any]]:
    """The runs that are under way, with their last numbers."""
    chosen = [one for one in runs.summaries if one.status == "running"]
    for run in chosen[:_MOST_RUNNING]:
        metrics = runs.record(run).metrics
        numbers = ", ".join(f"{name}={table_cell('', one)}" for name, one in metrics.items())
        yield {**_named(run), "seconds": _seconds(run.started, None), "numbers": numbers}


def _named(run: RunSummary) -> dict[str, Any]:
    return {"id": run.id, "number": run.number, "label": run.label}


# --- failures, and the best ----------------------------------------------------------------------


def _failures(runs: Runs) -> Iterator[dict[str, Any]]:
    """The groups of runs that failed alike, the largest first."""
    ids = {one.number: one.id for one in runs.summaries}
    groups = recorded_failures(runs)
    for group in sorted(groups.groups.values(), key=lambda one: -one.count):
        yield {**_group(group), "runs": [{"number": at, "id": ids[at]} for at in group.indexes]}
    if groups.others:
        yield {"count": groups.others, "error": "other errors", "lines": [], "runs": []}


def _group(group: FailedRuns) -> dict[str, Any]:
    return {"count": group.count, "error": group.error, "lines": [*group.lines]}


def _best(runs: Runs, goal: str) -> dict[str, Any]:
    """The runs with the best numbers for *goal* as a table; none yet, none."""
    columns = Columns(runs.summaries)
    try:
        found = best_runs(runs.summaries, goal, columns)[:_MOST_BEST] if goal else []
    except UsageError:
        if columns.names("last") and goal:
            number_getter(goal, columns)  # raises it again for a name that no run has
        found = []
    varied = choices_of(runs)["varied"]
    names = [*varied, goal]
    return {"best_columns": names, "best": [_best_row(run, names, columns) for run in found]}


def _best_row(run: RunSummary, names: Sequence[str], columns: Columns) -> dict[str, Any]:
    cells = [table_cell("", number_getter(name, columns)(run)) for name in names]
    return {**_named(run), "cells": cells}


routes = (Route("/api/sweeps/{flow}", show_sweep),)
