"""The table that a notebook shows for a Sweep."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from kohaku_ast.config.labels import value_text
from kohaku_ast.display.table import Group, Row, html_table

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep

_MOST = 20


def sweep_html(sweep: Sweep) -> str:
    """Its first Configs; its axes if looking at Configs would use up or run something."""
    return _configs(sweep) if sweep.is_settled else _axes(sweep)


def _configs(sweep: Sweep) -> str:
    configs = list(islice(sweep, _MOST))
    targets = tuple(dict.fromkeys(target for config in configs for target in config.varied))
    rows: list[Row] = []
    for number, config in enumerate(configs):
        values = config.globals_dict
        cells = [value_text(values[name]) if name in values else "" for name in targets]
        rows.append((str(number), *cells))
    more = "" if sweep.size is None or sweep.size <= _MOST else f"... {sweep.size} in all"
    return html_table(("run", *targets), [Group("", tuple(rows))], caption=repr(sweep), note=more)


def _axes(sweep: Sweep) -> str:
    rows = tuple((", ".join(one.targets), _size(one.size), one.shown) for one in sweep.axes)
    return html_table(("axis", "size", "values"), [Group("", rows)], caption=repr(sweep))


def _size(size: int | None) -> str:
    return "" if size is None else str(size)
