"""Figures of recorded runs as plotly's JSON: curves, parallel coordinates, scatter, boxes.

A page draws them by plotly's script, a report without it by ``figure_svg``. Of results, the numbers
of runs that succeeded count alone, and one that was cached counts once, as in ``best``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

from kohaku_ast.display.text import cut, short_repr
from kohaku_ast.errors import UsageError, did_you_mean, unknown
from kohaku_ast.exports.series import Curve, curve_of
from kohaku_ast.store.columns import (
    Columns,
    Getter,
    goal_getter,
    heading,
    order_key,
    without_copies,
)
from kohaku_ast.store.compare import varied_names
from kohaku_ast.store.metrics import is_step
from kohaku_ast.store.query import MISSING
from kohaku_ast.store.store import Runs
from kohaku_ast.store.summary import RunSummary

Figure: TypeAlias = "dict[str, Any]"
"""``data``, a list of traces, and ``layout``, as plotly has them."""

COLOURS = (
    "#3b78d8", "#e0602f", "#2f9e5b", "#c23b8f", "#b8860b", "#7a5cd6", "#1798a6", "#d0435b",
    "#6b8e23", "#8a6d5a",
)  # fmt: skip
"""Of traces, in their order: all can be seen on white and on black."""
SCALE = ((0.0, "#3b78d8"), (0.25, "#1798a6"), (0.5, "#4fae5b"), (0.75, "#d0a020"), (1.0, "#e0502f"))
"""From the least to the greatest number; of ``max:NAME`` the other way: blue is good."""
AXES = ("step", "time")
"""Of curves: the step, or the seconds since the run started."""
_MOST_TEXT = 60
_MOST_AXES = 12
"""Of parallel coordinates that nobody has chosen."""
_MOST_DOTS = 300
"""Points beside the boxes of a figure."""


# --- curves --------------------------------------------------------------------------------------


def curves(
    runs: Runs,
    metric: str,
    *,
    over: str = "step",
    smoothing: float = 0.0,
    log_y: bool = False,
    most_points: int = 1000,
    goal: str = "",
) -> Figure:
    """The numbers of *metric* over the steps, or over the ``time``: a line for each of *runs* that
    has them. Raises UsageError if no run has such a metric.

    :param smoothing: from 0 to 0.99, the part of a point that comes from those before it.
    :param most_points: of a line: of a longer one the least and greatest of each part are left.
    :param goal: ``min:NAME`` or ``max:NAME``: more than ten lines have the colours of the order
        of this number, blue is best; else of their last numbers.
    """
    if over not in AXES:
        raise UsageError(unknown("axis of curves", over, AXES))
    if not 0 <= smoothing < 1:
        raise UsageError(f"smoothing is a number from 0 to 0.99, not {smoothing!r}")
    _check_metric(runs, metric)
    traces: list[dict[str, Any]] = []
    having = [run for run in runs.summaries if metric in run.metrics]
    goal = goal or f"min:last:{metric}"
    get = goal_getter(goal, Columns(runs.summaries))
    colours = _line_colours([get(run) for run in having], goal.startswith("max:"))
    for run, colour in zip(having, colours):
        curve = curve_of(runs.record(run), metric)
        traces += _lines(run, curve, over, smoothing, colour, most_points)
    if len(having) > len(COLOURS):
        traces += _order_bar([get(run) for run in having], goal)
    axes = {"xaxis": _axis("seconds" if over == "time" else "step")}
    axes["yaxis"] = {**_axis(metric), **({"type": "log"} if log_y else {})}
    return {"data": traces, "layout": _layout(**axes, showlegend=1 < len(having) <= len(COLOURS))}


def _check_metric(runs: Runs, metric: str) -> None:
    known = dict.fromkeys(name for run in runs.summaries for name in run.shape.names("last"))
    if metric not in known:
        raise UsageError(f"no run has a metric {metric!r}.{did_you_mean(metric, known)}")


def _lines(
    run: RunSummary, curve: Curve, over: str, smoothing: float, colour: str, most: int
) -> Iterator[dict[str, Any]]:
    """The line of one run; if it is smoothed, what it is made of stands faintly behind it."""
    x = curve.times if over == "time" else curve.steps
    trace = {"type": "scatter", "mode": "lines", "name": _name(run), "meta": run.id,
             "line": {"color": colour, "width": 2}, "legendgroup": run.id}  # fmt: skip
    if smoothing:
        faint = {**trace, "opacity": 0.25, "showlegend": False, "hoverinfo": "skip"}
        yield {**faint, **_points(x, curve.values, most)}
    yield {**trace, **_points(x, smoothed(curve.values, smoothing), most)}


def _points(x: Sequence[float], y: Sequence[float], most: int) -> dict[str, list[Any]]:
    places = _telling_places(y, most)
    return {"x": [_finite(x[at]) for at in places], "y": [_finite(y[at]) for at in places]}


def smoothed(values: Sequence[float], weight: float) -> Sequence[float]:
    """The exponential moving average of *values*, without the bias of its start, as TensorBoard
    shows it; what is no finite number stays, and does not count.
    """
    if not weight:
        return values
    found: list[float] = []
    mean, share = 0.0, 1.0
    for value in values:
        if not math.isfinite(value):
            found.append(value)
            continue
        mean, share = mean * weight + (1 - weight) * value, share * weight
        found.append(mean / (1 - share))
    return found


def _telling_places(values: Sequence[float], most: int) -> Sequence[int]:
    """At most *most* places: the first, the last, and the least and the greatest of each part."""
    size = len(values)
    if size <= most:
        return range(size)
    parts = max(1, (most - 2) // 2)
    chosen = {0, size - 1}
    for part in range(parts):
        own = range(size * part // parts, size * (part + 1) // parts)
        finite = [at for at in own if math.isfinite(values[at])]
        if finite:
            chosen |= {min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)}
    return sorted(chosen)


def _line_colours(numbers: Sequence[Any], is_turned: bool) -> list[str]:
    """A colour for each line: of many by the order of these *numbers*, the least first."""
    count = len(numbers)
    if count <= len(COLOURS):
        return [*COLOURS[:count]]
    sign = -1 if is_turned else 1
    keys = [sign * one if _is_number(one) else math.inf for one in numbers]
    order = sorted(range(count), key=keys.__getitem__)
    places = {at: place for place, at in enumerate(order)}
    return [scale_colour(places[at] / (count - 1)) for at in range(count)]


def _order_bar(numbers: Sequence[Any], goal: str) -> list[dict[str, Any]]:
    """A bar that says what the colours of many lines mean: those of the order of *numbers*."""
    ordered = sorted(one for one in numbers if _is_number(one))
    if not ordered:
        return []
    shares = [0.0, 0.25, 0.5, 0.75, 1.0]
    texts = [f"{ordered[round(share * (len(ordered) - 1))]:.4g}" for share in shares]
    bar = {"title": {"text": _plain(goal_words(goal))}, "thickness": 12, "tickvals": shares,
           "ticktext": texts}  # fmt: skip
    marker = {"color": [0, 1], "colorscale": SCALE, "showscale": True, "colorbar": bar,
              "reversescale": goal.startswith("max:")}  # fmt: skip
    nowhere = {"x": [None, None], "y": [None, None], "text": ["", ""]}
    hidden = {"showlegend": False, "hoverinfo": "skip"}
    return [{"type": "scatter", "mode": "markers", "marker": marker, **nowhere, **hidden}]


def scale_colour(share: float, scale: Sequence[tuple[float, str]] = SCALE) -> str:
    """The colour at *share*, from 0 to 1, of *scale*."""
    share = min(1.0, max(0.0, share))
    for (low, first), (high, second) in pairwise(scale):
        if share <= high:
            part = (share - low) / (high - low) if high > low else 0.0
            pairs = zip(bytes.fromhex(first[1:]), bytes.fromhex(second[1:]))
            return "#" + bytes(round(a + (b - a) * part) for a, b in pairs).hex()
    return scale[-1][1]


# --- results -------------------------------------------------------------------------------------


def parallel(
    runs: Runs, goal: str, names: Sequence[str] = (), *, any_status: bool = False
) -> Figure:
    """Parallel coordinates: a line for each run with a number for *goal*, ``min:NAME``,
    ``max:NAME`` or a name, through an axis for each of *names*, else for each parameter in which
    they differ; blue is best.
    """
    columns = Columns(runs.summaries)
    numbered = _numbered(runs, goal, columns, any_status)
    chosen, results = [run for run, _ in numbered], [number for _, number in numbered]
    names = names or varied_names(chosen)[:_MOST_AXES]
    dimensions = [_dimension(name, chosen, columns.getter(name)) for name in names]
    dimensions.append({"label": _plain(goal_words(goal)), "values": results})
    line = {"color": results, "colorscale": SCALE, "showscale": True,
            "reversescale": goal.startswith("max:")}  # fmt: skip
    trace = {"type": "parcoords", "dimensions": dimensions, "line": line,
             "ids": _ids(chosen), "customdata": [*map(_name, chosen)]}  # fmt: skip
    return {"data": [trace], "layout": _layout()}


def scatter(
    runs: Runs, name: str, metric: str, *, colour: str = "", any_status: bool = False
) -> Figure:
    """A point for each run: its value of *name*, and its number for *metric*, a name, ``min:NAME``
    or ``max:NAME``. *colour*: a name whose numbers colour the points.
    """
    columns = Columns(runs.summaries)
    get = columns.getter(name)
    pairs = [(run, y) for run, y in _numbered(runs, metric, columns, any_status) if _has(run, get)]
    own = [run for run, _ in pairs]
    values = [*map(get, own)]
    is_number = all(map(_is_number, values))
    marker: dict[str, Any] = {"size": 9, "color": COLOURS[0], "opacity": 0.8}
    if colour:
        marker |= _colouring([columns.getter(colour)(run) for run in own], colour)
    trace = {"type": "scatter", "mode": "markers", "marker": marker,
             "x": values if is_number else [*map(_text, values)], "y": [y for _, y in pairs],
             "text": [*map(_name, own)], "ids": _ids(own)}  # fmt: skip
    kind = ("log" if _spans_decades(values) else "linear") if is_number else "category"
    axes = {"xaxis": {**_axis(name), "type": kind}, "yaxis": _axis(goal_words(metric))}
    return {"data": [trace], "layout": _layout(**axes, showlegend=False)}


def box(runs: Runs, by: str, metric: str, *, any_status: bool = False) -> Figure:
    """A box for each group of runs with an equal value of *by*: quartiles of their numbers for
    *metric*, a name, ``min:NAME`` or ``max:NAME``.
    """
    columns = Columns(runs.summaries)
    get = columns.getter(by)
    groups: dict[str, list[tuple[RunSummary, float]]] = {}
    firsts: dict[str, Any] = {}
    for run, number in _numbered(runs, metric, columns, any_status):
        if _has(run, get):
            text = _text(get(run))
            firsts.setdefault(text, get(run))
            groups.setdefault(text, []).append((run, number))
    names = sorted(groups, key=lambda text: order_key(firsts[text]))
    colours = COLOURS * (1 + len(names) // len(COLOURS))
    # plotly takes seconds for thousands of them; else those far away are shown alone.
    points = "all" if sum(map(len, groups.values())) <= _MOST_DOTS else "outliers"
    traces = [_box(name, groups[name], colour, points) for name, colour in zip(names, colours)]
    axes = {"xaxis": {**_axis(by), "type": "category"}, "yaxis": _axis(goal_words(metric))}
    return {"data": traces, "layout": _layout(**axes, showlegend=False)}


def best_so_far(runs: Runs, goal: str) -> Figure:
    """The number for *goal*, ``min:NAME`` or ``max:NAME``, of each run in the order in which they
    ended, and the best one up to each.
    """
    numbered = _numbered(runs, goal, Columns(runs.summaries), any_status=False)
    numbered.sort(key=lambda pair: (pair[0].ended or "", pair[0].number))
    own, numbers = [run for run, _ in numbered], [number for _, number in numbered]
    places = [*range(1, len(own) + 1)]
    best = [*accumulate(numbers, max if goal.startswith("max:") else min)]
    each = {"type": "scatter", "mode": "markers", "name": "each run", "x": places, "y": numbers,
            "text": [*map(_name, own)], "ids": _ids(own),
            "marker": {"size": 7, "color": COLOURS[0], "opacity": 0.6}}  # fmt: skip
    line = {"type": "scatter", "mode": "lines", "name": "best so far", "x": places, "y": best,
            "line": {"color": COLOURS[1], "width": 2, "shape": "hv"}}  # fmt: skip
    axes = {"xaxis": _axis("finished runs"), "yaxis": _axis(goal_words(goal))}
    return {"data": [each, line], "layout": _layout(**axes, showlegend=True)}


def _box(
    name: str, pairs: Sequence[tuple[RunSummary, float]], colour: str, points: str
) -> dict[str, Any]:
    own = [run for run, _ in pairs]
    return {"type": "box", "name": name, "y": [number for _, number in pairs], "ids": _ids(own),
            "text": [*map(_name, own)], "boxpoints": points, "jitter": 0.4, "pointpos": 0,
            "marker": {"color": colour, "size": 5}}  # fmt: skip


def default_goal(runs: Runs) -> str:
    """The ``min:NAME`` or ``max:NAME`` that a reader of *runs* expects: a loss is better small, an
    accuracy great, and what was validated counts first; empty if the runs have no number.
    """
    columns = Columns(runs.summaries)
    numbers = [
        *(name for kind in ("last", "returned", "outputs") for name in columns.names(kind)
          if not is_step(name)),
    ]  # fmt: skip
    numbers = [one for one in dict.fromkeys(numbers) if _has_number(runs, one, columns)]
    for pattern in (_VALIDATED, ""):
        for name in numbers:
            words = name.lower()
            if re.search(pattern, words) and re.search(f"{_GREATER}|{_LESS}", words):
                return f"{'min' if re.search(_LESS, words) else 'max'}:{name}"
    return f"min:{numbers[0]}" if numbers else ""


_VALIDATED = "val|test|eval"
_LESS = "loss|err|mse|mae|rmse|ppl|perplex|nll|cost|fid"
_GREATER = "acc|score|f1|auc|reward|return|r2|bleu|rouge|iou|precision|recall|dice|psnr|ssim"


def goal_words(name: str) -> str:
    """*name* for readers: ``least loss`` for ``min:loss``, ``last loss`` for ``min:last:loss``."""
    goal, _, rest = name.partition(":")
    if goal not in ("min", "max"):
        return heading(name)
    if rest.startswith("last:"):
        return rest.replace(":", " ", 1)
    return f"{'least' if goal == 'min' else 'greatest'} {rest}"


def _has_number(runs: Runs, name: str, columns: Columns) -> bool:
    try:
        get = columns.getter(name)
    except UsageError:  # it fits several parameters
        return False
    return any(_is_number(get(run)) for run in runs.summaries)


def number_getter(name: str, columns: Columns) -> Getter:
    """Reads the number *name*; ``min:NAME`` and ``max:NAME`` as ``best`` compares them."""
    if name.startswith(("min:", "max:")):
        return goal_getter(name, columns)
    return columns.getter(name)


def _numbered(
    runs: Runs, metric: str, columns: Columns, any_status: bool
) -> list[tuple[RunSummary, float]]:
    get = number_getter(metric, columns)
    chosen = [run for run in runs.summaries if any_status or run.status == "succeeded"]
    pairs = [(run, get(run)) for run in without_copies(chosen)]
    return [(run, number) for run, number in pairs if _is_number(number)]


def _is_number(value: Any) -> bool:
    is_one = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_one and math.isfinite(value)


def _has(run: RunSummary, get: Getter) -> bool:
    return get(run) is not MISSING


def _spans_decades(values: Sequence[Any]) -> bool:
    """Whether they are read better on a log axis: positive, and the greatest 50 times the least."""
    return bool(values) and min(values) > 0 and max(values) >= 50 * min(values)


def _dimension(name: str, runs: Sequence[RunSummary], get: Getter) -> dict[str, Any]:
    """An axis of parallel coordinates: of numbers, of their logarithms, or of places of texts."""
    values = [get(run) for run in runs]
    found: dict[str, Any] = {"label": _plain(name)}
    given = [one for one in values if one is not MISSING]
    if not all(map(_is_number, given)) or not given:
        known = _known(values)
        order = {text: place for place, text in enumerate(known)}
        ticks = {"tickvals": [*range(len(known))], "ticktext": [*map(_plain, known)]}
        return {**found, "values": [order[_label(one)] for one in values], **ticks}
    is_log = _spans_decades(given)
    placed = [None if one is MISSING else math.log10(one) if is_log else one for one in values]
    several = sorted(set(given))
    if len(several) > _MOST_TICKS and not is_log:
        return {**found, "values": placed}
    shown = several if len(several) <= _MOST_TICKS else _decades(several[0], several[-1])
    places = [math.log10(one) for one in shown] if is_log else shown
    return {
        **found,
        "values": placed,
        "tickvals": places,
        "ticktext": [f"{one:g}" for one in shown],
    }


_MOST_TICKS = 8


def _decades(least: float, most: float) -> list[float]:
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    return [10.0**power for power in powers]


def _known(values: Iterable[Any]) -> list[str]:
    """The texts of *values*, each once, in the order of the values."""
    firsts: dict[str, Any] = {}
    for one in values:
        firsts.setdefault(_label(one), one)
    return sorted(firsts, key=lambda text: (firsts[text] is MISSING, order_key(firsts[text])))


def _label(value: Any) -> str:
    return "(none)" if value is MISSING else _value_text(value)


def _colouring(values: Sequence[Any], name: str) -> dict[str, Any]:
    numbers = [one if _is_number(one) else None for one in values]
    if all(one is None for one in numbers):
        known = _known(values)
        return {"color": [COLOURS[known.index(_label(one)) % len(COLOURS)] for one in values]}
    bar = {"title": {"text": _plain(name)}, "thickness": 12}
    return {"color": numbers, "colorscale": SCALE, "showscale": True, "colorbar": bar}


# --- texts and axes ------------------------------------------------------------------------------


def _ids(runs: Iterable[RunSummary]) -> list[str]:
    return [run.id for run in runs]


def _name(run: RunSummary) -> str:
    return _plain(f"{run.number} {run.label}".strip())


def _text(value: Any) -> str:
    return _plain(_value_text(value))


def _value_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else short_repr(value)


def _plain(text: str) -> str:
    """*text* on a line, for plotly, which reads a subset of HTML in names."""
    line = " ".join(text.split())
    short = line if len(line) <= _MOST_TEXT else cut(line, _MOST_TEXT - 1) + "…"
    return short.replace("&", "&amp;").replace("<", "&lt;")


def _finite(value: float) -> float | None:
    """JSON has no nan: plotly shows a gap."""
    return value if math.isfinite(value) else None


def _axis(title: str) -> dict[str, Any]:
    return {"title": {"text": _plain(title)}, "automargin": True}


def _layout(**more: Any) -> dict[str, Any]:
    clear = "rgba(0,0,0,0)"  # pages are light or dark
    margin = {"l": 60, "r": 20, "t": 20, "b": 50}
    return {"paper_bgcolor": clear, "plot_bgcolor": clear, "margin": margin,
            "hovermode": "closest", "colorway": [*COLOURS], **more}  # fmt: skip
