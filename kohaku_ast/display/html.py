"""A table for a notebook: rows in, HTML out. No style sheet, no script, everything escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from kohaku_ast.display.table import Group, Row

_STYLE = "text-align: left; vertical-align: top; white-space: pre-wrap"


def html_table(columns: Row, groups: Sequence[Group], caption: str = "", note: str = "") -> str:
    """The table as HTML, *caption* above it and *note* below it, all of them plain text."""
    lines = [
        f"<p>{escape(caption)}</p>" if caption else "",
        "<table>",
        f"<thead>{_row('th', columns)}</thead>",
        "<tbody>",
        *(line for group in groups for line in _group(group, len(columns))),
        "</tbody>",
        "</table>",
        f"<p>{escape(note)}</p>" if note else "",
    ]
    return "\n".join(filter(None, lines))


def _group(group: Group, width: int) -> Iterator[str]:
    if group.title:
        yield f'<tr><th colspan="{width}" style="{_STYLE}">{escape(group.title)}</th></tr>'
    for row in group.rows:
        yield _row("td", row)


def _row(tag: str, cells: Row) -> str:
    inner = "".join(f'<{tag} style="{_STYLE}">{escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"
