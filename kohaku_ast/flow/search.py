"""Search: Configs chosen one after another, each from the results of the runs before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from hashlib import blake2s
from importlib import import_module
from itertools import islice
from typing import Protocol

from kohaku_ast.config.axis import Axis, Part, Walk
from kohaku_ast.config.cells import CellText
from kohaku_ast.config.config import Config, label_of, value_text
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import (
    PATHS,
    ConfigError,
    UsageError,
    check_type,
    read_number,
    unknown,
)
from kohaku_ast.flow.results import NoObjectiveError, Objective, make_objective
from kohaku_ast.users_traceback import public

PRUNERS = ("median", "hyperband")
"""How a search ends trials early."""
_METHODS = {"optuna": "kohaku_ast.flow.optuna_search"}
"""Method -> the module whose ``open_study`` makes its Study."""


@dataclass(frozen=True)
class Search:
    """A search: what it chooses from, its objective, its method and the file of its study."""

    space: Space
    objective: Objective
    #: The number of new trials, besides those in the study.
    n: int
    method: str = "optuna"
    #: The seed of the choices; None: a new one each time.
    seed: int | None = None
    #: The file with the study; empty: none is written.
    study: str = ""
    #: How trials that do worse are ended early: one of ``PRUNERS``; empty: they are not.
    prune: str = ""
    #: The values of all runs besides the space's own Config, as text.
    fixed: str = ""

    def __post_init__(self) -> None:
        check_method(self.method)
        if not isinstance(self.n, int) or self.n < 1:
            raise UsageError(f"a search makes at least 1 new trial, got n={self.n!r}")

    @property
    def identity(self) -> dict[str, str]:
        """The parts that must be equal for its trials to be comparable, as text."""
        fixed = " ".join(filter(None, (self.fixed, self.space.fixed())))
        return {"space": str(self.space), "objective": str(self.objective), "fixed": fixed}

    @property
    def id(self) -> str:
        """Eight characters that differ for another search."""
        return blake2s(repr(self.identity).encode(), digest_size=4).hexdigest()

    def kept_in(self, path: str) -> Search:
        """The same search with its study in the file *path*."""
        return replace(self, study=path)

    def open(self) -> Study:
        """Its study. Raises ConfigError if the file holds another one."""
        open_study: Callable[[Search], Study] = import_module(_METHODS[self.method]).open_study
        return open_study(self)

    def check_space(self) -> None:
        """Raise ConfigError for an axis that its method cannot search; nothing is written."""
        import_module(_METHODS[self.method]).ranges_of(self)

    def tried(self) -> Tried:
        """The state of its study; the file is made if there is none."""
        with closing(self.open()) as study:
            return study.tried()

    def sweep(self) -> Sweep:
        """Its Configs: *n* new ones each time it is iterated."""
        return Sweep.of(_Configs(self), f"search {self.method}")

    def configs(self) -> Walk:
        """Its Configs; the walk is sent the Outcome of each."""
        with closing(Trials(self)) as trials:
            if self.prune:
                from kohaku_ast.flow.pruning import watch  # here: few searches prune

                watch(trials, self.objective.name, self.prune)
            for config in trials.configs():
                outcome = yield config
                _refuse_missing(outcome)
                if getattr(outcome, "status", "") == "pruned":
                    trials.prune(config)
                    continue
                with suppress(ValueError):  # the study has the reason
                    trials.settle(config, outcome)

    def config_of(self, trial: Trial) -> Config:
        """The Config that tries *trial*."""
        config = self.space.config(trial.values)
        outputs = tuple(dict.fromkeys((*config.outputs, self.objective.name)))
        # It may be no global, but a printed metric.
        optional = frozenset(outputs) - set(config.outputs)
        marks = {"search_trial": trial.number}
        return config | Config(outputs=outputs, optional=optional, metadata=marks)


class _Configs:
    """The Configs of a search, as often as it is iterated."""

    needs_outcomes = True

    def __init__(self, search: Search) -> None:
        self._search = search

    def __iter__(self) -> Walk:
        return self._search.configs()


class Trials:
    """The trials of a search while its runs are under way, several at the same time."""

    def __init__(self, search: Search) -> None:
        """Opens the study. Raises ConfigError as ``Search.open`` does."""
        self.search = search
        self._study = search.open()
        #: Number -> a trial without a result.
        self._open: dict[int, Trial] = {}
        #: Whether a run of this time had the objective: one before may have printed it to a record.
        self._has_result = False
        #: Whether a run had the objective under its name; the first result of a run that had not.
        self._is_named, self._nameless = False, ""
        #: Why the search ends early: no trial has the objective.
        self.broken = ""

    def configs(self) -> Iterator[Config]:
        """A Config for each new trial, chosen when it can run. Raises ConfigError after the first
        trial that has no objective.
        """
        for _ in range(self.search.n):
            self._refuse_broken()
            trial = self._study.ask()
            self._open[trial.number] = trial
            yield self.search.config_of(trial)
        self._refuse_broken()

    def settle(self, config: Config, outcome: object) -> float:
        """Report the *outcome* of a run with *config* to the study; its result.

        Raises ValueError, which says why there is none.
        """
        trial = self._open.pop(int(str(config.metadata["search_trial"])))
        try:
            result = self._read(config, outcome)
        except ValueError as error:
            self._study.fail(trial, str(error))
            if isinstance(error, NoObjectiveError) and not self._has_result:
                self.broken = str(error)
            raise
        self._study.tell(trial, result)
        self._has_result = True
        return result

    def _read(self, config: Config, outcome: object) -> float:
        """The objective: by its name where one trial has it so. There the returned value of a trial
        that ends early is another number: ``return 0`` is no loss.
        """
        objective = self.search.objective
        try:
            result = objective.read(outcome, by_name=True)
        except NoObjectiveError:
            if self._is_named:
                raise
            result = objective.read(outcome)
            self._nameless = self._nameless or f"{result!r} with {config.label or 'its values'}"
            return result
        self._is_named = True
        if self._nameless and not self.broken:
            self.broken = (
                f"{objective.name} was taken from a returned value, {self._nameless}, and a later "
                f"trial has it by name, {result!r}. Name another --study"
            )
        return result

    def has(self, config: Config) -> bool:
        """Whether a run with *config* is one of its trials, and has no result yet."""
        return config.metadata.get("search_trial") in self._open

    def is_worse(self, config: Config, value: float, step: int) -> bool:
        """Report the *value* of the objective at *step* of a run with *config*; whether the run
        is to be ended.
        """
        trial = self._open[int(str(config.metadata["search_trial"]))]
        return self._study.is_worse(trial, value, step)

    def prune(self, config: Config) -> None:
        """The run with *config* was ended because of it."""
        self._study.prune(self._open.pop(int(str(config.metadata["search_trial"]))))
        self._has_result = True

    def close(self) -> None:
        """Close the study; trials without a result count as failed."""
        for trial in self._open.values():
            self._study.fail(trial, "interrupted")
        self._open.clear()
        self._study.close()

    def _refuse_broken(self) -> None:
        if self.broken:
            raise ConfigError(f"search: it ends after a trial without a result: {self.broken}")


@public
def search(
    space: Sweep,
    method: str = "optuna",
    *,
    n: int,
    minimize: str | None = None,
    maximize: str | None = None,
    seed: int | None = None,
    study: str | None = None,
    prune: str | None = None,
) -> Sweep:
    """A Sweep whose *n* Configs are chosen to make the objective small, or large.

    The objective is an output global of the script, else a key or an attribute of the value that
    its entry function returns, else the last number that it prints by that name (``loss: 0.1``; the
    flow has to record its runs), else the only number of the returned value. Random axes of *space*
    are ranges, all others are choices without order. *study* is a SQLite file that is made or
    continued; without it the trials are not kept. With *seed* equal results lead to equal choices.
    *prune*, ``median`` or ``hyperband``, ends trials early that do worse than others at the same
    step, by what they print or log; their Outcomes have the status ``pruned``.

    Run it one after another: ``Sequential(Script("train.py", search(...)), on_error="continue")``.
    Raises ConfigError for a space that cannot be searched, and if the method's package is missing.
    """
    check_type(space, Sweep, "a search chooses from a Sweep")
    read_number("n", n, 1)
    texts = {"method": method, "minimize": minimize, "maximize": maximize, "prune": prune}
    for name, one in texts.items():
        check_type(one, (str, type(None)), f"{name} is a text")
    if prune and prune not in PRUNERS:
        raise UsageError(unknown("prune", prune, PRUNERS))
    check_type(study, (*PATHS, type(None)), "study is a file's name")
    if seed is not None:
        read_number("seed", seed)
    objective = make_objective(minimize, maximize, ("minimize=", "maximize="))
    return Search(
        space_of(space), objective, n, method, seed, str(study) if study else "", prune or ""
    ).sweep()  # fmt: skip


def check_method(method: str) -> None:
    """Raise UsageError if there is no such method of search."""
    if method not in _METHODS:
        raise UsageError(unknown("search", method, _METHODS))


def _refuse_missing(outcome: object) -> None:
    if outcome is None:
        raise ConfigError(
            "search: it gets no results of its runs. Run it one after another, in Sequential"
        )


@dataclass(frozen=True)
class Trial:
    """Values that a search tries."""

    #: Its number in the study, from 0.
    number: int
    #: Name of a dimension -> what was chosen.
    values: Mapping[str, object]
    #: Its result; None before its run has ended.
    result: float | None = None


@dataclass(frozen=True)
class Tried:
    """The state of a study."""

    #: The number of trials that have ended, of those that failed, and of those that were pruned.
    count: int = 0
    failed: int = 0
    pruned: int = 0
    #: The best trial; None as long as none has succeeded.
    best: Trial | None = None


def best_trial(objective: Objective, trials: Iterable[Trial]) -> Trial | None:
    """The trial with the best result, the first of equal ones; None if no trial has one."""
    best: Trial | None = None
    for one in trials:
        other = best.result if best else None
        if one.result is not None and objective.is_better(one.result, other):
            best = one
    return best


class Study(Protocol):
    """The trials of one search. Every method raises ConfigError if the file cannot be used."""

    def tried(self) -> Tried:
        """The trials so far."""

    def ask(self) -> Trial:
        """The values to try next."""

    def tell(self, trial: Trial, result: float) -> None:
        """*trial* had *result*."""

    def is_worse(self, trial: Trial, value: float, step: int) -> bool:
        """*trial* has *value* at *step*; whether it is to be ended."""

    def prune(self, trial: Trial) -> None:
        """*trial* was ended early."""

    def fail(self, trial: Trial, why: str) -> None:
        """*trial* has no result; *why* says the reason."""

    def close(self) -> None:
        """Close the file."""


MOST_CHOICES = 1_000
"""Values of one finite axis: a method reads each of them before each trial."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Dimension:
    """One axis as a search chooses from it: a number of its distribution, or one of its rows."""

    axis: Axis
    #: Name -> row of a finite axis; empty for a distribution.
    choices: Mapping[str, tuple[object, ...]]

    @property
    def name(self) -> str:
        """Its targets, as in the study."""
        return ", ".join(self.axis.targets)

    @property
    def example(self) -> object:
        """One of the values that can be chosen."""
        of = self.axis.distribution
        if of is None:
            return next(iter(self.choices))
        # No end of a range: 1.0 would pass for an int, and later choices would not.
        return of.first if of.kind == "randint" else of.first + (of.second - of.first) * 0.618

    def __str__(self) -> str:
        return f"{self.name}={self.axis.distribution or ','.join(self.choices)}"

    def config(self, chosen: object) -> Config:
        """The Config for the choice: a number, or the name of a row."""
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
    """The dimensions that a search chooses from, and the Config that all trials share."""

    #: The part that all Configs share.
    base: Config
    dimensions: tuple[Dimension, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.dimensions))

    def config(self, values: Mapping[str, object]) -> Config:
        """The Config for the choices: name of a dimension -> value."""
        made = self.base
        for dimension in self.dimensions:
            made = made | dimension.config(values[dimension.name])
        return made

    def example(self) -> Config:
        """One of its Configs, to check that the script accepts it."""
        return self.config({one.name: one.example for one in self.dimensions})

    def fixed(self) -> str:
        """The part that all Configs share, as text that is equal in every process."""
        base = self.base
        pairs = [*base.globals_dict.items(), *base.new_globals.items(), *base.kwargs.items()]
        lists = [("args", base.args), ("argv", base.argv)]
        return in_words([*sorted(pairs), *((name, value) for name, value in lists if value)])


def in_words(pairs: list[tuple[str, object]]) -> str:
    """``lr=0.1 bs=32``, uncut, and without the addresses of objects."""
    return _ADDRESS.sub("", label_of(pairs, most=10_000))


def space_of(sweep: Sweep) -> Space:
    """The Space of *sweep*'s axes. Raises ConfigError if a search cannot choose from one."""
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
        choices[_choice_name(axis, row, choices)] = row
    return choices


def _choice_name(axis: Axis, row: tuple[object, ...], taken: Mapping[str, object]) -> str:
    """The name of *row*: its value, or its targets with values; a number makes it unique."""
    alone = len(row) == 1
    words = value_text(row[0]) if alone else label_of(zip(axis.targets, row), most=10_000)
    words = _ADDRESS.sub("", words)
    if words not in taken:
        return words
    return next(one for n in range(2, len(taken) + 3) if (one := f"{words} ({n})") not in taken)
