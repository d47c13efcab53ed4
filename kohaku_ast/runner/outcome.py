"""Outcome: what a run left behind, wherever it ran. Outcomes: those of a flow, also as a table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from time import monotonic, time  # bound: a script may replace both
from types import TracebackType
from typing import Any, TypeVar, overload

from kohaku_ast.errors import UsageError, cut_long, read_number, unknown, visible
from kohaku_ast.frames import hidden
from kohaku_ast.runner.transport import describe_error
from kohaku_ast.runner.usage import Usage

_T = TypeVar("_T")


@dataclass(frozen=True)
class RunError:
    """The exception that ended a run, as text: its class may not exist where it is read."""

    #: The name of its class, with the module unless it is a builtin: ``ValueError``.
    type: str
    #: ``str()`` of it.
    message: str
    #: The whole traceback as Python prints it, cut to the script's own frames.
    traceback: str

    @classmethod
    def of(cls, error: BaseException, trace: TracebackType | None) -> RunError:
        """*error* as text, with *trace*, which starts at the script's first frame."""
        return cls(*describe_error(error, trace))

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type

    def fields(self) -> dict[str, str]:
        """Its fields for a file or a stream, with their middle left out where it is very long."""
        return {name: cut_long(text) for name, text in vars(self).items()}


_GOOD = ("succeeded", "pruned")


@dataclass(frozen=True)
class Outcome:
    """What a finished run left behind; a failure as much as a success."""

    #: ``succeeded`` or ``failed``; ``pruned`` if a search has ended it early.
    status: str
    #: What the starting call (``main()`` in the guard) returned; None if there is none.
    value: object = None
    #: Name -> last value, for the globals that the Config names in ``outputs``.
    outputs: Mapping[str, object] = field(default_factory=dict)
    #: The exception that ended it, or None.
    error: RunError | None = None
    #: As a process would end: 0, or what the script gave to ``sys.exit``.
    exit_status: int = 0
    #: When it started and ended, in seconds since the epoch.
    started: float = 0.0
    ended: float = 0.0
    #: In a flow: the number of the run from 0, its label, the Script's name, and the file with what
    #: it printed.
    index: int = 0
    label: str = ""
    script: str = ""
    log: str = ""
    #: Name -> value of every parameter, as far as it is known without a run.
    params: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    #: Name -> the last number that the run printed (``loss: 0.1``).
    metrics: Mapping[str, float] = field(default_factory=dict, compare=False)
    #: Path -> the file of the store with its content, for the artifacts of the run.
    artifacts: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    #: The folder of its record, or empty.
    record: str = field(default="", compare=False)
    #: With ``cached=True``: the name of the record that stands in for it; empty if it has run.
    cached: str = field(default="", compare=False)
    #: What it has used; None if nobody knows.
    usage: Usage | None = field(default=None, compare=False, repr=False)
    #: The exception itself, if it was asked for and could be unpickled in this process.
    raised: BaseException | None = field(default=None, compare=False, repr=False)
    #: ``host:pid`` of the worker of a cluster that has run it; empty if it ran on this machine.
    worker: str = field(default="", compare=False)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started

    @property
    def results(self) -> dict[str, object]:
        """Name -> what the run gave: the last numbers that it printed, the entries of the dict that
        it returned (of another value: ``value``), and its outputs. Of two with one name the later
        in this list stands there: a printed number may have fewer digits.
        """
        value = self.value
        if isinstance(value, Mapping):
            returned = {str(name): one for name, one in value.items()}
        else:
            returned = {} if value is None else {"value": value}
        return {**self.metrics, **returned, **self.outputs}

    @property
    def numbers(self) -> dict[str, float]:
        """The ``results`` that are numbers, or arrays or tensors of one number."""
        found = ((name, as_number(one)) for name, one in self.results.items())
        return {name: number for name, number in found if number is not None}

    @property
    def run_dir(self) -> str:
        """The folder for the files of the run (``KOGINE_RUN_DIR``); empty without a record."""
        return os.path.join(self.record, "files") if self.record else ""

    @hidden
    def raise_if_failed(self) -> Outcome:
        """Itself. Raises FlowError if the run failed."""
        if self.status not in _GOOD:
            raise FlowError(f"{self.label or self.script or 'the run'}: {self.why}", [self]) from (
                self.raised
            )
        return self

    @property
    def why(self) -> str:
        """Why it failed, in a line."""
        last = str(self.error).strip().split("\n", 1)[0] if self.error else self.status
        return last if self.error else f"{last} with exit status {self.exit_status}"

    def _repr_html_(self) -> str:
        from kohaku_ast.display.text import Group, html_table, short_repr

        rows = [("value", short_repr(self.value))]
        rows += [(f"outputs[{name!r}]", short_repr(value)) for name, value in self.outputs.items()]
        rows += [(name, short_repr(number)) for name, number in self.metrics.items()]
        if self.error is not None:
            rows.append(("error", str(self.error)))
        caption = f"{self.status}, exit status {self.exit_status}, {self.seconds:.3g} s"
        return html_table(("name", "value"), [Group("", tuple(rows))], caption)


def as_number(value: object) -> float | None:
    """*value* as a float if it is a number, or an array or a tensor of one number."""
    item = getattr(value, "item", None)
    try:
        # Not float(): numpy deprecates it for arrays of one number.
        plain: Any = item() if callable(item) and not isinstance(value, type) else value
        if isinstance(plain, (bool, str, bytes)) or not hasattr(type(plain), "__float__"):
            return None
        return float(plain)
    except Exception:  # an array of several, whatever its library raises then
        return None


def read_goal(name: str) -> tuple[str, str]:
    """``min`` or ``max``, and NAME, of ``min:NAME``. Raises UsageError for another text."""
    goal, _, rest = name.partition(":")
    if goal not in ("min", "max") or not rest:
        raise UsageError(f"{name!r}: write min:NAME or max:NAME, such as min:val_loss")
    return goal, rest


def ranked(numbered: Iterable[tuple[float, _T]], goal: str) -> list[_T]:
    """What stands beside the numbers, the best one by *goal* first; equal ones in their order."""
    pairs = sorted(numbered, key=lambda pair: pair[0], reverse=goal == "max")
    return [one for _, one in pairs]


class FlowError(RuntimeError):
    """Runs of a flow failed; ``outcomes`` has the Outcomes of all its runs."""

    def __init__(self, message: str, outcomes: Sequence[Outcome] = ()) -> None:
        super().__init__(visible(cut_long(message)))
        self.outcomes = Outcomes(outcomes)

    def __reduce__(self) -> tuple[Any, ...]:
        return FlowError, (str(self), list(self.outcomes))


class Outcomes(list[Outcome]):
    """The Outcomes of a flow, in the order of its runs."""

    @hidden
    def raise_if_failed(self) -> Outcomes:
        """Itself. Raises FlowError, which names the first failure, if a run failed."""
        failed = [one for one in self if one.status not in _GOOD]
        if failed:
            first = failed[0]
            raise FlowError(
                f"{len(failed)} of {len(self)} runs failed. [{first.index + 1}] "
                f"{first.label or first.script}: {first.why}",
                self,
            ) from first.raised
        return self

    @property
    def params(self) -> list[Mapping[str, object]]:
        """For each run target -> value."""
        return [one.params for one in self]

    @property
    def metrics(self) -> list[Mapping[str, float]]:
        """For each run metric -> its last number."""
        return [one.metrics for one in self]

    @overload
    def best(self, name: str, n: None = None) -> Outcome: ...
    @overload
    def best(self, name: str, n: int) -> Outcomes: ...
    def best(self, name: str, n: int | None = None) -> Outcome | Outcomes:
        """The run that succeeded with the least ``min:NAME``, or the greatest ``max:NAME``, one of
        its ``numbers``. With *n* the best ones, *n* at most, the best first.

        Raises UsageError if no run has such a number.
        """
        goal, rest = read_goal(name)
        done = [(one, one.numbers) for one in self if one.status == "succeeded"]
        found = [(numbers.get(rest, nan), one) for one, numbers in done]
        numbered = [(number, one) for number, one in found if not isnan(number)]
        if not numbered:
            known = dict.fromkeys(name for _, numbers in done for name in numbers)
            raise UsageError(
                unknown("result", rest, known) if known else f"no run has a number {rest!r}"
            )
        best = ranked(numbered, goal)
        return best[0] if n is None else Outcomes(best[: int(read_number("n", n, least=1))])

    def compare(
        self,
        by: str | Sequence[str] = (),
        metric: str | Sequence[str] = (),
        everything: bool = False,
    ) -> Any:
        """The Comparison of these runs, by their records: see ``Runs.compare``. Raises UsageError
        if they have none.
        """
        from importlib import import_module  # stores stand above this room

        places = [os.path.split(one.record) for one in self]
        if not all(name for _, name in places):
            raise UsageError("compare reads the records of runs: run the flow without record=False")
        store = import_module("kohaku_ast.store.store").Store(places[0][0] if places else ".")
        return store.select([name for _, name in places]).compare(by, metric, everything)

    def to_frame(self) -> Any:
        """A table of pandas, or else of polars: a row for each run, with its values and results."""
        from kohaku_ast.display.text import frame_of

        names = self._columns()
        return frame_of({name: [_row(one).get(name) for one in self] for name in names})

    def _columns(self) -> list[str]:
        """Index, label, script and status; what differs among the values; results."""
        rows = [_row(one) for one in self]
        names = [*dict.fromkeys(name for row in rows for name in row)]
        params = {name for one in self for name in one.params}
        same = {name for name in params if len({repr(row.get(name)) for row in rows}) == 1}
        return [name for name in names if name not in same or len(self) == 1]

    def _repr_html_(self) -> str:
        from kohaku_ast.display.text import Group, html_table, short_repr

        shown, names = self[:_MOST_SHOWN], self._columns()
        rows = tuple(
            tuple(_cell(_row(one).get(name), short_repr) for name in names) for one in shown
        )
        more = len(self) - len(shown)
        note = f"... and {more} more" if more else ""
        return html_table(tuple(names), [Group("", rows)], note=note)


_MOST_SHOWN = 100
"""Rows of a table in a notebook."""


def _row(outcome: Outcome) -> dict[str, object]:
    """Heading -> value. A result with the name of a parameter stands beside it."""
    fields: dict[str, object] = {
        "run": outcome.index + 1, "label": outcome.label, "script": outcome.script,
        "status": outcome.status, "seconds": round(outcome.seconds, 3),
    }  # fmt: skip
    row = {**fields, **{name: one for name, one in outcome.params.items() if name not in fields}}
    for name, one in outcome.results.items():
        if row.get(name) != one or name not in row:
            row[name if name not in row else f"{name} (result)"] = one
    return row


def _cell(value: object, shown: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(shown(value))


class Clock:
    """The time of day, which starts now and goes on as the monotonic clock does: if the system's
    clock is set back meanwhile, no duration is negative.
    """

    __slots__ = ("_begun", "started")

    def __init__(self) -> None:
        #: Seconds since the epoch.
        self.started = time()
        self._begun = monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.started + monotonic() - self._begun
