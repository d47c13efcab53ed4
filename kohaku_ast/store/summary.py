"""RunSummary: what the index holds of a run. Its fields, and a cell for each of its values; the
names of the cells are a Shape, which runs of one script share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from zlib import crc32

if TYPE_CHECKING:
    from kohaku_ast.store.record import Record

STATISTICS = ("last", "min", "max", "count")
"""What a summary has of each metric, in this order: kinds of cells."""
KINDS = ("params", "outputs", "metadata", "seeds")
"""The other kinds of cells; and ``value``, which the run returned, with the entries of a dict as
``returned``; ``own_seed``, if the one seed of the run is no parameter; and ``nodes``, the states of
a pipeline's nodes.
"""
_MOST_NODES = 200
"""Of a pipeline, whose states a summary has."""
_MOST_TEXT = 1000
"""Characters of a value: longer ones are cut."""

Cell: TypeAlias = "tuple[str, str]"
"""Kind and name of a value."""


class Shape:
    """The kinds and names of the values of a run, in the order of its cells."""

    def __init__(self, text: str) -> None:
        """*text* is JSON: pairs of kind and name, and the targets of overrides."""
        found, overridden = json.loads(text)
        self.cells: list[Cell] = [(kind, name) for kind, name in found]
        self.places = {cell: place for place, cell in enumerate(self.cells)}
        #: Full targets that were overridden, in their order.
        self.overridden: list[str] = overridden

    def names(self, kind: str) -> list[str]:
        """The names of this *kind*, in their order."""
        return [name for one, name in self.cells if one == kind]


@dataclass
class RunSummary:
    """What the index holds of one run."""

    #: Its place in the store, from 1, the oldest first; 0 before it has one.
    number: int
    #: The name of its folder.
    id: str
    #: The names of its values.
    shape: Shape
    #: Its values as JSON: most listings need none of them.
    text: str
    identity: str
    status: str
    script: str
    label: str
    index: int
    attempt: int
    #: ISO 8601 in UTC, as in run.json.
    started: str
    ended: str | None
    seconds: float | None
    exit_status: int | None
    #: Type and message of the exception that ended it, in one line; None for none.
    error: str | None
    host: str
    commit: str
    tags: list[str]
    note: str
    #: The name of the run whose result it has; None if it has run.
    cached: str | None
    #: ``script`` or ``pipeline``.
    kind: str = "script"
    #: The id of the run around it, and its node there; None for none.
    parent: str | None = None
    node: str | None = None
    #: The flow that it belongs to: runs of one sweep have the same.
    flow: str = ""
    _cells: list[Any] | None = None

    @property
    def cells(self) -> list[Any]:
        """Its values, in the order of its shape: numbers, texts, lists and dicts."""
        if self._cells is None:
            self._cells = json.loads(self.text)
        return self._cells

    def values(self, kind: str) -> dict[str, Any]:
        """Name -> value of all of one *kind*."""
        return {name: one for (kin, name), one in zip(self.shape.cells, self.cells) if kin == kind}

    @property
    def params(self) -> dict[str, Any]:
        """Full target -> value."""
        return self.values("params")

    @property
    def metrics(self) -> dict[str, float]:
        """Metric -> its last number."""
        return self.values("last")

    @property
    def value(self) -> Any:
        """What the run returned, or None."""
        return self.values("value").get("value")

    def whole(self, record: Record) -> RunSummary:
        """The same with the ends of long values, from its *record*."""
        cells = dict(_cells(record, most=0))
        return replace(self, _cells=[cells.get(one) for one in self.shape.cells])

    def statistics(self, metric: str) -> dict[str, float | None]:
        """``last``, ``min``, ``max`` and ``count`` of a metric that it has."""
        places = self.shape.places
        return {one: self.cells[places[one, metric]] for one in STATISTICS}


def parse_cells(runs: Sequence[RunSummary]) -> None:
    """Read the values of all *runs* at once, which takes a fraction of the time."""
    unread = [run for run in runs if run._cells is None]
    for run, cells in zip(unread, json.loads(f"[{','.join(run.text for run in unread)}]")):
        run._cells = cells


class Row(NamedTuple):
    """A RunSummary as texts. Of a folder without a record that this version can read, ``facts`` is
    ``null``.
    """

    #: Changes when a file of the record changes.
    stamp: str
    #: Of its Shape.
    names: str
    #: The fields of a RunSummary from ``identity`` on, as JSON.
    facts: str
    cells: str


NO_NAMES = "[[], []]"


def row_of(record: Record | None, stamp: str) -> Row:
    """The Row for *record*."""
    try:
        if record is not None:
            cells = dict(_cells(record))
            overridden = [str(one["target"]) for one in record.facts.get("overrides", ())]
            names = json.dumps([[*cells], overridden])
            return Row(stamp, names, json.dumps(_facts(record)), json.dumps([*cells.values()]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass  # damaged
    return Row(stamp, NO_NAMES, "null", "[]")


def _facts(record: Record) -> list[object]:
    facts, error = record.facts, record.error
    seconds = facts.get("seconds")
    return [
        record.identity,
        str(facts["status"]),
        record.script,
        record.label,
        record.index,
        record.attempt,
        str(facts["started"]),
        facts["ended"],
        record.seconds if seconds is None else seconds,
        record.exit_status,
        None if error is None else _cut(f"{error.type}: {error.message}".partition("\n")[0]),
        str(facts["host"]),
        record.commit,
        record.tags,
        record.note,
        record.facts.get("cached"),
        str(facts.get("kind") or "script"),
        facts.get("parent"),
        facts.get("node"),
        _flow(facts),
    ]


def _flow(facts: Mapping[str, Any]) -> str:
    """Eight digits for the process of a flow, unlike those of other flows."""
    mark = facts.get("flow") or {}
    text = f"{facts['host']} {mark.get('pid')} {mark.get('start')}"
    return f"{crc32(text.encode()):08x}"


def _cells(record: Record, most: int = _MOST_TEXT) -> Iterator[tuple[Cell, Any]]:
    from kohaku_ast.store.record import param_forms
    from kohaku_ast.store.seeds import SEED, known_seeds

    facts = record.facts
    forms: dict[str, Mapping[str, Any]] = {
        "params": param_forms(facts),
        "outputs": facts.get("outputs") or {},
        "metadata": facts.get("metadata") or {},
        "seeds": known_seeds(facts),
    }
    for kind in KINDS:
        for name, form in forms[kind].items():
            yield (kind, name), plain_value(form, most)
    own = known_seeds(facts).get(SEED)
    if own is not None and "target" not in own:  # else a parameter shows it
        yield ("own_seed", SEED), plain_value(own, most)
    for name, metric in record.metric_summary.items():
        for statistic in STATISTICS:
            yield (statistic, name), metric.get(statistic)
    if facts.get("value") is not None:
        value = plain_value(facts["value"], most)
        yield ("value", "value"), value
        if isinstance(value, dict):
            yield from ((("returned", name), one) for name, one in value.items())
    for one in record.nodes[:_MOST_NODES]:
        yield ("nodes", str(one["name"])), one["status"]


def plain_value(form: Any, most: int = _MOST_TEXT) -> Any:
    """The value of a field of run.json as numbers, texts, lists and dicts: paths and what only has
    a ``repr`` are texts, tuples and sets are lists. One of more than *most* characters is a text
    that is cut; 0: none is.
    """
    try:
        if "json" in form:
            value = form["json"]
        elif "python" in form and "numpy." not in form["python"]:
            from kohaku_ast.store.values import from_text

            value = _as_json(from_text(form["python"]))
        else:
            value = next(str(form[name]) for name in ("path", "repr", "python") if name in form)
        text = json.dumps(value)
    except (ValueError, TypeError, LookupError, SyntaxError, RecursionError, StopIteration):
        return ""
    if not most or len(text) <= most:
        return value
    return _cut(value if isinstance(value, str) else text)


def is_cut(value: Any) -> bool:
    """Whether it is the start of a longer one."""
    return isinstance(value, str) and len(value) == _MOST_TEXT and value.endswith("…")


def _as_json(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [*map(_as_json, value)]
    if isinstance(value, (set, frozenset)):
        return sorted(map(_as_json, value), key=repr)
    if isinstance(value, dict):
        return {str(key): _as_json(one) for key, one in value.items()}
    is_plain = value is None or isinstance(value, (bool, int, float, str))
    return value if is_plain else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"
