"""Axis: the values of one target in a Sweep, or of several targets that vary together.

Part is what a Sweep is a product of: an Axis, a source of Configs, or another Sweep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain, islice, repeat
from operator import or_
from typing import TypeAlias

from kohaku_ast.config.axis_values import Remembered, Values, is_one_shot, size_of
from kohaku_ast.config.config import Config, value_text
from kohaku_ast.config.sampling import Distribution, Draws
from kohaku_ast.errors import ConfigError

Walk: TypeAlias = "Generator[Config, object, None]"
"""Gives Configs one by one; ``send`` it the Outcome of the run of the last one."""


class Part(ABC):
    """A factor of a Sweep: it gives Configs, and is multiplied with other parts."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The number of Configs; None if it is endless, or known only after a walk."""

    @property
    @abstractmethod
    def axes(self) -> tuple[Axis, ...]:
        """Every axis in it, the slowest first."""

    @property
    @abstractmethod
    def listens(self) -> bool:
        """Whether a generator in it may use the Outcomes that are sent to its walk."""

    @property
    @abstractmethod
    def is_settled(self) -> bool:
        """Whether a walk runs no code of the user and uses up no iterator."""

    @property
    def inner(self) -> Iterable[Part]:
        """The parts that it is made of."""
        return ()

    @property
    def needs_outcomes(self) -> bool:
        """Whether a search is in it: it cannot go on without the Outcomes of its runs."""
        return any(one.needs_outcomes for one in self.inner)

    @property
    def is_random(self) -> bool:
        """Whether it has a random axis that is not drawn yet."""
        return any(axis.is_random for axis in self.axes)

    @property
    def is_plain(self) -> bool:
        """Whether it is one Config that changes nothing."""
        return False

    @property
    def varied(self) -> tuple[str, ...]:
        """The targets of all its axes."""
        return tuple(target for axis in self.axes for target in axis.targets)

    @abstractmethod
    def walk(self, start: Config, taken: frozenset[str] = frozenset()) -> Walk:
        """Each of its Configs merged over *start*; it must not set a target of *taken*."""

    @abstractmethod
    def without(self, *targets: str) -> Part | None:
        """The part without these targets; None if nothing is left of it."""

    @abstractmethod
    def under(self, config: Config) -> Part | None:
        """The part with *config* over every Config, equal runs made once; None if it is empty."""

    @abstractmethod
    def remembered(self) -> Part:
        """The part in a form that can be walked many times: values of iterators are stored."""

    def with_each(self, change: Callable[[Config], Config]) -> Part:
        """It, where *change* has made each Config that it lists."""
        return self

    @abstractmethod
    def draw(self, n: int, seed: int) -> Part:
        """The part with *n* joint draws in place of its random axes."""


@dataclass(frozen=True, eq=False)
class Axis(Part):
    """Targets, and the values that they take one after the other."""

    #: Several targets vary together: a zip, a table, or joint draws.
    targets: tuple[str, ...]
    #: The values of one target, else a row for all targets; empty while an axis is random.
    values: Iterable[object]
    #: Its place, for messages: ``Sweep``, ``cfg.py:12``, ``--sweep``.
    origin: str
    #: The distribution of its values, if they are not drawn yet.
    distribution: Distribution | None = None
    #: The place of each row, if each has its own.
    row_origins: tuple[str, ...] = ()
    #: Merged over each of its rows: it may set one of its targets by another name.
    over: Config = field(default_factory=Config)

    @property
    def size(self) -> int | None:
        return None if self.distribution else size_of(self.values)

    @property
    def axes(self) -> tuple[Axis, ...]:
        return (self,)

    @property
    def listens(self) -> bool:
        return False

    @property
    def is_settled(self) -> bool:
        return not (self.distribution or is_one_shot(self.values))

    @property
    def is_random(self) -> bool:
        return self.distribution is not None

    @property
    def shown(self) -> str:
        """Its first values as short text."""
        if self.distribution:
            return str(self.distribution)
        if not self.is_settled:
            return "values of an iterator"
        texts = [", ".join(map(value_text, row)) for row in islice(self.rows(), 7)]
        texts = [f"({text})" for text in texts] if len(self.targets) > 1 else texts
        return ", ".join([*texts[:6], "..."] if len(texts) > 6 else texts)

    @property
    def name(self) -> str:
        """Its targets, quoted, for a message."""
        return ", ".join(map(repr, self.targets))

    def __str__(self) -> str:
        size = "random" if self.distribution else "?" if self.size is None else self.size
        return f"{', '.join(self.targets)}: {size}"

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Its values as rows, one value for each target; ConfigError for a row of another size."""
        if self.distribution:
            raise ConfigError(
                f"{self.origin}: {self.targets[0]!r} is random ({self.distribution}): say how many "
                "draws, with -n 20 on the command line or sweep.draw(20, seed=0) in Python"
            )
        if len(self.targets) == 1:
            return ((value,) for value in self.values)
        return (self._row(row, number) for number, row in enumerate(self.values))

    def _row(self, row: object, number: int) -> tuple[object, ...]:
        values = tuple(row) if isinstance(row, Iterable) and not isinstance(row, str) else None
        if values is None or len(values) != len(self.targets):
            raise ConfigError(
                f"{self.origin}: row {number} of {self.name} is not "
                f"{len(self.targets)} values: {value_text(row)}"
            )
        return values

    def walk(self, start: Config, taken: frozenset[str] = frozenset()) -> Walk:
        for target in taken.intersection(self.targets):
            raise ConfigError(
                f"{self.origin}: {target!r} is an axis, and the Configs that it multiplies set "
                f"it too. Leave it out of one of them with .without({target!r})"
            )
        places = chain(self.row_origins, repeat(self.origin))
        row = None
        for row, place in zip(self.rows(), places):
            values = dict(zip(self.targets, row))
            origins = dict.fromkeys(self.targets, place)
            config = start | Config(values, origins=origins, varied=self.targets)
            yield config | self.over if self.over.globals_dict else config
        if row is None:
            raise ConfigError(f"{self.origin}: the axis {self.name} is empty: it would run nothing")

    def without(self, *targets: str) -> Axis | None:
        places = tuple(i for i, target in enumerate(self.targets) if target not in targets)
        if len(places) == len(self.targets):
            return self
        left = tuple(self.targets[place] for place in places)
        return replace(self, targets=left, values=Picked(self, places)) if left else None

    def under(self, config: Config) -> Axis | None:
        left = self.without(*config.globals_dict)
        return left and replace(left, over=left.over | config)

    def remembered(self) -> Axis:
        return replace(self, values=Remembered(self.values)) if is_one_shot(self.values) else self

    def draw(self, n: int, seed: int) -> Axis:
        return self


@dataclass(frozen=True, eq=False)
class Picked(Values):
    """Some columns of an Axis as rows; a single column gives plain values."""

    axis: Axis
    places: tuple[int, ...]

    @property
    def size(self) -> int | None:
        return self.axis.size

    @property
    def is_one_shot(self) -> bool:
        return is_one_shot(self.axis.values)

    def __iter__(self) -> Iterator[object]:
        for row in self.axis.rows():
            picked = tuple(row[place] for place in self.places)
            yield picked if len(picked) > 1 else picked[0]


@dataclass(frozen=True, eq=False)
class Zipped(Values):
    """The rows of axes side by side.

    Raises ConfigError while it is iterated if one of them ends before the others.
    """

    axes: tuple[Axis, ...]
    origin: str

    @property
    def size(self) -> int | None:
        return next((axis.size for axis in self.axes if axis.size is not None), None)

    @property
    def is_one_shot(self) -> bool:
        return any(is_one_shot(axis.values) for axis in self.axes)

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        columns = [axis.rows() for axis in self.axes]
        number = 0
        while True:
            row = [next(column, None) for column in columns]
            parts = [part for part in row if part is not None]
            if len(parts) < len(row):
                return self._end(row, number) if parts else None
            yield tuple(value for part in parts for value in part)
            number += 1

    def _end(self, row: Sequence[object], number: int) -> None:
        ended = ", ".join(axis.name for axis, part in zip(self.axes, row) if part is None)
        more = ", ".join(axis.name for axis, part in zip(self.axes, row) if part is not None)
        raise ConfigError(
            f"{self.origin}: zip pairs values, and there are not as many of each: "
            f"{ended} has {number}, {more} has more"
        )


def pair_axes(axes: Sequence[Axis], origin: str) -> Axis:
    """One Axis that takes the values of *axes* side by side; ConfigError if one has more."""
    _refuse_pairs(axes, origin)
    refuse_twice(axes, origin)
    if len(axes) == 1:
        return axes[0]
    targets = tuple(target for axis in axes for target in axis.targets)
    origins = ", ".join(dict.fromkeys(axis.origin for axis in axes))
    over = reduce(or_, [axis.over for axis in axes])
    return Axis(targets, Zipped(tuple(axes), origin), origins, over=over)


def _refuse_pairs(axes: Sequence[Axis], origin: str) -> None:
    if not axes:
        raise ConfigError(f"{origin}: a zip of no axes gives no runs")
    for axis in axes:
        if axis.is_random:
            raise ConfigError(
                f"{origin}: {axis.name} is random and cannot be zipped: random axes are drawn "
                "together anyway"
            )
    if len({axis.size for axis in axes if axis.size is not None}) > 1:
        sizes = ", ".join(f"{axis.name} has {axis.size or 'some'}" for axis in axes)
        raise ConfigError(f"{origin}: zip pairs values, and there are not as many of each: {sizes}")


def pair_parts(parts: tuple[Part, ...], targets: Collection[str]) -> tuple[Part, ...]:
    """*parts* with the axes of *targets* paired to one Axis, in the place of the first one."""
    picked = [part for part in parts if isinstance(part, Axis) and set(part.targets) & {*targets}]
    known = [target for axis in picked for target in axis.targets]
    for target in targets:
        if target not in known:
            own = ", ".join(str(part) for part in parts) or "none"
            raise ConfigError(f"zip: {target!r} is no axis to pair; there are: {own}")
    paired = pair_axes(picked, "zip")
    made = [paired if part is picked[0] else part for part in parts]
    return tuple(part for part in made if part not in picked[1:])


def draw_parts(parts: tuple[Part, ...], n: int, seed: int) -> tuple[Part, ...]:
    """*parts* with one Axis of *n* joint draws for all random axes, in place of the first one."""
    ours = [part for part in parts if isinstance(part, Axis) and part.distribution]
    others = [part.draw(n, seed) if part.is_random and part not in ours else part for part in parts]
    if not ours:
        return tuple(others)
    drawn = _joint(ours, n, seed)
    return tuple(drawn if part is ours[0] else part for part in others if part not in ours[1:])


def _joint(axes: list[Axis], n: int, seed: int) -> Axis:
    targets = tuple(axis.targets[0] for axis in axes)
    kinds: tuple[Distribution, ...] = tuple(one.distribution for one in axes if one.distribution)
    origins = ", ".join(dict.fromkeys(axis.origin for axis in axes))
    over = reduce(or_, [axis.over for axis in axes])
    return Axis(targets, Draws(targets, kinds, n, seed), origins, over=over)


def multiply(parts: tuple[Part, ...], start: Config, taken: frozenset[str]) -> Walk:
    """Every combination over *start*, the first part slowest.

    The first is not stored, so it may be endless; the others are walked again for each of its
    Configs.
    """
    inner = [part.remembered() for part in parts[1:]]
    return _nest((*parts[:1], *inner), start, taken)


def _nest(parts: tuple[Part, ...], start: Config, taken: frozenset[str]) -> Walk:
    if not parts:
        yield start
        return
    head, rest = parts[0], parts[1:]
    walk, sent = head.walk(start, taken), None
    if not rest:
        yield from walk
        return
    while True:
        try:
            outer = walk.send(sent)
        except StopIteration:
            return
        inner = _nest(rest, outer, taken.union(set(outer.varied).difference(start.varied)))
        # Outcomes are collected only if the head uses them: one step of it may have 100,000.
        sent = yield from gather(inner) if head.listens else inner


def gather(walk: Walk) -> Generator[Config, object, list[object]]:
    """Yield the Configs of *walk*; return the list of what was sent for them."""
    outcomes: list[object] = []
    sent: object = None
    while True:
        try:
            config = walk.send(sent)
        except StopIteration:
            return outcomes
        sent = yield config
        outcomes.append(sent)


def refuse_twice(parts: Sequence[Part], origin: str) -> None:
    """Raise ConfigError if two of *parts* vary the same target."""
    seen: set[str] = set()
    for target in (target for part in parts for target in dict.fromkeys(part.varied)):
        if target in seen:
            raise ConfigError(
                f"{origin}: {target!r} is swept twice. Give all its values to one axis, or "
                f"leave it out of one with .without({target!r})"
            )
        seen.add(target)
