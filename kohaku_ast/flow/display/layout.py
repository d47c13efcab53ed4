"""Layout: how wide each column of the live table is."""

from __future__ import annotations

from collections.abc import Sequence

from kohaku_ast.display.text import width_of
from kohaku_ast.flow.display.rows import COLUMNS, Row

GAP = 2
"""Cells between two columns."""

_LABEL, _METRICS, _LAST = (COLUMNS.index(one) for one in ("label", "metrics", "last line"))
_LEAST_LAST, _LEAST_LABEL = 12, 8
# What goes first where there is no room for everything.
_DROPPED = tuple(
    COLUMNS.index(one)
    for one in ("last line", "left", "run", "metrics", "elapsed", "done", "state")
)


def widths_for(rows: Sequence[Row], total: int, before: Sequence[int] = ()) -> list[int]:
    """The width of each column, 0 for one that is left out; all within *total* cells.

    No column of numbers is narrower than *before*: it would jump to and fro.
    """
    widths = _natural(rows)
    for column in range(_LABEL + 1, _METRICS):
        widths[column] = max(widths[column], before[column] if before else 0)
    widths[_LABEL] = min(widths[_LABEL], max(_LEAST_LABEL, total * 2 // 5))
    widths[_METRICS] = min(widths[_METRICS], max(_LEAST_LABEL, total * 2 // 5))
    natural = widths[_LAST]
    widths[_LAST] = min(natural, _LEAST_LAST)
    for column in _DROPPED:
        if _sum(widths) <= total:
            break
        widths[column] = 0
    widths[_LABEL] = max(1, widths[_LABEL] - max(0, _sum(widths) - total))
    if widths[_LAST]:
        widths[_LAST] += min(natural - widths[_LAST], total - _sum(widths))
    return widths


def _natural(rows: Sequence[Row]) -> list[int]:
    """As wide as what stands in it, the heading included; 0 for a column without anything."""
    widths = []
    for column, heading in enumerate(COLUMNS):
        widest = max((width_of(row.cells[column]) for row in rows), default=0)
        widths.append(max(widest, len(heading)) if widest else 0)
    return widths


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (sum(map(bool, widths)) - 1)
