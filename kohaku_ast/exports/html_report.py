"""A report of recorded runs: one HTML file that is read without network, and prints well.

It has no script: figures are SVG. With *standalone* plotly's script is inside, and takes the place
of curves, points and boxes with what can be zoomed; should it fail, the SVG stays.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from html import unescape
from typing import Any

from kohaku_ast.display.graph_layout import marked_up
from kohaku_ast.display.text import exact_time, plain_line
from kohaku_ast.errors import UsageError
from kohaku_ast.exports.figure_svg import figure_svg
from kohaku_ast.exports.figures import (
    Figure,
    box,
    curves,
    default_goal,
    goal_words,
    parallel,
    scatter,
)
from kohaku_ast.exports.report_page import Page, pairs_table, table
from kohaku_ast.flow.failures import FailedRuns, recorded_failures
from kohaku_ast.store.columns import Columns, best_runs, goal_getter, heading, table_cell
from kohaku_ast.store.compare import varied_names
from kohaku_ast.store.metrics import is_step
from kohaku_ast.store.query import MISSING
from kohaku_ast.store.run_diff import environment_of, git_of
from kohaku_ast.store.store import Runs
from kohaku_ast.store.summary import RunSummary
from kohaku_ast.version import VERSION

_MOST_ROWS = 1000
"""Of the table of values."""
_MOST_BEST, _MOST_OTHERS = 10, 4
"""Rows of the table of the best runs, and its columns of other metrics."""
_MOST_LINES = 40
"""Runs in a figure of curves: the best ones."""
_MOST_CURVES, _MOST_AGAINST = 6, 8
"""Metrics with curves, and parameters that the result is drawn against."""


def report_of_runs(
    runs: Runs, *, best: str = "", title: str = "", query: str = "", standalone: bool = False
) -> bytes:
    """The report of *runs* as a page. *best*: ``min:NAME`` or ``max:NAME``, else what the names of
    their numbers suggest. *query*: how they were chosen, for the reader.

    Raises UsageError if no run has that number, or *standalone* lacks plotly.
    """
    page = Page(title or _title(runs), standalone)
    report = _Report(runs, best, query, page)
    for name, section in _SECTIONS.items():
        page.add(name, section(report))
    made = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return page.text(f"Made by kogine runs report, kohaku_ast {VERSION}, on {made}.").encode()


class _Report:
    """What the sections of a report read."""

    def __init__(self, runs: Runs, best: str, query: str, page: Page) -> None:
        self.runs, self.summaries, self.query, self._page = runs, runs.summaries, query, page
        self.columns = Columns(runs.summaries)
        self.goal = best or default_goal(runs)
        #: The runs that succeeded and have the number, the best first.
        self.ranking = self._ranked(is_asked=bool(best))

    def _ranked(self, is_asked: bool) -> list[RunSummary]:
        if not self.goal:
            return []
        try:
            return best_runs(self.summaries, self.goal, self.columns)
        except UsageError:
            if is_asked:
                raise
            return []  # none has succeeded yet

    @property
    def shown_goal(self) -> str:
        """``least val_loss``."""
        return goal_words(self.goal)

    @cached_property
    def varied(self) -> list[str]:
        """The parameters in which the runs differ."""
        return varied_names(self.summaries)

    def result(self, run: RunSummary) -> str:
        """The number of *run* that is compared."""
        return table_cell("", goal_getter(self.goal, self.columns)(run))

    def figure(self, figure: Figure, title: str, height: int = 320, width: int = 760) -> str:
        """*figure* as a part of the page."""
        return self._page.figure(figure, figure_svg(figure, title, height, width), title)


def _title(runs: Runs) -> str:
    scripts = [*dict.fromkeys(one.script for one in runs.summaries)]
    of = f" of {scripts[0]}" if len(scripts) == 1 else ""
    return f"{_count(len(runs))}{of}"


def _count(number: int, what: str = "run") -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


# --- summary and best runs -----------------------------------------------------------------------


def _summary(report: _Report) -> Iterator[str]:
    if not report.summaries:
        yield "<p>No run fits.</p>"
        return
    counts = Counter(one.status for one in report.summaries)
    chips = (f'<li class="{state}"><b>{count}</b> {state}</li>' for state, count in counts.items())
    yield f'<ul class="chips">{"".join(chips)}</ul>'
    yield pairs_table(_facts(report))


def _facts(report: _Report) -> Iterator[tuple[str, str]]:
    runs = report.summaries
    yield "scripts", ", ".join(dict.fromkeys(one.script for one in runs))
    starts = sorted(one.started for one in runs)
    ends = dict.fromkeys(table_cell("started", one) for one in (starts[0], starts[-1]))
    yield "started", " to ".join(ends)
    took = sorted(one.seconds for one in runs if one.seconds is not None)
    if took:
        yield "time", f"{exact_time(sum(took))} in all, median {exact_time(took[len(took) // 2])}"
    if report.varied:
        yield "varied", ", ".join(f"{name} ({_values(report, name)})" for name in report.varied)
    if report.ranking:
        first = report.ranking[0]
        yield report.shown_goal, f"{report.result(first)} in run {first.number}: {first.label}"
    if report.query:
        yield "query", report.query


def _values(report: _Report, name: str) -> str:
    """``3 values``: how many *name* has."""
    get = report.columns.getter(name)
    values = {repr(value) for value in map(get, report.summaries) if value is not MISSING}
    return _count(len(values), "value")


def _best(report: _Report) -> Iterator[str]:
    if not report.ranking:
        return
    own = report.goal.rpartition(":")[2]
    others = [name for name in report.columns.names("last") if name != own and not is_step(name)]
    others = others[:_MOST_OTHERS]
    getters = [report.columns.getter(one) for one in (*report.varied, *_last(others))]
    rows = [
        [str(run.number), report.result(run), *(table_cell("", get(run)) for get in getters),
         table_cell("seconds", run.seconds)]
        for run in report.ranking[:_MOST_BEST]
    ]  # fmt: skip
    yield table(("#", report.shown_goal, *report.varied, *others, "seconds"), rows)
    first = report.ranking[0].number
    yield (
        f"<p>Of {_count(len(report.ranking))} that succeeded and have this number. "
        f"<code>kogine runs show {first}</code> shows the first, <code>kogine runs repeat {first}"
        "</code> runs it again.</p>"
    )


def _last(metrics: list[str]) -> list[str]:
    return [f"last:{one}" for one in metrics]


# --- figures -------------------------------------------------------------------------------------


def _curves(report: _Report) -> Iterator[str]:
    names = _with_curves(report)[:_MOST_CURVES]
    ranked = {run.id for run in report.ranking}
    order = [*report.ranking, *(one for one in report.summaries if one.id not in ranked)]
    having = [one for one in order if not {*names}.isdisjoint(one.shape.names("last"))]
    shown = sorted(having[:_MOST_LINES], key=lambda one: one.number)
    goal = "" if ranked.isdisjoint(one.id for one in shown) else report.goal
    own, most_points = report.runs.chosen(shown), 400 if len(shown) <= 10 else 120
    for name in names:
        figure = curves(own, name, most_points=most_points, goal=goal)
        yield report.figure(figure, f"{name} over the steps of {_count(len(shown))}", 300)
    if len(having) > len(shown):
        yield f"<p>The {len(shown)} best of {len(having)} runs.</p>"


def _with_curves(report: _Report) -> list[str]:
    """The metrics that some run has several times, that of the goal first."""
    own = report.goal.rpartition(":")[2]
    found = [name for name in report.columns.names("last") if _is_curve(report, name)]
    return sorted(found, key=lambda name: name != own)


def _is_curve(report: _Report, name: str) -> bool:
    having = (one for one in report.summaries if ("last", name) in one.shape.places)
    return not is_step(name) and any((one.statistics(name)["count"] or 0) > 1 for one in having)


def _parallel(report: _Report) -> Iterator[str]:
    if len(report.ranking) > 1 and varied_names(report.ranking):
        figure = parallel(report.runs, report.goal)
        *names, _ = (unescape(one["label"]) for one in figure["data"][0]["dimensions"])
        text = f"{', '.join(names)} and the {report.shown_goal} of {_count(len(report.ranking))}"
        yield report.figure(figure, text, 340)


def _against(report: _Report) -> Iterator[str]:
    """The result over each parameter: points for numbers, boxes for the few values of others."""
    names = varied_names(report.ranking) if len(report.ranking) > 2 else []
    yield '<div class="pairs">' if names else ""
    for name in names[:_MOST_AGAINST]:
        get = report.columns.getter(name)
        values = [get(run) for run in report.ranking]
        is_text = any(not isinstance(one, (int, float)) or isinstance(one, bool) for one in values)
        is_grouped = len(set(map(repr, values))) <= min(8, len(values) // 2)
        if is_text and not is_grouped:
            continue  # each run has a text of its own
        draw: Callable[..., Figure] = box if is_grouped else scatter
        text = f"{report.shown_goal} by {name}"
        yield report.figure(draw(report.runs, name, report.goal), text, 280, 480)
    yield "</div>" if names else ""


# --- tables --------------------------------------------------------------------------------------


def _differences(report: _Report) -> Iterator[str]:
    if len(report.runs) < 2:
        return
    found = report.runs[:_MOST_ROWS].compare()
    rows = [[table_cell(*pair) for pair in zip(found.columns, row)] for row in found.rows]
    yield table([heading(one) for one in found.columns], rows)
    if len(report.runs) > _MOST_ROWS:
        yield f"<p>The first {_MOST_ROWS} of {len(report.runs)} runs.</p>"


def _failures(report: _Report) -> Iterator[str]:
    groups = recorded_failures(report.runs)
    for group in sorted(groups.groups.values(), key=lambda one: -one.count):
        yield _failure(group)
    if groups.others:
        yield f"<p>{groups.others} more have failed with other errors.</p>"


def _failure(group: FailedRuns) -> str:
    numbers = ", ".join(map(str, group.indexes))
    numbers += ", …" if group.count > len(group.indexes) else ""
    which = "run" if group.count == 1 else "runs"
    lines = marked_up("\n".join(group.lines))
    return (
        f'<details class="failure"><summary><b>{_count(group.count)}</b> '
        f"<code>{marked_up(group.error)}</code></summary>"
        f"<p>{which} {numbers}; the first, {group.number}: {marked_up(group.label)}</p>"
        f"<pre>{lines}</pre></details>"
    )


def _environment(report: _Report) -> Iterator[str]:
    found: dict[str, Counter[str]] = {}
    packages: dict[str, Counter[str]] = {}
    for record in report.runs:
        facts = environment_of(record)
        facts |= {f"git.{name}": text for name, text in git_of(record).items() if name != "diff"}
        facts["script"] = f"{record.script} ({str(record.facts['script'].get('sha256'))[:12]})"
        _count_values(found, facts)
        _count_values(packages, record.facts.get("packages") or {})
    if found:
        yield pairs_table((name, _shares(counts)) for name, counts in found.items())
    if packages:
        names = sorted(packages, key=str.lower)
        listed = pairs_table((name, _shares(packages[name])) for name in names)
        yield f"<details><summary>{_count(len(names), 'package')}</summary>{listed}</details>"


def _count_values(found: dict[str, Counter[str]], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        found.setdefault(name, Counter())[plain_line(str(value))] += 1


def _shares(counts: Counter[str]) -> str:
    """One value, or each with the number of its runs."""
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{value} ({_count(number)})" for value, number in counts.most_common(6)]
    return ", ".join(shown) + (f", {len(counts) - 6} more" if len(counts) > 6 else "")


_SECTIONS: dict[str, Callable[[_Report], Iterator[str]]] = {
    "Summary": _summary,
    "Best runs": _best,
    "Curves": _curves,
    "Parallel coordinates": _parallel,
    "Result by value": _against,
    "Failures": _failures,
    "Differing values": _differences,
    "Environment": _environment,
}
