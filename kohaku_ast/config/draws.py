"""Random axes drawn: all of a Sweep together become one Axis of joint draws."""

from __future__ import annotations

from functools import reduce
from operator import or_

from kohaku_ast.config.axis import Axis
from kohaku_ast.config.distributions import Distribution, Draws
from kohaku_ast.config.parts import Part


def draw_parts(parts: tuple[Part, ...], n: int, seed: int) -> tuple[Part, ...]:
    """*parts* with *n* rows of draws where the first random axis stands, the others gone."""
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
