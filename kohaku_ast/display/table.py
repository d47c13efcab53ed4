"""Tables of text from rows: for a terminal, a file or a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.table import Table


Row = tuple[str, ...]
"""One cell a column."""


@dataclass(frozen=True)
class Group:
    """Rows under one heading."""

    #: Empty for rows without a heading.
    title: str
    rows: tuple[Row, ...]


def group_rows(titled: Sequence[tuple[str, Row]]) -> list[Group]:
    """Groups of consecutive rows with the same heading; a heading may come again."""
    groups: list[Group] = []
    for title, row in titled:
        if groups and groups[-1].title == title:
            row_group = groups.pop()
            groups.append(Group(title, (*row_group.rows, row)))
        else:
            groups.append(Group(title, (row,)))
    return groups


def print_table(columns: Row, groups: Sequence[Group], stream: TextIO) -> None:
    """Write the table to *stream*: as wide as the terminal, in a file as wide as its text."""
    if stream.isatty():
        _print_rich(columns, groups, stream)
    else:
        stream.write(plain_table(columns, groups))


def plain_table(columns: Row, groups: Sequence[Group]) -> str:
    """The table as lines of text, without colour, uncut."""
    rows = [columns, *(row for group in groups for row in group.rows)]
    widths = [max(map(len, cells)) for cells in zip(*rows)]
    lines = [_aligned(columns, widths)]
    for group in groups:
        lines += _heading(group, is_first=group is groups[0])
        lines += [_aligned(row, widths) for row in group.rows]
    return "\n".join(lines) + "\n"


def _aligned(row: Row, widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def _heading(group: Group, is_first: bool) -> Iterator[str]:
    if not is_first or group.title:
        yield ""
    if group.title:
        yield f"# {group.title}"


def _print_rich(columns: Row, groups: Sequence[Group], stream: TextIO) -> None:
    from rich.console import Console  # here: it takes 45 ms to import
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    rows = [columns, *(row for group in groups for row in group.rows)]
    natural = [max(map(len, cells)) for cells in zip(*rows)]
    widths = fit_widths(natural, console.width - 2 * len(columns))
    console.print(_rich_rows([columns], widths, "bold"))
    for group in groups:
        for line in _heading(group, is_first=group is groups[0]):
            console.print(Text(line, style="bold cyan"))
        console.print(_rich_rows(group.rows, widths, "green"))


def _rich_rows(rows: Sequence[Row], widths: Sequence[int], style: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for number, width in enumerate(widths):
        table.add_column(width=width, overflow="fold", style=style if number == 0 else "")
    for row in rows:
        table.add_row(*map(Text, row))  # Text: in a str, `[0]` would be markup
    return table


def fit_widths(widths: Sequence[int], total: int) -> list[int]:
    """*widths*, the widest ones reduced until the sum is at most *total*, or 4 for each."""
    fitted = list(widths)
    while sum(fitted) > max(total, 4 * len(fitted)):
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


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
