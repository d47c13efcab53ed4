"""Axes from text and from Python: what a command line, a config and a call of Sweep write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain, pairwise
from typing import TypeGuard

from kohaku_ast.config.axis import Axis
from kohaku_ast.config.axis_forms import read_form
from kohaku_ast.config.axis_values import settle
from kohaku_ast.config.cells import CellText
from kohaku_ast.config.distributions import Distribution
from kohaku_ast.config.labels import value_text
from kohaku_ast.config.pairs import pair_axes
from kohaku_ast.config.text_values import find_commas
from kohaku_ast.errors import ConfigError


def parse_axis(target: str, text: str, origin: str) -> Axis:
    """The Axis that *text* is for *target*: ``0.1,0.2``, ``range:0:10:2``, ``uniform:0:1``.

    The parameter's type reads the values later. Raises ConfigError.
    """
    ends = [-1, *find_commas(text), len(text)]
    parts = [text[start + 1 : end].strip() for start, end in pairwise(ends)]
    if not all(parts):
        what = "one of its values is empty: write '' for an empty text" if text.strip() else "empty"
        raise ConfigError(f"{origin}: the axis {target}={text} is not understood: {what}")
    try:
        forms = [read_form(part) for part in parts]
    except ValueError as error:
        raise _unread(target, text, origin, str(error)) from None
    if isinstance(forms[0], Distribution) and len(forms) == 1:
        return Axis((target,), (), origin, forms[0])
    if any(isinstance(form, Distribution) for form in forms):
        raise _unread(target, text, origin, "a random form stands alone, with no comma")
    values = [(CellText(part),) if form is None else form for part, form in zip(parts, forms)]
    return Axis((target,), values[0] if len(values) == 1 else tuple(chain(*values)), origin)  # type: ignore[arg-type]


def _unread(target: str, text: str, origin: str, why: str) -> ConfigError:
    return ConfigError(
        f"{origin}: the axis {target}={text} is not understood: {why}. "
        "For a text that only looks like a form, put quotes around it"
    )


def read_parts(
    axes: Iterable[Mapping[object, object] | Axis], named: Mapping[str, object], origin: str
) -> list[Axis]:
    """The axes of dicts, ready ones, and the *named* ones, in that order."""
    parts: list[Axis] = []
    for one in axes:
        if not isinstance(one, (Axis, Mapping)):
            raise ConfigError(f"{origin}: a dict of axes is expected, got {value_text(one)}")
        parts += [one] if isinstance(one, Axis) else read_axes(one, origin)
    return parts + [read_axis(target, values, origin) for target, values in named.items()]


def read_axes(axes: Mapping[object, object], origin: str) -> list[Axis]:
    """The axes of a dict: a target and its values, or a tuple of targets and their rows.

    ``"__mode__": "zip"`` in it makes them one Axis. Raises ConfigError.
    """
    mode = axes.get("__mode__", "product")
    if mode not in ("product", "zip"):
        raise ConfigError(f"{origin}: '__mode__' is 'product' or 'zip', got {value_text(mode)}")
    read = [read_axis(key, values, origin) for key, values in axes.items() if key != "__mode__"]
    return [pair_axes(read, origin)] if mode == "zip" else read


def read_axis(key: object, values: object, origin: str) -> Axis:
    """The Axis of *key*, a target or a tuple of targets, with *values*, any iterable."""
    axis = Axis(_targets(key, origin), (), origin)
    what = f"{origin}: the axis {axis.name}"
    if isinstance(values, CellText) and len(axis.targets) == 1:
        return parse_axis(axis.targets[0], values, origin)  # of a data file: it has commas too
    if isinstance(values, str):
        return _of_text(axis, values, what)
    if isinstance(values, (bytes, Mapping)) or not _is_iterable(values):
        shown = value_text(values)
        raise ConfigError(f"{what} is not a list of values: {shown}. For one value write [{shown}]")
    values = _plain_rows(values) if len(axis.targets) > 1 else values
    return _checked(replace(axis, values=settle(values, what)))


def _targets(key: object, origin: str) -> tuple[str, ...]:
    targets = key if isinstance(key, tuple) else (key,)
    if not targets or not all(isinstance(target, str) and target for target in targets):
        raise ConfigError(
            f"{origin}: an axis is named by its target, or by a tuple of targets, not {key!r}"
        )
    if len(set(targets)) < len(targets):
        raise ConfigError(f"{origin}: the axis {key!r} names a target twice")
    return targets


def _of_text(axis: Axis, text: str, what: str) -> Axis:
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
        iter(values)  # type: ignore[call-overload]  # this is how one asks: __getitem__ will do too
    except TypeError:
        return False
    return True


def _plain_rows(values: Iterable[object]) -> Iterable[object]:
    """An array's rows as lists of plain numbers: each column is a target of its own."""
    return values.tolist() if hasattr(values, "tolist") else values


def _checked(axis: Axis) -> Axis:
    """*axis*, if what is known of it before it runs is as it has to be."""
    if axis.size == 0:
        raise ConfigError(f"{axis.origin}: the axis {axis.name} is empty: it would run nothing")
    if len(axis.targets) > 1 and isinstance(axis.values, tuple):
        for _ in axis.rows():
            pass  # a row of another length is an error now, not after an hour
    return axis
