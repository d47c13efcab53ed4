"""Distributions of random axes, and reproducible draws from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from kohaku_ast.config.cells import CellText

if TYPE_CHECKING:
    import random


@dataclass(frozen=True)
class Distribution:
    """The distribution that the values of a random axis are drawn from."""

    #: ``uniform``, ``loguniform``, ``randint`` or ``normal``.
    kind: str
    #: The lowest value; the mean of ``normal``.
    first: float | int
    #: The highest value (``randint`` excludes it, as ``range`` does); the deviation of ``normal``.
    second: float | int

    def __str__(self) -> str:
        return f"{self.kind}:{self.first}:{self.second}"

    def draw(self, stream: random.Random) -> CellText:
        """The next value of *stream*, as a cell."""
        return CellText(repr(_DRAWS[self.kind](self, stream)), is_quoted=False)


@dataclass(frozen=True)
class Draws:
    """*size* joint draws. Each target has a stream of its own, made of *seed* and its name, so
    that one more random axis changes the draws of no other.
    """

    targets: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    size: int
    seed: int

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[object]:
        import random  # here, because it takes 10 ms and few sweeps draw

        streams = [random.Random(f"{self.seed}:{target}") for target in self.targets]
        for _ in range(self.size):
            row = tuple(one.draw(stream) for one, stream in zip(self.distributions, streams))
            yield row if len(row) > 1 else row[0]


# Only random() is used: it alone is promised to give the same numbers in every version of Python.


def _uniform(of: Distribution, stream: random.Random) -> float:
    return min(of.first + (of.second - of.first) * stream.random(), float(of.second))


def _loguniform(of: Distribution, stream: random.Random) -> float:
    low, high = math.log(of.first), math.log(of.second)
    value = math.exp(low + (high - low) * stream.random())
    return float(min(max(value, of.first), of.second))


def _randint(of: Distribution, stream: random.Random) -> int:
    # In integers: a float would round the last numbers of a wide span up to its end.
    steps = int(stream.random() * 2**53)
    return int(of.first) + (steps * (int(of.second) - int(of.first)) >> 53)


def _normal(of: Distribution, stream: random.Random) -> float:
    radius = math.sqrt(-2 * math.log(1 - stream.random()))
    return of.first + of.second * radius * math.cos(2 * math.pi * stream.random())


_DRAWS: dict[str, Callable[[Distribution, random.Random], float | int]] = {
    "uniform": _uniform,
    "loguniform": _loguniform,
    "randint": _randint,
    "normal": _normal,
}


def make_distribution(kind: str, first: str, second: str) -> Distribution:
    """The Distribution of ``kind:first:second``; raises ValueError for wrong numbers."""
    read = int if kind == "randint" else float
    numbers = [_number(text, read) for text in (first, second)]
    _refuse_bounds(kind, *numbers)
    return Distribution(kind, *numbers)


def _number(text: str, read: Callable[[str], float | int]) -> float | int:
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite() or not text.isascii():
        raise ValueError(f"{text!r} is not a finite number")
    if read is int and (value != value.to_integral_value() or value.adjusted() > 30):
        raise ValueError(f"{text!r} is not an integer")
    if read is float and not math.isfinite(float(value)):
        raise ValueError(f"no float holds {text}")
    return int(value) if read is int else float(value)


def _refuse_bounds(kind: str, first: float | int, second: float | int) -> None:
    if kind == "normal":
        if second <= 0:
            raise ValueError(f"the standard deviation {second} is not above 0")
    elif first >= second:
        raise ValueError(f"the low end {first} is not below the high end {second}")
    elif kind == "loguniform" and first <= 0:
        raise ValueError(f"the low end {first} is not above 0, so that it has no logarithm")


KINDS = tuple(_DRAWS)
"""The names of the random forms."""
