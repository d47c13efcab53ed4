"""The numbers of a recorded run: one by one with whole steps, as other tools take them; curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from math import isfinite
from typing import Any, NamedTuple

from kohaku_ast.store.metrics import Number, read_series, whole_series
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import SERIES
from kohaku_ast.store.summary import plain_value


class Point(NamedTuple):
    """One number of a run."""

    name: str
    value: Number
    #: Seconds since the epoch.
    time: float
    step: int


def points_of(record: Record) -> Iterator[Point]:
    """The numbers that the run of *record* has printed, in order; then its outputs and its value
    that are numbers and have no metric of their name. What comes later is only ever added, until
    the end of a run that has several parts (``part_of``).
    """
    if record.status == "running":  # how much of the parts before counts is not known yet
        series = [*read_series(record.folder / SERIES)]
    else:
        series = whole_series(record.folder, record.facts)
    names = set()
    for point in _series_points(series):
        names.add(point.name)
        yield point
    ended = record.started if record.ended is None else record.ended
    # Of the scripts of a pipeline, and of an earlier version's record: the last ones.
    for name, one in () if record.status == "running" else record.metric_summary.items():
        if name not in names:
            names.add(name)
            yield Point(name, one["last"], ended, int(one.get("step") or 0))
    for name, value in _results(record):
        if name not in names:
            yield Point(name, value, ended, 0)


class Curve(NamedTuple):
    """The numbers of one metric of a run, in the order in which they came."""

    steps: list[Number]
    #: Seconds since the run started.
    times: list[float]
    values: list[Number]


def curve_of(record: Record, metric: str) -> Curve:
    """The numbers of *metric* in *record*; none without a series."""
    points = [
        (one["step"], one["time"] - record.started, one["metrics"][metric])
        for one in whole_series(record.folder, record.facts)
        if metric in one.get("metrics", ())
    ]
    return Curve(*map(list, zip(*points))) if points else Curve([], [], [])


def part_of(record: Record) -> str:
    """Changes when other points take the place of those that ``points_of`` has given."""
    several = bool(record.facts.get("attempts") or record.facts.get("resumed_from"))
    has_joined = several and record.status != "running"
    return f"{record.attempt}{'+' if has_joined else ''}"


def _series_points(series: list[dict[str, Any]]) -> Iterator[Point]:
    # Epochs of 0.25, 0.5 and 0.75 would all be step 0.
    is_whole = all(_is_whole(point["step"]) for point in series)
    counts: Counter[str] = Counter()
    for point in series:
        for name, value in point["metrics"].items():
            step = int(point["step"]) if is_whole else counts[name]
            counts[name] += 1
            yield Point(name, value, point["time"], step)


def _is_whole(step: Any) -> bool:
    return isinstance(step, (int, float)) and isfinite(step) and step == int(step)


def _results(record: Record) -> Iterator[tuple[str, Number]]:
    forms = dict(record.facts.get("outputs") or {})
    values = {name: plain_value(form) for name, form in forms.items()}
    if record.facts.get("value") is not None:
        value = plain_value(record.facts["value"])
        values = {**(value if isinstance(value, dict) else {"value": value}), **values}
    for name, value in values.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, value


def unique_names(names: Iterable[str], change: Callable[[str], str]) -> dict[str, str]:
    """Each of *names* -> what *change* makes of it, with ``_2``, ``_3`` ... where that is taken."""
    found: dict[str, str] = {}
    used = set()
    for name in names:
        plain, number = change(name), 1
        text = plain
        while text in used:
            number += 1
            text = f"{plain}_{number}"
        used.add(text)
        found[name] = text
    return found
