"""Parts of a Sweep in sequence: one after the other, and the first few of one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kohaku_ast.config.config import Config
from kohaku_ast.config.parts import Part, Walk
from kohaku_ast.config.sources import Source

if TYPE_CHECKING:
    from kohaku_ast.config.axis import Axis

_PLAIN = Source((Config(),), "Sweep")  # one run, with nothing changed


@dataclass(frozen=True, eq=False)
class Chain(Part):
    """Parts one after the other."""

    members: tuple[Part, ...]

    @property
    def size(self) -> int | None:
        sizes = [member.size for member in self.members]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(axis for member in self.members for axis in member.axes)

    @property
    def listens(self) -> bool:
        return any(member.listens for member in self.members)

    @property
    def is_settled(self) -> bool:
        return all(member.is_settled for member in self.members)

    def __str__(self) -> str:
        return "(" + " + ".join(map(str, self.members)) + ")"

    def walk(self, start: Config, taken: frozenset[str] = frozenset()) -> Walk:
        for member in self.members:
            yield from member.walk(start, taken)

    def without(self, *targets: str) -> Part | None:
        return self._of([member.without(*targets) for member in self.members])

    def under(self, config: Config) -> Part | None:
        return self._of([member.under(config) for member in self.members])

    def remembered(self) -> Chain:
        return Chain(tuple(member.remembered() for member in self.members))

    def draw(self, n: int, seed: int) -> Chain:
        drawn = [one.draw(n, seed) if one.is_random else one for one in self.members]
        return Chain(tuple(drawn))

    def _of(self, members: Sequence[Part | None]) -> Chain | None:
        """The members that are left; those with nothing left are one plain run together."""
        changing = [None if member is None or member.is_plain else member for member in members]
        if not any(changing):
            return None
        first = changing.index(None) if None in changing else -1
        left = [_PLAIN if place == first else one for place, one in enumerate(changing)]
        return Chain(tuple(member for member in left if member is not None))


@dataclass(frozen=True, eq=False)
class First(Part):
    """At most *most* Configs of another part."""

    part: Part
    most: int

    @property
    def size(self) -> int | None:
        # An endless part gives all of them, but one of unknown size may be over before.
        return None if self.part.size is None else min(self.part.size, self.most)

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.part.axes

    @property
    def listens(self) -> bool:
        return self.part.listens

    @property
    def is_settled(self) -> bool:
        return self.part.is_settled

    def __str__(self) -> str:
        return f"first {self.most} of {self.part}"

    def walk(self, start: Config, taken: frozenset[str] = frozenset()) -> Walk:
        walk, sent = self.part.walk(start, taken), None
        for _ in range(self.most):
            try:
                config = walk.send(sent)
            except StopIteration:
                return
            sent = yield config
        if (
            sent is not None
        ):  # a search is told of its last run too, and what it asks for is not run
            with suppress(StopIteration):
                walk.send(sent)
        walk.close()

    def without(self, *targets: str) -> Part | None:
        left = self.part.without(*targets)
        return First(left, self.most) if left else None

    def under(self, config: Config) -> Part | None:
        left = self.part.under(config)
        return First(left, self.most) if left else None

    def remembered(self) -> First:
        return First(self.part.remembered(), self.most)

    def draw(self, n: int, seed: int) -> First:
        return First(self.part.draw(n, seed), self.most)
