"""Source: whole Configs for a Sweep, from an iterable, a generator or a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kohaku_ast.config.axis_values import Once, Remembered, advance
from kohaku_ast.config.config import Config
from kohaku_ast.config.parts import Part, Walk, gather
from kohaku_ast.errors import ConfigError

if TYPE_CHECKING:
    from kohaku_ast.config.axis import Axis


@dataclass(frozen=True, eq=False)
class Source(Part):
    """Configs, dicts of targets or Sweeps, from an iterable or from a function that makes one.

    A generator in it gets the Outcome of each run as the value of its ``yield``; the list of
    them where one of its items is run several times.
    """

    items: Iterable[object] | Callable[[], Iterable[object]]
    #: Where it stands, for messages, and for the origins of values that have none.
    origin: str
    #: What holds over all its Configs.
    over: Config = field(default_factory=Config)
    #: Targets that its Configs leave to others.
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

    def without(self, *targets: str) -> Source:
        return replace(self, dropped=self.dropped.union(targets))

    def under(self, config: Config) -> Source:
        return replace(self, over=self.over | config)

    def remembered(self) -> Source:
        return replace(self, items=Remembered(self.items)) if isinstance(self.items, Once) else self

    def draw(self, n: int, seed: int) -> Source:
        return self

    def _walk_part(self, part: Part, start: Config, taken: frozenset[str]) -> Walk:
        left = part.without(*self.dropped) if self.dropped else part
        left = left.under(self.over) if left else None
        if left is None:
            yield start | self.over
        else:
            yield from left.walk(start, taken)

    def _change(self, item: object, number: int, taken: frozenset[str]) -> Config:
        """*item* as what one Config changes."""
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

        raise ConfigError(
            f"{self.origin}: item {number} is neither a Config nor a dict of targets to values, "
            f"but of type {type(item).__name__}: {short_repr(item)}"
        )


def _is_part(item: object) -> bool:
    return isinstance(item, Part)
