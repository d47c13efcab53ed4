"""Search: Configs chosen one after another, each from what the runs before it came to."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import blake2s
from importlib import import_module
from itertools import islice
from statistics import fmean
from typing import Any, Literal, Protocol

from kohaku_ast.config.axis import Axis, Part, Walk
from kohaku_ast.config.cells import CellText
from kohaku_ast.config.config import Config, label_of, value_text
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.display.text import short_repr
from kohaku_ast.errors import ConfigError, UsageError, near, unknown
from kohaku_ast.runner.outcome import Outcome

_METHODS = {"optuna": "kohaku_ast.flow.optuna_search"}
"""The methods, and the module whose ``open_study`` makes the Study of each."""


@dataclass(frozen=True)
class Search:
    """What is searched, by which method, and where it is kept."""

    space: Space
    objective: Objective
    #: New trials, whatever the study holds already.
    n: int
    method: str = "optuna"
    #: What the choices are made from; None: others each time.
    seed: int | None = None
    #: The file with the study; empty: it is forgotten at the end.
    study: str = ""
    #: What holds for all runs besides the space's own Config, in words.
    fixed: str = ""

    def __post_init__(self) -> None:
        check_method(self.method)
        if not isinstance(self.n, int) or self.n < 1:
            raise UsageError(f"a search makes at least 1 new trial, got n={self.n!r}")

    @property
    def identity(self) -> dict[str, str]:
        """What has to be the same for its trials to be compared, in words."""
        fixed = " ".join(filter(None, (self.fixed, self.space.fixed())))
        return {"space": str(self.space), "objective": str(self.objective), "fixed": fixed}

    @property
    def id(self) -> str:
        """Eight characters that are others for another search."""
        return blake2s(repr(self.identity).encode(), digest_size=4).hexdigest()

    def kept_in(self, path: str) -> Search:
        """The same, its study in the file *path*."""
        return replace(self, study=path)

    def open(self) -> Study:
        """Its study, as far as it is; ConfigError if the file holds another one."""
        open_study: Callable[[Search], Study] = import_module(_METHODS[self.method]).open_study
        return open_study(self)

    def tried(self) -> Tried:
        """What its file holds; the file is made if there is none."""
        with closing(self.open()) as study:
            return study.tried()

    def sweep(self) -> Sweep:
        """Its Configs; each time that they are iterated, *n* more of them."""
        return Sweep.of(self._configs, f"search {self.method}")

    def _configs(self) -> Walk:
        with closing(self.open()) as study:
            for _ in range(self.n):
                trial = study.ask()
                try:
                    outcome = yield self._config(trial)
                    _refuse_silence(outcome)
                except BaseException:  # nobody will tell us of it any more
                    study.fail(trial, "interrupted")
                    raise
                try:
                    result = self.objective.read(outcome)
                except ValueError as error:
                    study.fail(trial, str(error))
                else:
                    study.tell(trial, result)

    def _config(self, trial: Trial) -> Config:
        config = self.space.config(trial.values)
        outputs = tuple(dict.fromkeys((*config.outputs, self.objective.name)))
        return config | Config(outputs=outputs, metadata={"search_trial": trial.number})


def search(
    space: Sweep,
    method: str = "optuna",
    *,
    n: int,
    minimize: str | None = None,
    maximize: str | None = None,
    seed: int | None = None,
    study: str | None = None,
) -> Sweep:
    """A Sweep whose *n* Configs are chosen to make the objective small, or large.

    The objective is an output global of the script, else the key, the attribute or the only
    number of what its entry function returns. Random axes of *space* are ranges, all others are
    choices without order. *study* is a SQLite file that is made, or gone on with; without it the
    trials are forgotten. With *seed* the same choices follow from the same results.

    Run it one after another: ``Sequential(Script("train.py", search(...)), on_error="continue")``.
    Raises ConfigError for what cannot be searched, and if the method's package is missing.
    """
    if not isinstance(space, Sweep):
        raise UsageError(f"a search chooses from a Sweep, got {short_repr(space)}")
    objective = make_objective(minimize, maximize, ("minimize=", "maximize="))
    return Search(
        space_of(space), objective, n, method, seed, str(study) if study else ""
    ).sweep()  # fmt: skip


def check_method(method: str) -> None:
    """Raise UsageError if there is no such method of search."""
    if method not in _METHODS:
        raise UsageError(unknown("search", method, _METHODS))


def _refuse_silence(outcome: object) -> None:
    if outcome is None:
        raise ConfigError(
            "search: it is not told what its runs came to. Run it one after another, in Sequential"
        )


@dataclass(frozen=True)
class Trial:
    """Values that a search tries."""

    #: Its number in the study, from 0.
    number: int
    #: Name of a dimension -> what was chosen.
    values: Mapping[str, object]
    #: What it came to, once that is known.
    result: float | None = None


@dataclass(frozen=True)
class Tried:
    """What a study holds."""

    #: All of its trials that are over, and how many of these failed.
    count: int = 0
    failed: int = 0
    #: The best one; None as long as none has succeeded.
    best: Trial | None = None


class Study(Protocol):
    """What each method of search offers. Every method raises ConfigError if it cannot be kept."""

    def tried(self) -> Tried:
        """What there is so far."""

    def ask(self) -> Trial:
        """The values to try next."""

    def tell(self, trial: Trial, result: float) -> None:
        """*trial* came to *result*."""

    def fail(self, trial: Trial, why: str) -> None:
        """*trial* came to nothing."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass(frozen=True)
class Objective:
    """A number that a run leaves behind, and what is wanted of it."""

    #: The output global, or the key or attribute of what the entry function returns.
    name: str
    #: ``minimize`` or ``maximize``.
    direction: Literal["minimize", "maximize"]

    def __str__(self) -> str:
        return f"{self.direction} {self.name}"

    def is_better(self, result: float, other: float | None) -> bool:
        """Whether *result* is nearer to what is wanted than *other*; anything is than nothing."""
        if other is None:
            return True
        return result < other if self.direction == "minimize" else result > other

    def best(self, trials: Iterable[Trial]) -> Trial | None:
        """The one with the best result, the first of equals; those without are passed over."""
        best: Trial | None = None
        for trial in trials:
            other = best.result if best else None
            if trial.result is not None and self.is_better(trial.result, other):
                best = trial
        return best

    def read(self, outcome: object) -> float:
        """The number in *outcome*; of a list of Outcomes their mean.

        Raises ValueError that says what is there instead.
        """
        if isinstance(outcome, list) and outcome:
            return fmean([self.read(one) for one in outcome])
        if not isinstance(outcome, Outcome):
            raise ValueError("there was no run")
        if outcome.status != "succeeded":
            why = outcome.error or f"exit status {outcome.exit_status}"
            raise ValueError(f"the run failed: {str(why).splitlines()[0]}")
        return self._number(outcome)

    def _number(self, outcome: Outcome) -> float:
        for found in _places(self.name, outcome):
            number = _as_number(found)
            if number is not None:
                if math.isnan(number):
                    raise ValueError(f"{self.name} is nan")
                return number
        raise ValueError(_nowhere(self.name, outcome))


def make_objective(minimize: str | None, maximize: str | None, words: tuple[str, str]) -> Objective:
    """The one of both that is given; UsageError, in the *words* of who asks, if it is not one."""
    if minimize and maximize:
        raise UsageError(f"{words[0]} and {words[1]}: a search has one objective. Take one away")
    if not (minimize or maximize):
        raise UsageError(f"a search needs an objective: {words[0]} loss, or {words[1]} accuracy")
    return Objective(str(minimize or maximize), "minimize" if minimize else "maximize")


def _places(name: str, outcome: Outcome) -> Iterator[object]:
    """What is at each place where the number may be, the first one first."""
    value = outcome.value
    if name in outcome.outputs:
        yield outcome.outputs[name]
    if isinstance(value, Mapping):
        yield value.get(name)
        return
    yield getattr(value, name, None)
    yield value
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        numbers = [one for one in value if _as_number(one) is not None]
        if len(numbers) == 1:
            yield numbers[0]


def _as_number(value: object) -> float | None:
    """*value* as a float if it is one number, an array's or a tensor's only one among them."""
    item = getattr(value, "item", None)
    try:
        # Not float(): numpy deprecates it for arrays of one number.
        plain: Any = item() if callable(item) and not isinstance(value, type) else value
        if isinstance(plain, (bool, str, bytes)) or not hasattr(type(plain), "__float__"):
            return None
        return float(plain)
    except Exception:  # an array of several, whatever its library raises then
        return None


def _nowhere(name: str, outcome: Outcome) -> str:
    """What there is where the number should be."""
    if name in outcome.outputs:
        told = f"the global {name!r} is no number: {short_repr(outcome.outputs[name])}"
    else:
        told = f"the script has no global {name!r}"
    found = near(name, _names(outcome.value), 1)
    hint = f". Did you mean {found[0]!r}?" if found and found[0] != name else ""
    return f"{told}, and its entry function returned {short_repr(outcome.value)}{hint}"


def _names(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [key for key in value if isinstance(key, str)]
    return [*getattr(value, "_fields", ()), *getattr(value, "__dict__", ())]


MOST_CHOICES = 1_000
"""Values of one finite axis: a method looks at each of them before each trial."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Dimension:
    """What is chosen of one axis: a number of its distribution, or one of its rows."""

    axis: Axis
    #: The rows of a finite axis by what they are called; empty for a distribution.
    choices: Mapping[str, tuple[object, ...]]

    @property
    def name(self) -> str:
        """Its targets, as the study writes them."""
        return ", ".join(self.axis.targets)

    @property
    def example(self) -> object:
        """One of the values that can be chosen."""
        of = self.axis.distribution
        if of is None:
            return next(iter(self.choices))
        # No end of a range: 1.0 would do for an int, and what is chosen later would not.
        return of.first if of.kind == "randint" else of.first + (of.second - of.first) * 0.618

    def __str__(self) -> str:
        return f"{self.name}={self.axis.distribution or ','.join(self.choices)}"

    def config(self, chosen: object) -> Config:
        """The Config with what was chosen: a number, or what a row is called."""
        axis, origin = self.axis, self.axis.origin
        if axis.distribution:
            row: tuple[object, ...] = (CellText(repr(chosen)),)
        else:
            row = self.choices[str(chosen)]
            if axis.row_origins:
                origin = axis.row_origins[list(self.choices).index(str(chosen))]
        origins = dict.fromkeys(axis.targets, origin)
        return Config(dict(zip(axis.targets, row)), origins=origins, varied=axis.targets)


@dataclass(frozen=True)
class Space:
    """Everything that a search chooses, and what stays as it is."""

    #: What every Config has.
    base: Config
    dimensions: tuple[Dimension, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.dimensions))

    def config(self, values: Mapping[str, object]) -> Config:
        """The Config for what was chosen: name of a dimension -> value."""
        made = self.base
        for dimension in self.dimensions:
            made = made | dimension.config(values[dimension.name])
        return made

    def example(self) -> Config:
        """One of its Configs, to see whether the script takes it."""
        return self.config({one.name: one.example for one in self.dimensions})

    def fixed(self) -> str:
        """What stays as it is, in words that are the same in every process."""
        base = self.base
        pairs = [*base.globals_dict.items(), *base.new_globals.items(), *base.kwargs.items()]
        lists = [("args", base.args), ("argv", base.argv)]
        return in_words([*sorted(pairs), *((name, value) for name, value in lists if value)])


def in_words(pairs: list[tuple[str, object]]) -> str:
    """``lr=0.1 bs=32``, whole, and without the addresses of objects."""
    return _ADDRESS.sub("", label_of(pairs, most=10_000))


def space_of(sweep: Sweep) -> Space:
    """The Space of *sweep*'s axes; raises ConfigError for what a search cannot choose from."""
    if not sweep.parts:
        raise ConfigError(
            "search: there is no axis to choose values of. Give it some: --sweep "
            "lr=loguniform:1e-5:1e-1 on the command line, Sweep(lr='uniform:0:1') in Python"
        )
    return Space(sweep.base, tuple(_dimension(part) for part in sweep.parts))


def _dimension(part: Part) -> Dimension:
    if not isinstance(part, Axis):
        raise ConfigError(
            f"search: it chooses the values of axes, and {part} in this sweep is none. Write its "
            "values as axes (a table and a zip are axes too), or run it without --search"
        )
    return Dimension(part, {} if part.distribution else _choices(part))


def _choices(axis: Axis) -> Mapping[str, tuple[object, ...]]:
    if not axis.is_settled:
        raise ConfigError(
            f"{axis.origin}: a search has to know all values of {axis.name}, and they come from an "
            "iterator. Give a list"
        )
    rows = list(islice(axis.rows(), MOST_CHOICES + 1))
    if len(rows) > MOST_CHOICES:
        raise ConfigError(
            f"{axis.origin}: {axis.name} has more than {MOST_CHOICES:,} values, each a choice that "
            "has no order for a search. Write numbers as randint:0:5000 or uniform:0:1"
        )
    choices: dict[str, tuple[object, ...]] = {}
    for row in rows:
        choices[_called(axis, row, choices)] = row
    return choices


def _called(axis: Axis, row: tuple[object, ...], taken: Mapping[str, object]) -> str:
    """What *row* is called: its value, or all of its targets; a number tells equal ones apart."""
    alone = len(row) == 1
    words = value_text(row[0]) if alone else label_of(zip(axis.targets, row), most=10_000)
    words = _ADDRESS.sub("", words)
    if words not in taken:
        return words
    return next(one for n in range(2, len(taken) + 3) if (one := f"{words} ({n})") not in taken)
