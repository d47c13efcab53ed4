"""What a Sweep multiplies, and what an axis takes its values from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence, Set, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from kohaku_ast.config.config import Config
from kohaku_ast.errors import ConfigError

if TYPE_CHECKING:
    from kohaku_ast.config.axis import Axis


Walk: TypeAlias = "Generator[Config, object, None]"
"""Configs as they are asked for; what is sent for one is the Outcome of its run."""


class Part(ABC):
    """Something that gives Configs, and can be multiplied with others."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The number of Configs; None if it is endless or not known before they come."""

    @property
    @abstractmethod
    def axes(self) -> tuple[Axis, ...]:
        """Every axis in it, the slowest first."""

    @property
    @abstractmethod
    def listens(self) -> bool:
        """Whether somebody in it may wait for the Outcomes that its walk is sent."""

    @property
    @abstractmethod
    def is_settled(self) -> bool:
        """Whether a walk runs no code of the user and uses nothing up."""

    @property
    def is_random(self) -> bool:
        """Whether it has a random axis that was not drawn yet."""
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
        """Each of its Configs over *start*; *taken* are targets that it must not vary again."""

    @abstractmethod
    def without(self, *targets: str) -> Part | None:
        """It without these targets; None if nothing is left to give."""

    @abstractmethod
    def under(self, config: Config) -> Part | None:
        """It with *config* over every Config, no run made twice for it; None if nothing is left."""

    @abstractmethod
    def remembered(self) -> Part:
        """It so that it can be walked many times, what is used up kept as it comes."""

    @abstractmethod
    def draw(self, n: int, seed: int) -> Part:
        """It with *n* joint draws for its random axes."""


def multiply(parts: tuple[Part, ...], start: Config, taken: frozenset[str]) -> Walk:
    """Every combination over *start*, the first part slowest.

    The first is never stored, so that it may be endless; the others are walked again and again.
    """
    again = [part.remembered() for part in parts[1:]]
    return _nest((*parts[:1], *again), start, taken)


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
        # Outcomes are kept only for who wants them: there may be 100,000 to a step of the head.
        sent = yield from gather(inner) if head.listens else inner


def gather(walk: Walk) -> Generator[Config, object, list[object]]:
    """The Configs of *walk*; the list of what was sent for them is returned at its end."""
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


class Values(ABC):
    """An iterable that knows whether it can be iterated again."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The number of values, if it is known before they come."""

    @property
    @abstractmethod
    def is_one_shot(self) -> bool:
        """Whether it can be iterated only once."""

    @abstractmethod
    def __iter__(self) -> Iterator[object]: ...


@dataclass(frozen=True, eq=False)
class Once(Values):
    """The values of an iterator: they are there once.

    Raises ConfigError when it is iterated a second time, for that would silently give nothing.
    """

    iterator: Iterator[object]
    #: What is used up then, and where it stands: ``cfg.py: the axis 'lr'``.
    what: str
    _used: list[bool] = field(default_factory=list, repr=False)

    @property
    def size(self) -> None:
        return None

    @property
    def is_one_shot(self) -> bool:
        return True

    def __iter__(self) -> Iterator[object]:
        if self._used:
            raise ConfigError(
                f"{self.what} is used up: an iterator gives its values once. Give a list, or a "
                "function that makes the iterator, to run it again"
            )
        self._used.append(True)
        return self.iterator


class Remembered(Values):
    """The values of another iterable, kept as they come, so that they can be had again."""

    def __init__(self, values: Iterable[object]) -> None:
        self._values = values
        self._source: Iterator[object] | None = None
        self._seen: list[object] = []

    @property
    def size(self) -> int | None:
        return size_of(self._values)

    @property
    def is_one_shot(self) -> bool:
        return False

    def __iter__(self) -> Generator[object, object, None]:
        place, sent = 0, None
        while place < len(self._seen) or self._read_on(sent):
            sent = yield self._seen[place]
            place += 1

    def _read_on(self, sent: object) -> bool:
        if self._source is None:
            self._source = iter(self._values)
        try:
            self._seen.append(advance(self._source, sent))
        except StopIteration:
            return False
        return True


def advance(source: Iterator[Any], sent: object) -> Any:
    """The next value of *source*; a generator gets *sent* as the value of its ``yield``."""
    if sent is None or not hasattr(source, "send"):
        return next(source)
    return source.send(sent)


def is_one_shot(values: object) -> bool:
    """Whether *values* can be iterated only once."""
    return isinstance(values, Values) and values.is_one_shot


def size_of(values: object) -> int | None:
    """How many values there are; None if that is not known before they come."""
    if isinstance(values, Values):
        return values.size
    return len(values) if isinstance(values, Sized) else None


def settle(values: Iterable[object], what: str) -> Iterable[object]:
    """*values* so that nobody else can change them: lists are copied, arrays become their rows.

    A set is sorted, since its own order differs from process to process.
    """
    if hasattr(values, "ndim") and hasattr(values, "tolist"):
        rows = values.tolist() if values.ndim == 1 else values
        return tuple(rows)
    if isinstance(values, Set) and not isinstance(values, Sequence):
        return tuple(_sorted(values))
    if isinstance(values, (range, tuple)):
        return values
    if isinstance(values, Collection) and not hasattr(values, "__getitem__"):
        return tuple(values)
    if isinstance(values, list):
        return tuple(values)
    return Once(iter(values), what) if iter(values) is values else values


def _sorted(values: Set[Any]) -> list[object]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)
