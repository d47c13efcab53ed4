"""Forms of an axis: ``range:0:10:2``, ``linspace:0:1:5``, ``choice:a:b``, ``uniform:0:1``.

Pure functions; every failure is a ValueError whose text says what is wrong with the form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

from kohaku_ast.config.cells import CellText
from kohaku_ast.config.distributions import KINDS, Distribution, make_distribution
from kohaku_ast.config.text_values import find_commas
from kohaku_ast.errors import near


@dataclass(frozen=True)
class Steps:
    """``start``, ``start + step``, ...: *size* exact decimals, made when they are asked for."""

    start: Decimal
    step: Decimal
    size: int

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[CellText]:
        for number in range(self.size):
            yield CellText(format(self.start + number * self.step, "f"), is_quoted=False)


def read_form(text: str) -> Iterable[CellText] | Distribution | None:
    """The values, or what they are drawn from, if *text* is a form; None if it is other text.

    Raises ValueError for a form whose fields make no sense, or that is almost one.
    """
    name, colon, rest = text.partition(":")
    if not colon or not name.isidentifier():
        return None
    if name in KINDS:
        return make_distribution(name, *_fields(rest, 2, 2, _USAGE[name]))
    if name in _FORMS:
        return _FORMS[name](rest)
    found = near(name, list(_USAGE), 1, cutoff=0.75)
    if found and all(map(_is_number, rest.split(":"))):
        raise ValueError(f"there is no form {name!r}. Did you mean {found[0]!r}?")
    return None


def _range(rest: str) -> Iterable[CellText]:
    fields = [_decimal(field) for field in _fields(rest, 1, 3, _USAGE["range"])]
    start, stop = (Decimal(0), fields[0]) if len(fields) == 1 else fields[:2]
    step = fields[2] if len(fields) == 3 else Decimal(1)
    if not step:
        raise ValueError("its step is 0")
    size = -((Fraction(start) - Fraction(stop)) // Fraction(step))
    if size <= 0:
        raise ValueError(f"it holds no value: from {start} to {stop} (left out) by {step}")
    return Steps(start, step, size)


def _linspace(rest: str) -> Sequence[CellText]:
    first, last, size = _ends(rest, "linspace")
    step = (Fraction(last) - Fraction(first)) / (size - 1)
    inner = [float(Fraction(first) + number * step) for number in range(1, size - 1)]
    return _floats([float(first), *inner, float(last)])


def _geomspace(rest: str) -> Sequence[CellText]:
    first, last, size = _ends(rest, "geomspace")
    if first * last <= 0:
        raise ValueError("both of its ends are above 0, or both below")
    with localcontext() as context:
        context.prec = 40  # so that the nearest float of 1e-4 is 0.0001, not 0.00009999
        ratio = last / first
        powers = [Decimal(number) / (size - 1) for number in range(1, size - 1)]
        inner = [float(first * ratio**power) for power in powers]
    return _floats([float(first), *inner, float(last)])


def _choice(rest: str) -> Sequence[CellText]:
    # find_commas knows what brackets and quotes enclose; here a colon has the comma's part.
    swapped = rest.translate({ord(":"): ",", ord(","): ":"})
    ends = [-1, *find_commas(swapped), len(rest)]
    fields = [rest[start + 1 : end].strip() for start, end in pairwise(ends)]
    if not all(fields):
        raise ValueError(f"one of its values is empty: write {_USAGE['choice']}")
    return tuple(CellText(field, is_quoted=False) for field in fields)


def _ends(rest: str, name: str) -> tuple[Decimal, Decimal, int]:
    """The fields of a form that gives so many values from one end to the other, both included."""
    first, last, count = _fields(rest, 3, 3, _USAGE[name])
    ends = _decimal(first), _decimal(last)
    if not re.fullmatch("[0-9]{1,7}", count) or int(count) < 2:
        raise ValueError(
            f"it gives its two ends and what lies between: {count!r} is no such number"
        )
    if ends[0] == ends[1]:
        raise ValueError(f"both of its ends are {first}")
    return *ends, int(count)


def _fields(rest: str, least: int, most: int, usage: str) -> list[str]:
    fields = [field.strip() for field in rest.split(":")]
    if not least <= len(fields) <= most:
        raise ValueError(f"it has {len(fields)} fields: write {usage}")
    return fields


def _decimal(text: str) -> Decimal:
    if not _is_number(text):
        raise ValueError(f"{text!r} is not a number")
    value = Decimal(text)
    if abs(value.adjusted()) > 300:
        raise ValueError(f"{text!r} is out of reach")
    return value


def _is_number(text: str) -> bool:
    return bool(
        re.fullmatch(r"\s*[-+]?([0-9_]+\.?[0-9_]*|\.[0-9_]+)(e[-+]?[0-9]{1,6})?\s*", text, re.I)
    )


def _floats(values: list[float]) -> Sequence[CellText]:
    return tuple(CellText(repr(value), is_quoted=False) for value in values)


_FORMS: dict[str, Callable[[str], Iterable[CellText]]] = {
    "range": _range,
    "linspace": _linspace,
    "geomspace": _geomspace,
    "choice": _choice,
}
_USAGE = {
    "range": "range:START:STOP:STEP (STOP is left out), range:START:STOP or range:STOP",
    "linspace": "linspace:FIRST:LAST:COUNT",
    "geomspace": "geomspace:FIRST:LAST:COUNT",
    "choice": "choice:A:B",
    "uniform": "uniform:LOW:HIGH",
    "loguniform": "loguniform:LOW:HIGH",
    "randint": "randint:LOW:HIGH (HIGH is left out)",
    "normal": "normal:MEAN:DEVIATION",
}
