"""Nested tables of data files: ``Args: {depth: 9}`` means the target ``Args.depth``.

A dict of the script is a value itself and is replaced whole, as ``cfg = {...}`` in a Python
config does; classes, modules and calls are no dicts, so that what stands in their table are
targets below them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kohaku_ast.config.cells import CellMap
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.override import Override
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.source import decode


def spread_tables(overrides: list[Override], launch: Launch) -> list[Override]:
    """*overrides* with every table that is no value taken apart."""
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
