"""Metrics: the numbers that a run prints or logs, by name, and the series of them in its folder.

A metric is read if the whole line consists of metrics; ``docs/reference/flow-output.md`` lists the
forms. The step of a point is that of its line, or of the last line that had one (``epoch 3/10``).
"""

from __future__ import annotations

import builtins
import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite, isnan
from pathlib import Path
from typing import Any, TypeAlias

from kohaku_ast.display.text import plain_line
from kohaku_ast.files import open_regular
from kohaku_ast.helpers.metric_logger import as_json
from kohaku_ast.store.run_folder import RECORD, SERIES

Number: TypeAlias = int | float
"""A metric: int if it is written as an integer."""

_LONGEST = 400
_NUMBER = r"([-+]?(?:(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][-+]?\d{1,4})?|inf|nan|Infinity|NaN))"
_WORD = r"[^\W\d][\w./@-]{0,60}"
_NAME = rf"({_WORD}(?:[ ]{_WORD}){{0,2}})"
_PAIR = re.compile(rf"{_NAME}(?:[ \t]*=[ \t]*|[ \t]*:[ \t]+){_NUMBER}(?:[ ]?%)?(?=[\s,;|)]|\Z)")
_COUNTER = re.compile(
    r"((?i:epoch|step|iter|iteration|batch|round|episode|trial|fold))"
    r"[ #:]{1,2}(\d{1,12})(?:[ ]?(?:/|of)[ ]?\d{1,12})?(?=[\s,;|:)\]]|\Z)[:]?"
)
_BESIDE = re.compile(
    r"[\s,;|()\u2013\u2022\u00b7]+"
    r"|-(?=\s)"
    r"|\[\d{1,12}/\d{1,12}[ ]\(\d{1,3}%\)\]"  # [640/60000 (1%)]
    r"|\[?\d{1,12}[ ]?/[ ]?\d{1,12}\]?(?=[\s,;|:]|\Z):?"  # [12/100]
    r"|\d{1,3}%(?=[\s,;|:]|\Z):?"
    r"|(?:ETA:[ ])?\d{1,6}(?:\.\d{1,6})?(?:us|µs|ms|s|m|h)(?:/\w{1,10})?(?=[\s,;|]|\Z)"  # 3ms/step
    r"|\[[=#>. -]{2,300}\]|[━╸╺]{2,300}"
)
_ENTRY = re.compile(rf"\s*(['\"])([^'\"{{}}]{{1,120}})\1\s*:\s*{_NUMBER}\s*(,|\}}\Z)")
_TQDM = re.compile(
    r"\d{1,3}%\|.{0,300}\| *\d{1,12}/\d{1,12} \[[^\]]{0,60}?(?:it|s|B)(?:/\w+)?, (.*)\]\Z"
)
# The last line of a traceback: `KeyError: 3`, `json.decoder.JSONDecodeError: 3`.
_ERRORS = frozenset(
    name
    for name, one in vars(builtins).items()
    if isinstance(one, type) and issubclass(one, BaseException)
)
_OTHER_ERROR = re.compile(r"(?:\w+\.)+\w+(?:Error|Exception)")


def read_metrics(line: str) -> dict[str, Number]:
    """Name -> number, in the order of *line*; empty if it holds other text as well."""
    if len(line) > _LONGEST or not ("=" in line or ":" in line):
        return {}
    line = line.strip()
    if line.startswith("{"):
        return _pairs(_entries(line))
    if "%|" in line:
        bar = _TQDM.search(line)
        return _pairs(_parts(bar[1])) if bar else {}
    return _pairs(_parts(line))


class _OtherTextError(Exception):
    """The line holds text that is no metric."""


def _pairs(found: Iterator[tuple[str, str]]) -> dict[str, Number]:
    try:
        return {name: _number(text) for name, text in found}
    except _OtherTextError:
        return {}


def _parts(line: str) -> Iterator[tuple[str, str]]:
    """The pairs of ``epoch 3/10 | loss: 0.1, acc=0.9``."""
    position = 0
    while position < len(line):
        found = _PAIR.match(line, position) or _COUNTER.match(line, position)
        if found:
            if found[1] in _ERRORS or _OTHER_ERROR.fullmatch(found[1]):
                raise _OtherTextError
            yield found[1], found[2]
        else:
            found = _BESIDE.match(line, position)
        if not found:
            raise _OtherTextError
        position = found.end()


def _entries(line: str) -> Iterator[tuple[str, str]]:
    """The pairs of ``{'loss': 0.1, "acc": 0.9}``."""
    position = 1
    while position < len(line):
        found = _ENTRY.match(line, position)
        if not found:
            raise _OtherTextError
        yield found[2], found[3]
        position = found.end()


def _number(text: str) -> Number:
    try:
        return int(text)
    except ValueError:
        return float(text)


_MOST_NAMES = 1_000
_LONGEST_LINE = 1_000
_COUNTER_START = re.compile(
    rb"[-=#*\[ \t]*(?:epoch|step|iter|batch|round|episode|trial|fold)", re.IGNORECASE
).match
_STEPS = {
    name: rank
    for rank, name in enumerate(
        ("step", "global_step", "iteration", "iter", "epoch", "round", "episode", "trial", "fold",
         "batch")
    )
}  # fmt: skip
"""The counters that a step is read from, the first that a line has."""


class MetricSeries:
    """The metrics that one run has printed so far: a summary of each, and its points as lines for
    ``metrics.jsonl``.
    """

    def __init__(self) -> None:
        #: Name -> its last, least and greatest value, their number, and the step of the last one.
        self.summary: dict[str, dict[str, Any]] = {}
        #: Whether something is lacking: output that was skipped, or names above the limit.
        self.is_incomplete = False
        #: What the script has given to the logger of the helpers as its config.
        self.config: dict[str, object] = {}
        self._points: list[tuple[float, Number, Mapping[str, Number]]] = []
        self._step: Number | None = None
        #: Names that the script logs itself: printed numbers of these names do not count.
        self._logged: set[str] = set()

    def add_line(self, line: bytes, time: float) -> dict[str, Number]:
        """Add the metrics of *line*, which was read at *time*, in seconds since the epoch; returns
        them.
        """
        found: dict[str, Number] = {}
        # Most lines are no metrics: these are not decoded.
        if (b":" in line or b"=" in line) and len(line) <= _LONGEST_LINE:
            found = read_metrics(plain_line(line.decode("utf-8", "replace")))
        self._step = _step_of(found, self._step) if found else _lone_counter(line, self._step)
        if self._logged:
            found = {name: one for name, one in found.items() if name not in self._logged}
        found = self._within_limit(found)
        if found:
            self._add(found, self._step)
            self._points.append((round(time, 3), self._last_step(found), found))
        return found

    def add_logged(self, point: Mapping[str, Any]) -> Mapping[str, Number]:
        """Add a *point* that the script has logged, from the series; returns its metrics."""
        self.config.update(point.get("config") or {})
        found = self._within_limit(point["metrics"])
        for name in found.keys() - self._logged:
            self.summary.pop(name, None)  # it was printed before
        self._logged.update(found)
        self._add(found, point["step"])
        return found

    @property
    def has_logged(self) -> bool:
        """Whether the script has logged anything."""
        return bool(self._logged or self.config)

    def _within_limit(self, found: Mapping[str, Number]) -> dict[str, Number]:
        """*found* without new names above the limit."""
        if len(self.summary) + len(found) <= _MOST_NAMES:
            return dict(found)
        kept = {name: one for name, one in found.items() if name in self.summary}
        self.is_incomplete |= len(kept) < len(found)
        return kept

    def _add(self, found: Mapping[str, Number], at: Number | None) -> None:
        for name, number in found.items():
            one = self.summary.get(name)
            if one is None:
                one = self.summary[name] = {"last": 0, "min": None, "max": None, "count": 0}
            step = one["count"] if at is None else at
            one["last"], one["count"], one["step"] = number, one["count"] + 1, step
            if not isnan(number):
                one["min"] = number if one["min"] is None else min(one["min"], number)
                one["max"] = number if one["max"] is None else max(one["max"], number)

    def _last_step(self, found: Mapping[str, Number]) -> Number:
        last: Number = max(self.summary[name]["step"] for name in found)
        return last

    def take_points(self) -> bytes:
        """The points since the last call, each a line of JSON."""
        if not self._points:
            return b""
        points, self._points = self._points, []
        encode = _encoder()
        lines = [
            encode({"time": time, "step": step, "metrics": as_json(found)})
            for time, step, found in points
        ]
        return "\n".join([*lines, ""]).encode()

    def fields(self) -> dict[str, object]:
        """The fields of run.json: ``metrics``, and ``metrics_incomplete`` if something lacks."""
        metrics = {name: as_json(one) for name, one in self.summary.items()}
        return {"metrics": metrics, **({"metrics_incomplete": True} if self.is_incomplete else {})}


def _lone_counter(line: bytes, before: Number | None) -> Number | None:
    """The number of a line that is a counter alone, ``Epoch 3/10``; *before* for another line."""
    if len(line) > 100 or not _COUNTER_START(line):
        return before
    found = _COUNTER.fullmatch(line.decode("utf-8", "replace").strip(" -=#*[]\t"))
    return int(found[2]) if found else before


def is_step(name: str) -> bool:
    """Whether a metric of this *name* counts steps."""
    return _rank(name) < len(_STEPS)


def _rank(name: str) -> int:
    """The place of the counter *name* among those that a step is read from; the last for others."""
    return _STEPS.get(name.lower().rpartition("/")[2], len(_STEPS))


def _step_of(found: Mapping[str, Number], before: Number | None) -> Number | None:
    """The step in the metrics of a line; *before* if it has none."""
    best, rank = before, len(_STEPS)
    for name, number in found.items():
        at = _rank(name)
        if at < rank and isfinite(number):
            best, rank = number, at
    return best


def from_json_number(value: Any) -> Any:
    """A number of run.json or of a series, with the texts ``nan``, ``inf`` and ``-inf``."""
    return float(value) if isinstance(value, str) else value


def from_fields(metrics: Any) -> dict[str, dict[str, Any]]:
    """The summary in the field *metrics* of run.json."""
    return {
        name: {key: from_json_number(value) for key, value in one.items()}
        for name, one in metrics.items()
    }


@functools.cache
def _encoder() -> Callable[[object], str]:
    import json  # here: each flow imports this module, and few scripts print metrics

    return json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


def read_series(path: Path) -> Iterator[dict[str, Any]]:
    """The points of a ``metrics.jsonl``, in order: ``time``, ``step`` and ``metrics``; ``logged``
    is true for those that the script has logged itself. A last line that was not written to its end
    is left out; no file has no points.

    A name that several nodes of a pipeline have logged begins with the node's: ``train.loss``.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return
    points = filter(None, map(_point, data.splitlines()))
    yield from _named_by_node([*points]) if b'"node"' in data else points


def _named_by_node(points: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    owners: dict[str, set[str]] = {}
    for point in points:
        for name in point["metrics"]:
            owners.setdefault(name, set()).add(point.get("node", ""))
    for point in points:
        node = point.get("node")
        metrics = {
            f"{node}.{name}" if node and len(owners[name]) > 1 else name: value
            for name, value in point["metrics"].items()
        }
        yield {**point, "metrics": metrics}


def _point(line: bytes) -> dict[str, Any] | None:
    import json

    try:
        point = json.loads(line)
        given = point.get("metrics", {})
        numbers = {name: from_json_number(one) for name, one in given.items()}
        found = {"time": float(point["time"]), "step": point.get("step", 0), "metrics": numbers}
        more = {name: point[name] for name in ("logged", "config", "node") if name in point}
        return {**found, **more} if numbers or more else None
    except (ValueError, LookupError, TypeError, AttributeError):
        return None  # the run, or its flow, was killed while it was written


def summarise(path: Path) -> dict[str, dict[str, Any]]:
    """The summary of a ``metrics.jsonl``, as in run.json: of a run that has no end there."""
    return summarise_points([*read_series(path)])


def summarise_points(points: Points) -> dict[str, dict[str, Any]]:
    """The summary of *points*, as in run.json."""
    series = MetricSeries()
    logged: set[str] = set()
    for point in points:
        if point.get("logged"):
            series.add_logged(point)
            logged.update(point["metrics"])
    for point in points:
        if not point.get("logged"):
            found = {name: one for name, one in point["metrics"].items() if name not in logged}
            series._add(found, point["step"])
    return series.summary


# --- a run in several parts ----------------------------------------------------------------------

Points: TypeAlias = "list[dict[str, Any]]"
"""Of ``read_series``."""


def earlier_points(folder: Path, facts: Mapping[str, Any]) -> Points:
    """The points of what came before the last attempt of the run with these *facts* in *folder*:
    earlier attempts, and the run from whose checkpoints it went on, if that had the same values.
    """
    resumed, root = facts.get("resumed_from"), folder.parent
    before = _facts_of(root / str(resumed)) if resumed and resumed != folder.name else {}
    is_same = before.get("identity") == facts.get("identity")
    parts = [whole_series(root / str(resumed), before)] if before and is_same else []
    attempts = facts.get("attempts") or ()
    parts += [[*read_series(folder / one["series"])] for one in attempts if one.get("series")]
    return join_parts(parts)


def whole_series(folder: Path, facts: Mapping[str, Any]) -> Points:
    """The points of the run with these *facts* in *folder*, with those before its last attempt."""
    own = [*read_series(folder / str(facts.get("series") or SERIES))]
    return join_parts([earlier_points(folder, facts), own])


def _facts_of(folder: Path) -> dict[str, Any]:
    import json

    try:
        found = json.loads((folder / RECORD).read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}  # it was removed


def join_parts(parts: Iterable[Points]) -> Points:
    """The points of *parts* of a run, one after another. Where a part begins at an earlier step
    than the one before has reached, it counts: a script goes back to its checkpoint, or begins
    anew. To join what is joined changes nothing.
    """
    joined: Points = []
    for part in parts:
        joined = [*_up_to(part, joined), *part]
    return joined


def _up_to(part: Points, earlier: Points) -> Points:
    """What of the *earlier* points is not in *part* again."""
    first: dict[str, Number] = {}
    for point in part:
        for name in point["metrics"]:
            first[name] = min(point["step"], first.get(name, point["step"]))
    left = [
        {**point, "metrics": {name: one for name, one in point["metrics"].items()
                              if name not in first or point["step"] < first[name]}}
        for point in earlier
    ]  # fmt: skip
    names = {name for point in earlier for name in point["metrics"]}
    shared = names & first.keys()
    if shared and not any(shared & point["metrics"].keys() for point in left):
        return []  # it begins anew: also with the metrics that it has not reached
    return [point for point in left if point["metrics"]]


def join_summaries(
    before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The summary of points with the summary *before*, and then of those with that of *now*."""
    found = {name: dict(one) for name, one in before.items()}
    for name, one in now.items():
        old = found.get(name, {"min": None, "max": None, "count": 0})
        least, most = ([each[what] for each in (old, one) if each[what] is not None]
                       for what in ("min", "max"))  # fmt: skip
        bounds = {"min": min(least, default=None), "max": max(most, default=None)}
        found[name] = {**one, **bounds, "count": old["count"] + one["count"]}
    return found


def points_text(points: Points) -> bytes:
    """*points* as ``metrics.jsonl`` has them."""
    encode = _encoder()
    lines = [encode({**point, "metrics": as_json(point["metrics"])}) for point in points]
    return "\n".join([*lines, ""]).encode()


class SeriesTail:
    """Reads a ``metrics.jsonl`` while it grows."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """The points that are new."""
        return [point for point in map(_point, self._lines()) if point]

    def read_logged(self) -> list[dict[str, Any]]:
        """Those alone that the script has logged itself."""
        lines = (line for line in self._lines() if b'"logged"' in line)
        return [point for point in map(_point, lines) if point and point.get("logged")]

    def read_of_workers(self) -> list[dict[str, Any]]:
        """Those alone that worker processes of a pipeline have logged."""
        lines = (line for line in self._lines() if b'"process"' in line)
        return [point for point in map(_point, lines) if point and point["metrics"]]

    def _lines(self) -> list[bytes]:
        try:
            if os.stat(self.path).st_size <= self._offset:
                return []
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self._offset)
                data = file.readall() or b""
        except OSError:
            return []
        data = data[: data.rfind(b"\n") + 1]  # the last line may have no end yet
        self._offset += len(data)
        return data.splitlines()


_LINE_END = re.compile(rb"\r\n|[\r\n]")
_MOST_OF_LOG = 4 << 20
"""Bytes at the end of a log that are searched for the last number of each metric."""


def summarise_log(log: Path) -> dict[str, dict[str, Any]]:
    """The summary of the metrics in a *log* that nobody has read while it grew."""
    series = MetricSeries()
    try:
        with open_regular(log) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_OF_LOG))
            data = file.read(_MOST_OF_LOG)
    except OSError:
        return {}
    for line in _LINE_END.split(data):
        series.add_line(line, 0.0)
    return series.summary
