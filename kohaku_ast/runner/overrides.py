"""Overrides: a value for a target and where it comes from; the value that each parameter gets.

On the warm path of runs with overrides.

A dict of the script is one value and is replaced as a whole, as ``cfg = {...}`` in a Python config
does. Classes, modules and calls are no dicts: a data file's table for one of them gives values to
the targets below it.
"""

from __future__ import annotations

from kohaku_ast.config.cells import CellMap, is_cell, native
from kohaku_ast.config.text_values import (
    TextValueError,
    none_word,
    parse_as_is,
    parse_cell,
    parse_value,
    read_every,
)
from kohaku_ast.errors import DuplicateTarget, RefusedTarget, UsageError, ValueMismatch
from kohaku_ast.transform import place
from kohaku_ast.transform.program.program import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kohaku_ast.config.config import Config
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.transform.find.parameters import Parameter
    from kohaku_ast.transform.program.program import Program, ResolvedTarget


class Override:
    """A value for one target of the script."""

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
        #: Of two overrides of one parameter the higher rank wins; two of one rank are an error.
        self.rank = rank
        #: Whether the value is text or a cell, which is read as the parameter's type.
        self.is_text = is_text or is_cell(value)
        #: Whether the script may lack it: a name that a config made for its own use.
        self.optional = optional
        #: Whether the text is read as a Python literal or else stays text, without that check.
        self.as_is = as_is

    def aimed_at(self, target: str) -> Override:
        """The same value for another target."""
        return Override(
            target, self.value, self.origin, self.rank, self.is_text, self.optional, self.as_is
        )

    def with_value(self, value: object) -> Override:
        """The same with another value."""
        new = self.aimed_at(self.target)
        new.value = value
        return new


COMMAND_LINE = 1_000_000_000
"""The rank above all configs."""


def of_config(config: Config, *, as_is: bool = False) -> list[Override]:
    """The overrides of *config*; with *as_is*, its texts are not checked against types."""
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
    if not has_tables(overrides):
        return overrides
    from kohaku_ast.transform.find.parameters import find_parameters
    from kohaku_ast.transform.find.source import decode

    source = decode(launch.data, launch.filename, launch.path0, launch.package)
    parameters = {one.target: one for one in find_parameters(source)}
    return [inner for one in overrides for inner in _spread(one, parameters)]


def has_tables(overrides: list[Override]) -> bool:
    """Whether one of them is a nested table."""
    return any(isinstance(one.value, CellMap) for one in overrides)


def _spread(one: Override, parameters: Mapping[str, Parameter]) -> Iterator[Override]:
    if not isinstance(one.value, CellMap) or not has_inner(one.target, parameters):
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


def has_inner(target: str, parameters: Mapping[str, Parameter]) -> bool:
    """Whether the definition of *target* has targets below it and is no dict."""
    from kohaku_ast.transform.find.module_targets import is_module
    from kohaku_ast.value_types import core

    own = parameters.get(target)
    if own is None:
        return any(name.startswith(f"{target}.") for name in parameters)
    if own.kind == "other" or is_module(own):
        return True
    is_dict = core(own.reading)[0] == "dict" or own.default.startswith("dict(")
    return not is_dict and any(name.startswith(f"{target}.") for name in parameters)


def added_names(texts: Sequence[str], new: Mapping[str, object]) -> dict[str, object]:
    """The globals that ``--add NAME=VALUE`` and ``new_globals`` add to the module."""
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
    """The request for a Program with these targets; equal for all values of a sweep."""
    targets = {one.target: one for one in sorted(overrides, key=lambda one: one.rank)}
    return Request(
        targets=tuple((target, _text_kind(one), one.optional) for target, one in targets.items()),
        kwargs=tuple(kwargs or ()),
        args=len(args),
        entrypoint=entrypoint,
        split=split,
        capture=capture,
        added=tuple(added),
        above=_above_calls(overrides) if args or kwargs else (),
    )


def _text_kind(one: Override) -> bool | str:
    """Whether the value of *one* is text, ``"cell"`` for one of a file, and the word if it may mean
    None: ``Mode["FAST"]`` and ``np.array([1])`` take a text, but None takes their place.
    """
    is_text = one.is_text and not one.as_is
    return is_text and (none_word(one.value) or ("cell" if is_cell(one.value) else True))


def _above_calls(overrides: Sequence[Override]) -> tuple[str, ...]:
    """The targets whose value wins over ``args`` and ``kwargs`` of a config: the command line's."""
    return tuple(one.target for one in overrides if one.origin == "command line")


def read_values(
    program: Program,
    request: Request,
    overrides: Sequence[Override],
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Full target -> the value that the script gets.

    Raises DuplicateTarget if one rank, or one file, gives a parameter two values, and ValueMismatch
    if a text does not fit its parameter's type.
    """
    resolved = resolved_targets(program, request)
    chosen = _choose(overrides, resolved)
    file = program.filename
    values = {target: _value(one, resolved[one.target], file) for target, one in chosen.items()}
    if program.entry_name:
        return values  # the entrypoint is called with args and kwargs after the code has run
    for index, argument in enumerate(args):
        values[f"{program.call_name}(#{index})"] = argument
    for name, argument in (kwargs or {}).items():
        values.setdefault(f"{program.call_name}({name})", argument)
    return values


def resolved_targets(program: Program, request: Request) -> dict[str, ResolvedTarget]:
    """Target -> the definition that it resolves to, without the targets that the script lacks."""
    pairs = zip(request.targets, program.meant)
    return {name: resolved for (name, _, _), resolved in pairs if resolved}


def _choose(
    overrides: Sequence[Override], resolved: Mapping[str, ResolvedTarget]
) -> dict[str, Override]:
    """Full target -> the override that wins."""
    chosen: dict[str, Override] = {}
    for one in overrides:
        if one.target not in resolved or resolved[one.target].module:
            continue
        target = resolved[one.target].target
        other = chosen.get(target)
        if other is not None and _is_twice(other, one):
            raise _given_twice(target, other, one)
        if other is None or other.rank < one.rank:
            chosen[target] = one
    for one in chosen.values():
        option = resolved[one.target].option
        if option in chosen:  # after the script has parsed it, `args.lr` would win
            raise _given_twice(option, chosen[option], one)
    return chosen


def _given_twice(target: str, other: Override, one: Override) -> DuplicateTarget:
    names = " and ".join(dict.fromkeys([repr(other.target), repr(one.target)]))
    return DuplicateTarget(
        f"{one.origin}: {target!r} is given twice ({names}): "
        f"{_shown(other)} and {_shown(one)}. Give one value, or --sweep both."
    )


def _is_twice(other: Override, one: Override) -> bool:
    """Whether one file, or one command line, gives one parameter two values."""
    if other.rank == one.rank:
        return True
    place = place_of(one.origin)
    return other.target != one.target and place == place_of(other.origin) and place != ""


def place_of(origin: str) -> str:
    """The file or command line of *origin*: ``cfg.py`` of ``cfg.py:12``; empty if Configs were
    merged there.
    """
    path, colon, line = origin.rpartition(":")
    if colon and line.isdigit():
        return path
    return origin if origin in ("command line", "Sweep") else ""


def _shown(one: Override) -> str:
    return _brief(str(one.value) if one.is_text else repr(one.value))


def _brief(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:120]}... ({len(text)} characters)"


def _value(one: Override, resolved: ResolvedTarget, filename: str) -> object:
    if not one.is_text:
        return one.value
    try:
        return _read(one, resolved)
    except TextValueError as error:
        from kohaku_ast.config.axis_grammar import meant_axis

        default = f" (default {resolved.default})" if resolved.default else ""
        where = "" if one.origin == "command line" else f" ({one.origin})"
        line = place(filename, resolved.line)
        axis = meant_axis(str(one.value), resolved.reading, one.target)
        told = f"{error}{default}{axis}"
        stop = "" if told.endswith("?") else "."
        raise ValueMismatch(
            f"{line}: {one.target}={_brief(str(one.value))}{where}: {told}{stop} "
            "--as-is skips this check."
        ) from None


def _read(one: Override, resolved: ResolvedTarget) -> object:
    """A comma in a text of the command line has two meanings, in a cell of a file it has one."""
    if resolved.reading[0] == "below" and not one.as_is:
        if not is_cell(one.value):
            parse_value(str(one.value), ("any",), one.target)  # a comma is an error, whatever it is
        return read_every(one.value if is_cell(one.value) else str(one.value))
    if is_cell(one.value):
        return native(one.value) if one.as_is else parse_cell(one.value, resolved.reading)
    text = str(one.value)
    return parse_as_is(text) if one.as_is else parse_value(text, resolved.reading, one.target)
