"""Axes paired into one: a value of each, side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from kohaku_ast.config.axis import Axis
from kohaku_ast.config.axis_values import Values, is_one_shot
from kohaku_ast.config.parts import Part, refuse_twice
from kohaku_ast.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Zipped(Values):
    """The rows of axes side by side.

    Raises ConfigError while it is iterated if one of them is over before the others.
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
        over = ", ".join(axis.name for axis, part in zip(self.axes, row) if part is None)
        more = ", ".join(axis.name for axis, part in zip(self.axes, row) if part is not None)
        raise ConfigError(
            f"{self.origin}: zip pairs values, and there are not as many of each: "
            f"{over} has {number}, {more} has more"
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
    """*parts* with the axes of *targets* as one Axis, where the first of them stands."""
    picked = [part for part in parts if isinstance(part, Axis) and set(part.targets) & {*targets}]
    known = [target for axis in picked for target in axis.targets]
    for target in targets:
        if target not in known:
            own = ", ".join(str(part) for part in parts) or "none"
            raise ConfigError(f"zip: {target!r} is no axis to pair; there are: {own}")
    paired = pair_axes(picked, "zip")
    made = [paired if part is picked[0] else part for part in parts]
    return tuple(part for part in made if part not in picked[1:])
