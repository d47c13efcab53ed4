"""Axes from text and from Python, as written on a command line, in a config and in Sweep().

Pure functions. The text of an axis is a list of values or a form such as ``range:0:10:2``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import chain
from typing import Any, TypeGuard

from kohaku_ast.config.axis import Axis, pair_axes
from kohaku_ast.config.axis_values import settle
from kohaku_ast.config.cells import CellText, find_commas, split_at_commas
from kohaku_ast.config.config import value_text
from kohaku_ast.config.sampling import KINDS, Distribution, make_distribution
from kohaku_ast.errors import (
    ConfigError,
    ConfigTypeError,
    check_type,
    near,
)
from kohaku_ast.value_types import Reading


def parse_axis(target: str, text: str, origin: str) -> Axis:
    """The Axis of *target* that *text* describes: ``0.1,0.2``, ``range:0:10:2``, ``uniform:0:1``.

    The values are cells: they are read later as the parameter's type. Raises ConfigError.
    """
    parts = split_at_commas(text)
    if not all(parts):
        what = "one of its values is empty: write '' for an empty text" if text.strip() else "empty"
        raise ConfigError(f"{origin}: the axis {target}={text} is not understood: {what}")
    try:
        forms = [read_form(part) for part in parts]
    except ValueError as error:
        raise _unreadable(target, text, origin, str(error)) from None
    if isinstance(forms[0], Distribution) and len(forms) == 1:
        return Axis((target,), (), origin, forms[0])
    if any(isinstance(form, Distribution) for form in forms):
        raise _unreadable(target, text, origin, "a random form stands alone, with no comma")
    values = [(CellText(part),) if form is None else form for part, form in zip(parts, forms)]
    return Axis((target,), values[0] if len(values) == 1 else tuple(chain(*values)), origin)  # type: ignore[arg-type]


def _unreadable(target: str, text: str, origin: str, why: str) -> ConfigError:
    return ConfigError(
        f"{origin}: the axis {target}={text} is not understood: {why}. "
        "For a text that only looks like a form, put quotes around it"
    )


def read_parts(
    axes: Iterable[Mapping[Any, object] | Axis], named: Mapping[str, object], origin: str
) -> list[Axis]:
    """The axes of dicts and Axis objects, then the *named* ones."""
    parts: list[Axis] = []
    for one in axes:
        if not isinstance(one, (Axis, Mapping)):
            raise ConfigTypeError(f"{origin}: a dict of axes is expected, got {value_text(one)}")
        parts += [one] if isinstance(one, Axis) else read_axes(one, origin)
    return parts + [read_axis(target, values, origin) for target, values in named.items()]


def read_axes(axes: Mapping[Any, object], origin: str) -> list[Axis]:
    """The axes of a dict of target -> values, or tuple of targets -> rows.

    ``"__mode__": "zip"`` in it makes them one Axis. Raises ConfigError.
    """
    check_type(axes, Mapping, f"{origin}: a dict of axes is expected", ConfigError)
    mode = axes.get("__mode__", "product")
    if mode not in ("product", "zip"):
        raise ConfigError(f"{origin}: '__mode__' is 'product' or 'zip', got {value_text(mode)}")
    read = [read_axis(key, values, origin) for key, values in axes.items() if key != "__mode__"]
    return [pair_axes(read, origin)] if mode == "zip" else read


def read_axis(key: object, values: object, origin: str) -> Axis:
    """The Axis of *key*, a target or a tuple of targets, with *values*, any iterable."""
    axis = Axis(_read_targets(key, origin), (), origin)
    what = f"{origin}: the axis {axis.name}"
    if isinstance(values, CellText) and len(axis.targets) == 1:
        return parse_axis(
            axis.targets[0], values, origin
        )  # from a data file, where a text may list values too
    if isinstance(values, str):
        return _axis_of_text(axis, values, what)
    if isinstance(values, (bytes, Mapping)) or not _is_iterable(values):
        shown = value_text(values)
        raise ConfigTypeError(
            f"{what} is not a list of values: {shown}. For one value write [{shown}]"
        )
    values = _plain_rows(values) if len(axis.targets) > 1 else values
    return _check_axis(replace(axis, values=settle(values, what)))


def _read_targets(key: object, origin: str) -> tuple[str, ...]:
    targets = key if isinstance(key, tuple) else (key,)
    if not targets or not all(isinstance(target, str) and target for target in targets):
        raise ConfigTypeError(
            f"{origin}: an axis is named by its target, or by a tuple of targets, not {key!r}"
        )
    if len(set(targets)) < len(targets):
        raise ConfigError(f"{origin}: the axis {key!r} names a target twice")
    return targets


def _axis_of_text(axis: Axis, text: str, what: str) -> Axis:
    if len(axis.targets) == 1 and ":" in text and not find_commas(text):
        made = parse_axis(axis.targets[0], text, axis.origin)
        if made.distribution or made.values != (text,):
            return made
    raise ConfigError(
        f"{what} is a text, {value_text(text)}: write a list, [{text!r}] for one value, "
        "or a form such as 'range:0:10:2'"
    )


def _is_iterable(values: object) -> TypeGuard[Iterable[object]]:
    try:
        iter(values)  # type: ignore[call-overload]  # also true for a class with __getitem__ alone
    except TypeError:
        return False
    return True


def _plain_rows(values: Iterable[object]) -> Iterable[object]:
    """Rows of an array as lists of plain numbers: each column is the values of one target."""
    return values.tolist() if hasattr(values, "tolist") else values


def _check_axis(axis: Axis) -> Axis:
    """*axis*; raises ConfigError if it is empty, or a row has another number of values."""
    if axis.size == 0:
        raise ConfigError(f"{axis.origin}: the axis {axis.name} is empty: it would run nothing")
    if len(axis.targets) > 1 and isinstance(axis.values, tuple):
        for _ in axis.rows():
            pass  # raise for a wrong row now, not after an hour of runs
    return axis


@dataclass(frozen=True)
class EvenSteps:
    """``start``, ``start + step``, ...: *size* exact decimals, each made when it is needed."""

    start: Decimal
    step: Decimal
    size: int

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[CellText]:
        for number in range(self.size):
            yield CellText(format(self.start + number * self.step, "f"), is_quoted=False)


def read_form(text: str) -> Iterable[CellText] | Distribution | None:
    """The values or the Distribution of the form *text*; None if *text* is no form.

    Raises ValueError for a form with wrong fields, and for a mistyped name of a form.
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
    return EvenSteps(start, step, size)


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
    # Swapped with commas, the colons outside brackets and quotes are found as commas are.
    swap = {ord(":"): ",", ord(","): ":"}
    fields = [field.translate(swap) for field in split_at_commas(rest.translate(swap))]
    if not all(fields):
        raise ValueError(f"one of its values is empty: write {_USAGE['choice']}")
    return tuple(CellText(field, is_quoted=False) for field in fields)


def _ends(rest: str, name: str) -> tuple[Decimal, Decimal, int]:
    """Both ends and the count of a linspace or geomspace."""
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


def meant_axis(text: str, reading: Reading, name: str) -> str:
    """A hint for a *text* that is an axis, or a list of values of *reading*, which takes one value;
    else empty.
    """
    from kohaku_ast.config.text_values import MISFITS, fit

    if ":" in text and text.partition(":")[0] in _USAGE:
        return _meant_form(text, name)
    if text.strip()[:1] not in ("[", "(") or len(text) > 200:
        return ""
    parts = split_at_commas(text.strip()[1:-1])
    try:
        for part in parts:
            fit(part, reading)
    except MISFITS:
        return ""
    return f". For a run with each of these values, write: --sweep {name}={','.join(parts)}"


def _meant_form(text: str, name: str) -> str:
    """The same for ``range:0:3``; empty for what is no whole form."""
    try:
        draws = " -n 20" if isinstance(read_form(text), Distribution) else ""
    except ValueError:
        return ""
    return f". For a sweep, write: --sweep {shlex.quote(f'{name}={text}')}{draws}"
