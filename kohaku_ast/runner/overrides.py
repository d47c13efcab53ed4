"""Overrides: one value for one target, and where it came from; tables of them.

A dict of the script is a value itself and is replaced whole, as ``cfg = {...}`` in a Python
config does; classes, modules and calls are no dicts, so that what stands in their table are
targets below them.
"""

from __future__ import annotations

from kohaku_ast.config.cells import CellMap, is_cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kohaku_ast.config.config import Config
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.transform.find.parameters import Parameter


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
    """*overrides* with every table that is no value taken apart."""
    from kohaku_ast.transform.find.parameters import find_parameters
    from kohaku_ast.transform.find.source import decode

    source = decode(launch.data, launch.filename, launch.path0, launch.package)
    known = {one.target: one for one in find_parameters(source)}
    return [inner for one in overrides for inner in _spread(one, known)]


def _spread(one: Override, known: Mapping[str, Parameter]) -> Iterator[Override]:
    if not isinstance(one.value, CellMap) or not _has_inner(one.target, known):
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
        yield from _spread(inner, known)


def _has_inner(target: str, known: Mapping[str, Parameter]) -> bool:
    """Whether what *target* names has targets below it and is no dict."""
    own = known.get(target)
    if own is None:
        return any(name.startswith(f"{target}.") for name in known)
    if own.kind == "other":
        return True
    is_dict = own.reading[0] == "dict" or own.default.startswith("dict(")
    return not is_dict and any(name.startswith(f"{target}.") for name in known)
