"""Columns: what a name means in the runs of a store: a field, a parameter, a metric, an output.

Queries, ``sort``, tables and ``best`` read names here.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from kohaku_ast.errors import UsageError, did_you_mean
from kohaku_ast.runner.outcome import ranked, read_goal
from kohaku_ast.store.query import MISSING, Query
from kohaku_ast.store.seeds import SEED
from kohaku_ast.store.summary import KINDS, STATISTICS, RunSummary, Shape, parse_cells

Getter: TypeAlias = "Callable[[RunSummary], Any]"
"""Gives the value of a name in a run, or ``MISSING``."""

FIELDS = (
    "number", "id", "identity", "status", "script", "label", "index", "attempt", "started",
    "ended", "seconds", "exit_status", "error", "host", "commit", "tags", "note", "cached", "kind",
    "parent", "node", "flow",
)  # fmt: skip
"""Names that every run has."""
_LATE = ("kind", "parent", "node", "flow")
"""Those that mean a value of the runs if any has one of that name."""
_ALIASES = {"#": "number", "git.commit": "commit", "git commit": "commit", "folder": "id"}
_LAST = re.compile(r"(?:^|[.\s(-])([^.\s()\[\]-][^.\s()\[\]]*)\)?$|\[['\"]?([^'\"\]]+)['\"]?\]$")


class Columns:
    """The names of *runs*, and their values."""

    def __init__(self, runs: Sequence[RunSummary]) -> None:
        self._runs = runs
        #: Name -> its getter; names come again in queries, ``sort`` and tables.
        self._getters: dict[str, Getter] = {}

    @cached_property
    def shapes(self) -> list[Shape]:
        """Those of the runs, each once."""
        return [*{id(run.shape): run.shape for run in self._runs}.values()]

    def names(self, kind: str) -> list[str]:
        """The names of a *kind*, ``params``, ``last`` of metrics, ..., that any run has."""
        return [*dict.fromkeys(name for shape in self.shapes for name in shape.names(kind))]

    def getter(self, name: str) -> Getter:
        """The function that reads *name* in a run.

        Raises UsageError with near names if it is no field and no run has it, and if it fits
        several parameters of a run.
        """
        if name not in self._getters:
            field = _ALIASES.get(name, name)
            is_field = field in FIELDS and not (field in _LATE and self._has_cell(field))
            self._getters[name] = field_getter(field) if is_field else self._of_cells(name)
        return self._getters[name]

    def select(self, query: Query) -> list[RunSummary]:
        """The runs that fit *query*; UsageError for a name that no run has."""
        if not self._runs:
            return []
        getters: dict[str, Getter] = {}
        for name in query.names:
            try:
                getters[name] = self.getter(name)
            except UsageError as error:
                raise query.error(str(error), name) from None

        def values(run: RunSummary) -> Callable[[str], Any]:
            return lambda name: getters[name](run)

        return [run for run in self._runs if query.matches(values(run))]

    def _has_cell(self, name: str) -> bool:
        meanings = [*_meanings(name)]
        return any(_place(shape, meanings) is not None for shape in self.shapes)

    def _of_cells(self, name: str) -> Getter:
        meanings = [*_meanings(name)]
        places = {id(shape): _place(shape, meanings) for shape in self.shapes}
        if self._runs and all(place is None for place in places.values()):
            raise UsageError(f"no run has {name!r}.{did_you_mean(name, self._known())}")
        parse_cells(self._runs)

        def get(run: RunSummary) -> Any:
            place = places[id(run.shape)]
            return MISSING if place is None else run.cells[place]

        return get

    def _known(self) -> Iterator[str]:
        yield from FIELDS
        yield from (f"nodes.{name}" for name in self.names("nodes"))
        for kind in (*KINDS, "last", "returned"):
            for name in self.names(kind):
                yield name
                yield last_name(name)


def field_getter(name: str) -> Getter:
    """Reads a field."""
    return lambda run: getattr(run, name)


_EXACT = ("outputs", "returned", "value")
"""Kinds of numbers that have all their digits: they come before those that a run printed."""
_SHORT, _GIVEN = "short", "given"
"""In place of a kind: a parameter by less than its full target; one that was overridden."""


def _meanings(name: str) -> Iterator[tuple[str, str]]:
    """What *name* may mean, in order of precedence: kind and name of a cell."""
    yield "params", name
    prefix, dot, rest = name.partition(".")
    if dot and prefix == "params":
        yield from (("params", rest), (_SHORT, rest))
    elif dot and prefix in (*KINDS, "metrics", "returned", "nodes"):
        yield "last" if prefix == "metrics" else prefix, rest
    prefix, colon, rest = name.partition(":")
    if colon and prefix in STATISTICS:
        yield prefix, rest
    yield _GIVEN, name
    yield from ((kind, name) for kind in (*_EXACT, "last", "metadata"))
    yield from ((_SHORT, name), ("seeds", name))


def _place(shape: Shape, meanings: Iterable[tuple[str, str]]) -> int | None:
    """The place of the first of *meanings* that *shape* has."""
    for kind, name in meanings:
        target = _meant(name, shape, kind == _GIVEN) if kind in (_SHORT, _GIVEN) else None
        cell = ("params", target) if target is not None else (kind, name)
        if cell in shape.places:
            return shape.places[cell]
    return None


def _meant(name: str, shape: Shape, is_given: bool) -> str | None:
    """The target for the short *name*: one that was overridden comes first. *is_given*: only one
    that was overridden.
    """
    fitting = [one for one in shape.names("params") if _fits(one, name)]
    given = [one for one in fitting if one in shape.overridden]
    chosen = given if is_given else given or fitting
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


def choose_runs(
    every: Sequence[RunSummary], where: str = "", sort: str = "", script: str = "", since: str = ""
) -> list[RunSummary]:
    """Those of *every* run that fit the query *where*, are of *script* and started after the time
    *since*, which is text as in a record; in the same order, or by the name *sort*.
    """
    columns = Columns(every)
    chosen = columns.select(Query(where)) if where else [*every]
    chosen = [one for one in chosen if _is_of(one, script)] if script else chosen
    chosen = [one for one in chosen if one.started >= since] if since else chosen
    return sort_runs(chosen, sort, columns) if sort and every else chosen


def _is_of(run: RunSummary, script: str) -> bool:
    path = run.script.replace(os.sep, "/")
    wanted = script.replace(os.sep, "/").removeprefix("./")
    return path == wanted or path.endswith(f"/{wanted}") or path == f"./{wanted}"


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


def order_key(value: Any) -> tuple[int, Any]:
    """Numbers by size, then texts by their letters, then the rest by its text."""
    if isinstance(value, (int, float)):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, repr(value))


def best_runs(
    runs: Sequence[RunSummary], name: str, columns: Columns, any_status: bool = False
) -> list[RunSummary]:
    """The runs that succeeded, or of *any_status*, with a number for ``min:NAME`` or ``max:NAME``,
    the best first: that of an output or of the returned dict, else of a metric, the least or the
    greatest of its series. ``min:last:NAME`` compares last numbers.

    Raises UsageError if no run has such a number.
    """
    goal, rest = read_goal(name)
    get = goal_getter(name, columns)
    numbered = []
    for run in runs:
        value = get(run)
        if isinstance(value, (int, float)) and not is_nothing(value):
            numbered.append((value, run))
    if not numbered:
        raise UsageError(f"no run has a number {rest!r}")
    done = [(value, run) for value, run in numbered if any_status or run.status == "succeeded"]
    if not done:
        counts = Counter(run.status for _, run in numbered)
        listed = ", ".join(f"{number} {status}" for status, number in counts.items())
        raise UsageError(
            f"no run that succeeded has a number {rest!r}. Others have ({listed}): --any-status, "
            "in Python any_status=True, takes them, too"
        )
    return without_copies(ranked(done, goal))


def goal_getter(name: str, columns: Columns) -> Getter:
    """Reads the number that ``best_runs`` compares for *name*, ``min:NAME`` or ``max:NAME``."""
    goal, rest = read_goal(name)
    get = columns.getter(rest)
    metric = rest.removeprefix("metrics.")

    def number(run: RunSummary) -> Any:
        places = run.shape.places
        is_exact = metric == rest and any((kind, rest) in places for kind in _EXACT)
        is_series = (goal, metric) in places and not is_exact
        return run.cells[places[goal, metric]] if is_series else get(run)

    return number


def without_copies(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """*runs* without those that were cached from another one of them: one result counts once."""
    found: dict[str, RunSummary] = {}
    for run in runs:
        source = run.cached or run.id
        if source not in found or not run.cached:
            found[source] = run
    return [*found.values()]


# --- tables --------------------------------------------------------------------------------------

_MOST_RESULTS = 6
"""Columns of a table that nobody has chosen."""
_RESULTS = re.compile(r"^(?:last:|outputs\.|returned\.)")


def table_names(runs: Sequence[RunSummary]) -> list[str]:
    """The columns of a table of *runs* for readers."""
    names = ["number", "id", "status", "started", "seconds"]
    names += ["script"] if len({one.script for one in runs}) > 1 else []
    names += ["kind"] if any(one.kind != "script" for one in runs) else []
    names += ["parent"] if any(one.parent for one in runs) else []
    names += ["label", *_result_names(runs)]
    names += ["cached"] if any(one.cached for one in runs) else []
    return names + (["tags"] if any(one.tags for one in runs) else [])


def _result_names(runs: Sequence[RunSummary]) -> list[str]:
    """The columns of results; of a name that was printed and returned, what was returned."""
    columns = Columns(runs)
    found: dict[str, str] = {}
    for kind, prefix in (("last", "last:"), ("returned", "returned."), ("outputs", "outputs.")):
        found.update({name: f"{prefix}{name}" for name in columns.names(kind)})
    return [*found.values()][:_MOST_RESULTS]


def frame_names(runs: Sequence[RunSummary]) -> dict[str, Getter]:
    """Heading -> getter of all that is known of *runs*: fields, then params, metrics, outputs and
    the entries of what was returned. A name that stands there already gets its kind:
    ``metrics.epoch``. Of seeds the one value that all have, unless a parameter has it.
    """
    columns = Columns(runs)
    found: dict[str, Getter] = {name: field_getter(name) for name in FIELDS}
    for kind in ("params", "last", "outputs", "returned", "nodes"):
        shown = "metrics" if kind == "last" else kind
        for name in columns.names(kind):
            heading = f"{shown}.{name}" if name in found or kind == "nodes" else name
            found[heading] = _cell_getter(kind, name)
    if columns.names("own_seed"):
        found.setdefault(SEED, _cell_getter("own_seed", SEED))
    return found


def _cell_getter(kind: str, name: str) -> Getter:
    def get(run: RunSummary) -> Any:
        place = run.shape.places.get((kind, name))
        return MISSING if place is None else run.cells[place]

    return get


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
    return {"number": "#"}.get(name, _RESULTS.sub("", name))


def short_id(name: str) -> str:
    """The eight digits in the name of a run's folder."""
    return name.partition("-")[2][:8]


def table_cell(name: str, value: Any) -> str:
    """*value* of the column *name* for a table: an id is its short form, and all is one line."""
    text = cell(name, value)
    return short_id(text) if name in ("id", "parent") else " ".join(text.splitlines())
