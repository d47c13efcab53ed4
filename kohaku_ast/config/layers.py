"""Tables of data files on top of each other: what ``Args: {lr: 1}`` leaves of one below it.

If ``Args`` is a class of the script, its other attributes keep what the table below says. If it
is a dict, the table is its value and replaces it whole. Only the script tells which, so that both
tables are kept until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from kohaku_ast.config.cells import CellMap

if TYPE_CHECKING:
    from kohaku_ast.config.config import Config

_NONE: Mapping[str, tuple[Table, ...]] = MappingProxyType({})


class Table(NamedTuple):
    """A table that another one was merged over."""

    cells: CellMap
    origin: str
    #: As in ``Config.ranks``.
    rank: int


def stacked(below: Config, above: Config) -> Mapping[str, tuple[Table, ...]]:
    """The tables that lie under those of ``below | above``, the lowest first."""
    shared = [
        target
        for target, cells in above.globals_dict.items()
        if isinstance(cells, CellMap) and isinstance(below.globals_dict.get(target), CellMap)
    ]
    if not (shared or below.tables or above.tables):
        return _NONE
    found = {
        target: tables
        for target, tables in below.tables.items()
        if isinstance(above.globals_dict.get(target, CellMap()), CellMap)
    }
    for target in shared:
        found[target] = (*found.get(target, ()), _own_table(below, target))
    for target, tables in above.tables.items():
        found[target] = (*found.get(target, ()), *_raised(tables, below, above))
    return MappingProxyType(found)


def _own_table(config: Config, target: str) -> Table:
    cells = config.globals_dict[target]
    assert isinstance(cells, CellMap)
    return Table(cells, config.origins.get(target, "Config"), config.ranks.get(target, 0))


def _raised(tables: tuple[Table, ...], below: Config, above: Config) -> Iterator[Table]:
    """*tables* with the ranks that they have on top of *below*."""
    height = below.height if below.globals_dict and above.globals_dict else 0
    return (one._replace(rank=one.rank + height) for one in tables)
