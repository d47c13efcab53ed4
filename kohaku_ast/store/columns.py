"""Columns: what a name means in the runs of a store: a field, a parameter, a metric, an output.

Queries, ``sort``, tables and ``best`` read names here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from kohaku_ast.errors import UsageError, did_you_mean
from kohaku_ast.store.index import STATISTICS, RunSummary
from kohaku_ast.store.query import MISSING, Query

Getter: TypeAlias = "Callable[[RunSummary], Any]"
"""Gives the value of a name in a run, or ``MISSING``."""

FIELDS = (
    "number", "id", "identity", "status", "script", "label", "index", "attempt", "started",
    "ended", "seconds", "exit_status", "error", "host", "commit", "tags", "note",
)  # fmt: skip
"""Names that every run has."""
_ALIASES = {"git.commit": "commit", "git commit": "commit", "folder": "id"}
_KINDS = ("params", "metrics", "outputs", "metadata")
_LAST = re.compile(r"(?:^|[.\s(-])([^.\s()\[\]-][^.\s()\[\]]*)\)?$|\[['\"]?([^'\"\]]+)['\"]?\]$")


class Columns:
    """The names of *runs*, and their values."""

    def __init__(self, runs: Sequence[RunSummary]) -> None:
        self._runs = runs
        #: Name -> its getter; names come again in queries, ``sort`` and tables.
        self._getters: dict[str, Getter] = {}

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """Kind (``params``, ``metrics``, ...) -> the names that any run has, in their order."""
        found: dict[str, dict[str, None]] = {kind: {} for kind in _KINDS}
        for run in self._runs:
            for kind in _KINDS:
                values = run.values.get(kind)
                if values:
                    found[kind].update(dict.fromkeys(values))
        return {kind: [*names] for kind, names in found.items()}

    def getter(self, name: str) -> Getter:
        """The function that reads *name* in a run.

        Raises UsageError with near names if it is no field and no run has it, and if it fits
        several parameters of a run.
        """
        if name not in self._getters:
            self._getters[name] = self._checked(name)
        return self._getters[name]

    def value(self, name: str, run: RunSummary) -> Any:
        """The value of *name* in *run*, or ``MISSING``."""
        return self.getter(name)(run)

    def select(self, query: Query) -> list[RunSummary]:
        """The runs that fit *query*; UsageError for a name that no run has."""
        if not self._runs:
            return []
        for name in query.names:
            try:
                self.getter(name)
            except UsageError as error:
                raise query.error(str(error), name) from None
        current: list[RunSummary] = []
        getters = {name: self.getter(name) for name in query.names}

        def values(name: str) -> Any:
            return getters[name](current[0])

        found = []
        for run in self._runs:
            current[:] = [run]
            if query.matches(values):
                found.append(run)
        return found

    def _checked(self, name: str) -> Getter:
        getters = [*self._possible(name)]
        if name in FIELDS or name in _ALIASES:
            return getters[0]

        def get(run: RunSummary) -> Any:
            for getter in getters:
                found = getter(run)
                if found is not MISSING:
                    return found
            return MISSING

        if self._runs and all(get(run) is MISSING for run in self._runs):
            raise UsageError(f"no run has {name!r}.{did_you_mean(name, self._known())}")
        return get

    def _possible(self, name: str) -> Iterator[Getter]:
        """The meanings of *name*, in order of precedence."""
        if name in _ALIASES or name in FIELDS:
            yield _field(_ALIASES.get(name, name))
            return
        yield _exact("params", name)
        prefix, dot, rest = name.partition(".")
        if dot and prefix in _KINDS:
            yield from _of_kind(prefix, rest)
        statistic, colon, rest = name.partition(":")
        if colon and statistic in STATISTICS:
            yield _statistic(rest, STATISTICS.index(statistic))
        yield _short(name)
        yield from (getter for kind in _KINDS[1:] for getter in _of_kind(kind, name))
        if name == "value":
            yield lambda run: run.values.get("value", MISSING)

    def _known(self) -> Iterator[str]:
        yield from FIELDS
        for kind in _KINDS:
            for name in self.names[kind]:
                yield name
                yield last_name(name)


def _of_kind(kind: str, name: str) -> Iterator[Getter]:
    if kind == "metrics":
        yield _statistic(name, 0)
        return
    yield _exact(kind, name)
    if kind == "params":
        yield _short(name)


def _field(name: str) -> Getter:
    return lambda run: getattr(run, name)


def _exact(kind: str, name: str) -> Getter:
    def get(run: RunSummary) -> Any:
        return run.values.get(kind, _NOTHING).get(name, MISSING)

    return get


def _statistic(name: str, place: int) -> Getter:
    def get(run: RunSummary) -> Any:
        found = run.values.get("metrics", _NOTHING).get(name)
        value = None if found is None else found[place]
        return MISSING if value is None else value

    return get


_NOTHING: Mapping[str, Any] = {}


def _short(name: str) -> Getter:
    """Reads the parameter that *name* means if it is no full target."""
    #: Targets of a run -> the one that is meant: runs of one script have the same.
    meant: dict[tuple[tuple[str, ...], tuple[str, ...]], str | None] = {}

    def get(run: RunSummary) -> Any:
        params = run.values.get("params")
        if not params:
            return MISSING
        targets = tuple(params), tuple(run.values.get("overridden", ()))
        if targets not in meant:
            meant[targets] = _meant(name, *targets)
        target = meant[targets]
        return MISSING if target is None else params[target]

    return get


def _meant(name: str, targets: Iterable[str], overridden: Iterable[str]) -> str | None:
    """The target for the short *name*: one that was overridden comes first."""
    fitting = [one for one in targets if _fits(one, name)]
    chosen = [one for one in fitting if one in overridden] or fitting
    if len(chosen) > 1:
        listed = ", ".join(map(repr, chosen))
        raise UsageError(f"{name!r} fits several parameters of a run: {listed}. Write one of them")
    return chosen[0] if chosen else None


def _fits(target: str, name: str) -> bool:
    target, name = target.replace("-", "_"), name.replace("-", "_")
    return last_name(target) == name or target.endswith(f".{name}") or target.strip("_") == name


def last_name(target: str) -> str:
    """``epochs`` of ``main(epochs)``, ``lr`` of ``Args.lr``, ``--lr`` and ``cfg["lr"]``."""
    found = _LAST.search(target)
    return (found[1] or found[2]) if found else target


# --- order ---------------------------------------------------------------------------------------


def sort_runs(runs: Sequence[RunSummary], by: str, columns: Columns) -> list[RunSummary]:
    """*runs* by the name *by*, ascending; with ``-`` before it descending. Those without a value
    come last, texts behind numbers.
    """
    is_descending = by.startswith("-") and not by.startswith("--")
    get = columns.getter(by[1:] if is_descending else by)
    valued: list[RunSummary] = []
    others: list[RunSummary] = []
    for run in runs:
        value = get(run)
        (others if is_nothing(value) else valued).append(run)
    valued.sort(key=lambda run: order_key(get(run)), reverse=is_descending)
    return [*valued, *others]


def is_nothing(value: Any) -> bool:
    """Whether it has no place in an order: missing, None or nan."""
    return value is MISSING or value is None or (isinstance(value, float) and math.isnan(value))


def order_key(value: Any) -> tuple[int, float, str]:
    """Numbers by size, then texts by their letters, then the rest by its text."""
    if isinstance(value, (int, float)):
        try:
            return 0, float(value), ""
        except OverflowError:
            return 0, math.copysign(math.inf, value), ""
    return (1, 0.0, value) if isinstance(value, str) else (2, 0.0, repr(value))


def best_run(runs: Sequence[RunSummary], name: str, columns: Columns) -> RunSummary:
    """The run with the best number for ``min:NAME`` or ``max:NAME``: of a metric, the least or the
    greatest of its series. ``min:last:NAME`` compares last numbers.

    Raises UsageError if no run has such a number.
    """
    goal, _, rest = name.partition(":")
    if goal not in ("min", "max") or not rest:
        raise UsageError(f"{name!r}: write min:NAME or max:NAME, such as min:val_loss")
    statistic, get = _statistic_of(rest, goal), columns.getter(rest)
    numbered = []
    for run in runs:
        value = statistic(run)
        value = get(run) if value is MISSING else value
        if isinstance(value, (int, float)) and not is_nothing(value):
            numbered.append((value, run))
    if not numbered:
        raise UsageError(f"no run has a number {rest!r}")
    choose = min if goal == "min" else max
    return choose(numbered, key=lambda one: one[0])[1]


def _statistic_of(name: str, goal: str) -> Getter:
    return _statistic(name.removeprefix("metrics."), STATISTICS.index(goal))


# --- tables --------------------------------------------------------------------------------------

_MOST_METRICS = 6
"""Columns of a table that nobody has chosen."""


def table_names(runs: Sequence[RunSummary]) -> list[str]:
    """The columns of a table of *runs* for readers."""
    metrics = Columns(runs).names["metrics"][:_MOST_METRICS]
    names = ["number", "id", "status", "started", "seconds"]
    names += ["script"] if len({one.script for one in runs}) > 1 else []
    names += ["label", *(f"last:{name}" for name in metrics)]
    return names + (["tags"] if any(one.tags for one in runs) else [])


def frame_names(runs: Sequence[RunSummary]) -> dict[str, Getter]:
    """Heading -> getter of all that is known of *runs*: fields, then params, then metrics and
    outputs. A name that stands there already gets its kind: ``metrics.epoch``.
    """
    columns = Columns(runs)
    found: dict[str, Getter] = {name: _field(name) for name in FIELDS}
    for kind in ("params", "metrics", "outputs"):
        for name in columns.names[kind]:
            getter = _statistic(name, 0) if kind == "metrics" else _exact(kind, name)
            found[f"{kind}.{name}" if name in found else name] = getter
    return found


def cell(name: str, value: Any) -> str:
    """*value* of the column *name* for a table."""
    if value is MISSING or value is None:
        return ""
    if name == "started" or name == "ended":
        return _local_time(str(value))
    if isinstance(value, float):
        return f"{value:.1f}" if name == "seconds" else f"{value:.6g}"
    if name == "tags":
        return " ".join(value)
    return value if isinstance(value, str) else repr(value)


def _local_time(text: str) -> str:
    """ISO 8601 in UTC as the time of this place."""
    from datetime import datetime  # here: JSON and CSV have the text itself

    try:
        return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return text


def heading(name: str) -> str:
    """The heading of the column *name*."""
    return {"number": "#"}.get(name, name.removeprefix("last:"))
