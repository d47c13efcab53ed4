"""Parts of a Sweep that give whole Configs: an iterable, a chain, the first n, each n times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import repeat

from kohaku_ast.config.axis import Axis, Part, Walk, gather
from kohaku_ast.config.axis_values import Once, Remembered, advance
from kohaku_ast.config.config import Config
from kohaku_ast.errors import (
    ConfigError,
    ConfigTypeError,
    check_type,
    read_number,
)


@dataclass(frozen=True, eq=False)
class ConfigSource(Part):
    """Configs, dicts of targets or Sweeps, from an iterable or from a function that makes one.

    A generator gets the Outcome of each run as the value of its ``yield``; a list of Outcomes if
    one of its items is several runs.
    """

    items: Iterable[object] | Callable[[], Iterable[object]]
    #: Its place, for messages and for values without an origin of their own.
    origin: str
    #: Merged over all its Configs.
    over: Config = field(default_factory=Config)
    #: Targets that are left out of its Configs.
    dropped: frozenset[str] = frozenset()

    @property
    def size(self) -> int | None:
        if not isinstance(self.items, (list, tuple)) or any(map(_is_part, self.items)):
            return None
        return len(self.items)

    @property
    def axes(self) -> tuple[Axis, ...]:
        return ()

    @property
    def listens(self) -> bool:
        return not isinstance(self.items, (list, tuple))

    @property
    def is_settled(self) -> bool:
        return not self.listens

    @property
    def inner(self) -> Iterable[Part]:
        items = self.items if isinstance(self.items, (list, tuple)) else ()
        return [one for one in items if isinstance(one, Part)]

    @property
    def needs_outcomes(self) -> bool:
        return getattr(self.items, "needs_outcomes", False) or super().needs_outcomes

    def __str__(self) -> str:
        return "Configs" if self.size is None else f"{self.size} Configs"

    def walk(self, start: Config, taken: frozenset[str] = frozenset()) -> Walk:
        items = iter(self.items() if callable(self.items) else self.items)
        sent: object = None
        number = 0
        while True:
            try:
                item = advance(items, sent)
            except StopIteration:
                return
            if isinstance(item, Part):
                sent = yield from gather(self._walk_part(item, start, taken))
            else:
                sent = yield start | self._change(item, number, taken)
            number += 1

    def without(self, *targets: str) -> ConfigSource:
        return replace(self, dropped=self.dropped.union(targets))

    def under(self, config: Config) -> ConfigSource:
        return replace(self, over=self.over | config)

    def remembered(self) -> ConfigSource:
        return replace(self, items=Remembered(self.items)) if isinstance(self.items, Once) else self

    def with_each(self, change: Callable[[Config], Config]) -> ConfigSource:
        if not isinstance(self.items, tuple):
            return self
        changed = [
            one.with_each(change)
            if isinstance(one, Part)
            else change(one)
            if isinstance(one, Config)
            else one
            for one in self.items
        ]
        return replace(self, items=tuple(changed))

    def draw(self, n: int, seed: int) -> ConfigSource:
        return self

    def _walk_part(self, part: Part, start: Config, taken: frozenset[str]) -> Walk:
        left = part.without(*self.dropped) if self.dropped else part
        left = left.under(self.over) if left else None
        if left is None:
            yield start | self.over
        else:
            yield from left.walk(start, taken)

    def _change(self, item: object, number: int, taken: frozenset[str]) -> Config:
        """*item* as a Config that is merged over the start of the walk."""
        config = self._config(item, number)
        values = {k: v for k, v in config.globals_dict.items() if k not in self.dropped}
        for target in taken.intersection(values):
            raise ConfigError(
                f"{self.origin}: item {number} sets {target!r}, which an axis varies too. Leave it "
                f"out of one of them with .without({target!r})"
            )
        fixed = self.over.globals_dict
        varied = tuple(one for one in config.varied or values if one in values and one not in fixed)
        origins = {name: config.origins.get(name, self.origin) for name in values}
        return replace(config, globals_dict=values, origins=origins, varied=varied) | self.over

    def _config(self, item: object, number: int) -> Config:
        if isinstance(item, Config):
            return item
        if isinstance(item, Mapping) and all(isinstance(key, str) for key in item):
            return Config(globals_dict=item)
        from kohaku_ast.display.text import short_repr

        raise ConfigTypeError(
            f"{self.origin}: item {number} is neither a Config nor a dict of targets to values, "
            f"but of type {type(item).__name__}: {short_repr(item)}"
        )


@dataclass(frozen=True, eq=False)
class Repeats(Part):
    """The same Config *n* times; a seed, if there is one, takes the values 0 to n - 1."""

    n: int
    #: The axis of the seed; None if all runs have the same values.
    seed: Axis | None = None

    @property
    def size(self) -> int:
        return self.n

    @property
    def axes(self) -> tuple[Axis, ...]:
        return (self.seed,) if self.seed else ()

    @property
    def listens(self) -> bool:
        return False

    @property
    def is_settled(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"repeat: {self.n}"

    def walk(self, start: Config, taken: frozenset[str] = frozenset()) -> Walk:
        seeded = self.seed.walk(start, taken) if self.seed else repeat(start, self.n)
        for number, config in enumerate(seeded):
            of = {} if self.seed else {"repeats": self.n}
            yield config | Config(metadata={"repeat": number, "repeat_of": start.label, **of})

    def without(self, *targets: str) -> Repeats:
        return replace(self, seed=self.seed and self.seed.without(*targets))

    def under(self, config: Config) -> Repeats:
        return replace(self, seed=self.seed and self.seed.under(config))

    def remembered(self) -> Repeats:
        return self

    def draw(self, n: int, seed: int) -> Repeats:
        return self


def repeats(n: int, seed: str, origin: str) -> Repeats:
    """Repeats of *n* runs, with the target *seed* as their seed if it is not empty."""
    read_number(f"{origin}.repeat: n", n, 1, of=ConfigError)
    check_type(seed, str, f"{origin}: the seed of repeats is a target", ConfigError)
    return Repeats(n, Axis((seed,), range(n), origin) if seed else None)


def _is_part(item: object) -> bool:
    return isinstance(item, Part)


_PLAIN = ConfigSource((Config(),), "Sweep")  # one run, with nothing changed


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

    @property
    def inner(self) -> Iterable[Part]:
        return self.members

    def __str__(self) -> str:
        return "(" + " + ".join(map(str, self.members)) + ")"

    def walk(self, start: Config, taken: frozenset[str] = frozenset()) -> Walk:
        for member in self.members:
            yield from member.walk(start, taken)

    def without(self, *targets: str) -> Part | None:
        return self._of([member.without(*targets) for member in self.members])

    def under(self, config: Config) -> Part | None:
        return self._of([member.under(config) for member in self.members])

    def with_each(self, change: Callable[[Config], Config]) -> Chain:
        return Chain(tuple(member.with_each(change) for member in self.members))

    def remembered(self) -> Chain:
        return Chain(tuple(member.remembered() for member in self.members))

    def draw(self, n: int, seed: int) -> Chain:
        drawn = [one.draw(n, seed) if one.is_random else one for one in self.members]
        return Chain(tuple(drawn))

    def _of(self, members: Sequence[Part | None]) -> Chain | None:
        """A Chain of the members that are left; all members without changes make one plain run."""
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
        # An endless part has *most* Configs, but one of unknown size may have fewer.
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

    @property
    def inner(self) -> Iterable[Part]:
        return (self.part,)

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
        if sent is not None:
            # A search gets the Outcome of its last run too; its next Config is not run.
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
