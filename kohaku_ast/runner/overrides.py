"""Overrides: a value for a target and where it comes from; the value that each parameter gets.

On the warm path of runs with overrides.

A dict of the script is one value and is replaced as a whole, as ``cfg = {...}`` in a Python config
does. Classes, modules and calls are no dicts: a data file's table for one of them gives values to
the targets below it.
"""

from __future__ import annotations

import os

from kohaku_ast.config.cells import CellMap, is_cell, native
from kohaku_ast.config.text_values import TextValueError, parse_as_is, parse_cell, parse_value
from kohaku_ast.errors import DuplicateTarget, RefusedTarget, UsageError, ValueMismatch
from kohaku_ast.transform.program.program import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kohaku_ast.config.config import Config
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.transform.find.parameters import Parameter
    from kohaku_ast.transform.program.program import Program, ResolvedTarget


class Override:
    """A value that replaces a definition of the script."""

    __slots__ = ("as_is", "is_text", "optional", "origin", "rank", "target", "value")

    def __init__(
        self,
        target: str,
        value: object,
        origin: str,
        rank: int = 0,
        is_text: bool = False,
        optional: bool = False,
        as_is: bool = False,
    ) -> None:
        #: As the user wrote it.
        self.target = target
        self.value = value
        #: ``command line``, ``cfg.py``, ``Config`` ...: for messages and records.
        self.origin = origin
        #: Of two overrides of one parameter the higher rank wins; one rank must not say two things.
        self.rank = rank
        #: Whether the value is text or a cell, to be read as the parameter's type.
        self.is_text = is_text or is_cell(value)
        #: Whether the script may lack it: a name that a config made for its own use.
        self.optional = optional
        #: Whether its text is a Python literal, else text, whatever the type of the parameter.
        self.as_is = as_is

    def aimed_at(self, target: str) -> Override:
        """The same value for another target."""
        return Override(
            target, self.value, self.origin, self.rank, self.is_text, self.optional, self.as_is
        )


COMMAND_LINE = 1_000_000_000
"""The rank above all configs."""


def of_config(config: Config, *, as_is: bool = False) -> list[Override]:
    """What *config* overrides; with *as_is* its texts are read without the check of types."""
    overrides = []
    for target, value in config.globals_dict.items():
        origin = config.origins.get(target, "Config")
        optional = target in config.optional
        rank = config.ranks.get(target, 0)
        for table in config.tables.get(target, ()) if config.tables else ():
            below = Override(
                target, table.cells, table.origin, table.rank, optional=optional, as_is=as_is
            )
            overrides.append(below)
        overrides.append(Override(target, value, origin, rank, optional=optional, as_is=as_is))
    return overrides


def spread_tables(overrides: list[Override], launch: Launch) -> list[Override]:
    """*overrides*, with the nested tables of data files as targets of their own."""
    if not any(isinstance(one.value, CellMap) for one in overrides):
        return overrides
    from kohaku_ast.transform.find.parameters import find_parameters
    from kohaku_ast.transform.find.source import decode

    source = decode(launch.data, launch.filename, launch.path0, launch.package)
    parameters = {one.target: one for one in find_parameters(source)}
    return [inner for one in overrides for inner in _spread(one, parameters)]


def _spread(one: Override, parameters: Mapping[str, Parameter]) -> Iterator[Override]:
    if not isinstance(one.value, CellMap) or not _has_inner(one.target, parameters):
        yield one
        return
    for key, cell in one.value.items():
        inner = Override(
            f"{one.target}.{key}",
            cell,
            one.origin,
            one.rank,
            optional=one.optional,
            as_is=one.as_is,
        )
        yield from _spread(inner, parameters)


def _has_inner(target: str, parameters: Mapping[str, Parameter]) -> bool:
    """Whether what *target* names has targets below it and is no dict."""
    own = parameters.get(target)
    if own is None:
        return any(name.startswith(f"{target}.") for name in parameters)
    if own.kind == "other":
        return True
    is_dict = own.reading[0] == "dict" or own.default.startswith("dict(")
    return not is_dict and any(name.startswith(f"{target}.") for name in parameters)


def added_names(texts: Sequence[str], new: Mapping[str, object]) -> dict[str, object]:
    """The globals that ``--add NAME=VALUE`` and ``new_globals`` put into the module."""
    added = dict(new)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--add {text!r} is not NAME=VALUE")
        added[name] = parse_as_is(value)
    for name in added:
        if not name.isidentifier() or (name.startswith("__") and name.endswith("__")):
            raise RefusedTarget(f"cannot add {name!r}: it is not a plain name")
    return added


def make_request(
    overrides: Sequence[Override],
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
    entrypoint: str = "",
    split: bool = False,
    capture: bool = False,
    added: Iterable[str] = (),
) -> Request:
    """The names that are asked for; equal for all values of a sweep."""
    targets = {one.target: one for one in sorted(overrides, key=lambda one: one.rank)}
    return Request(
        targets=tuple(
            (target, one.is_text and not one.as_is, one.optional) for target, one in targets.items()
        ),
        kwargs=tuple(kwargs or ()),
        args=len(args),
        entrypoint=entrypoint,
        split=split,
        capture=capture,
        added=tuple(added),
        above=_above_calls(overrides) if args or kwargs else (),
    )


def _above_calls(overrides: Sequence[Override]) -> tuple[str, ...]:
    """The arguments for the starting call stand in configs, and the command line above them."""
    return tuple(one.target for one in overrides if one.origin == "command line")


def read_values(
    program: Program,
    request: Request,
    overrides: Sequence[Override],
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Full target -> the value that holds.

    Raises DuplicateTarget if one rank, or one file, gives a parameter two values, and ValueMismatch
    if a text does not fit its parameter's type.
    """
    meant = {name: one for (name, _, _), one in zip(request.targets, program.meant) if one}
    chosen = _choose(overrides, meant)
    values = {
        target: _value(one, meant[one.target], program.filename) for target, one in chosen.items()
    }
    if program.entry_name:
        return values  # its call is not in the code, and gets them itself
    for index, argument in enumerate(args):
        values[f"{program.call_name}(#{index})"] = argument
    for name, argument in (kwargs or {}).items():
        values.setdefault(f"{program.call_name}({name})", argument)
    return values


def _choose(
    overrides: Sequence[Override], meant: Mapping[str, ResolvedTarget]
) -> dict[str, Override]:
    """Full target -> the override that holds."""
    chosen: dict[str, Override] = {}
    for one in overrides:
        if one.target not in meant or meant[one.target].module:
            continue
        target = meant[one.target].target
        other = chosen.get(target)
        if other is not None and _is_twice(other, one):
            names = " and ".join(dict.fromkeys([repr(other.target), repr(one.target)]))
            raise DuplicateTarget(
                f"{one.origin}: {target!r} is given twice ({names}): "
                f"{_shown(other)} and {_shown(one)}. Give one value, or --sweep both."
            )
        if other is None or other.rank < one.rank:
            chosen[target] = one
    return chosen


def _is_twice(other: Override, one: Override) -> bool:
    """Whether one file, or one command line, says two things."""
    if other.rank == one.rank:
        return True
    place = place_of(one.origin)
    return other.target != one.target and place == place_of(other.origin) and place != ""


def place_of(origin: str) -> str:
    """The one who speaks: ``cfg.py`` of ``cfg.py:12``; empty if Configs were merged there."""
    path, colon, line = origin.rpartition(":")
    if colon and line.isdigit():
        return path
    return origin if origin in ("command line", "Sweep") else ""


def _shown(one: Override) -> str:
    return str(one.value) if one.is_text else repr(one.value)


def _value(one: Override, meant: ResolvedTarget, filename: str) -> object:
    if not one.is_text:
        return one.value
    try:
        return _read(one, meant)
    except TextValueError as error:
        default = f" (default {meant.default})" if meant.default else ""
        where = "" if one.origin == "command line" else f" ({one.origin})"
        raise ValueMismatch(
            f"{os.path.basename(filename)}:{meant.line}: {one.target}={one.value}{where}: {error}"
            f"{default}. --as-is skips this check."
        ) from None


def _read(one: Override, meant: ResolvedTarget) -> object:
    """A text of the command line has two meanings with a comma in it, a cell has not."""
    if is_cell(one.value):
        return native(one.value) if one.as_is else parse_cell(one.value, meant.reading)
    text = str(one.value)
    return parse_as_is(text) if one.as_is else parse_value(text, meant.reading, one.target)
