"""What a Sweep multiplies: the one interface of axes, sources of Configs and Sweeps themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, TypeAlias

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
