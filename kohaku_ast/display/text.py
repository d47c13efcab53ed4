"""Text for a terminal: short forms of values, durations and lines that scripts print; tables, which
files and notebooks get, too.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from kohaku_ast.errors import UsageError, visible

if TYPE_CHECKING:
    from rich.console import Console


def short_repr(value: object) -> str:
    """``repr(value)``, cut in the middle if it is long; never raises."""
    try:
        return _SHORT.repr(value)
    except Exception as error:  # reprlib calls an int's repr, which has a limit of digits
        return f"<repr failed: {type(error).__name__}>"


def _make() -> reprlib.Repr:
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 120
    short.maxlist = short.maxtuple = short.maxdict = short.maxset = short.maxfrozenset = 12
    return short


_SHORT = _make()


def width_of(text: str) -> int:
    """The width in cells of a printable *text*."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # configs, too, need short text, and rich takes 45 ms

    return cell_len(text)


def fitted(text: str, width: int, ellipsis: str = "…") -> str:
    """*text* in exactly *width* cells: padded with blanks, or cut with *ellipsis* at its end."""
    if width <= 0:
        return ""
    text = text[: 4 * width]  # log lines are long, and combining characters rare
    have = width_of(text)
    if have <= width:
        return text + " " * (width - have)
    return cut(text, width - 1) + ellipsis


def cut(text: str, width: int) -> str:
    """The first *width* cells of *text*."""
    if text.isascii():
        return text[:width]
    from rich.cells import set_cell_size

    return set_cell_size(text, width)


_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))


def short_time(seconds: float) -> str:
    """``12s``, ``3m04s``, ``1h02m``, ``2d03h``: at most seven characters for less than a year."""
    whole = max(0, int(seconds))
    for large, name, small, small_name in _UNITS:
        if whole >= large:
            return f"{whole // large}{name}{whole % large // small:02}{small_name}"
    return f"{whole}s"


def exact_time(seconds: float) -> str:
    """``0.4 s`` below a minute, else as ``short_time``."""
    return f"{max(0.0, seconds):.1f} s" if seconds < 60 else short_time(seconds)


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?", re.IGNORECASE)


def read_size(text: str) -> int | None:
    """The bytes of ``100MB``, ``1.5 GiB`` or ``4000``; None for another text."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    base = 1024 if found[3] else 1000
    return int(float(found[1]) * base ** " kmgt".index(found[2].lower() or " "))


def short_size(size: int) -> str:
    """``512 B``, ``1.5 kB``, ``23 MB``: three digits at most, in powers of 1000."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            is_short = unit == "B" or amount >= 9.95
            return f"{amount:.0f} {unit}" if is_short else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_AGE_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def read_age(text: str) -> float | None:
    """The seconds of ``30d``, ``12h``, ``90m``, ``2w`` or ``45s``; None for another text."""
    found = _AGE.fullmatch(text.strip())
    return float(found[1]) * _AGE_UNITS[found[2]] if found else None


_ESCAPE = re.compile(
    r"""
    (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]?             # colours, movements of the cursor
  | (?: \x1b[\]PX^_] | [\x90\x98\x9d\x9e\x9f] )          # titles, links, pictures
        .*? (?: \x07 | \x1b\\ | \x9c | \Z )
  | \x1b [ -/]* [0-~]?                                   # everything else
    """,
    re.VERBOSE | re.DOTALL,
)
# Terminals do not agree on the width of a character that is followed by one of these.
_UNSURE = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
_RUBBED_OUT = re.compile(r"[^\x08]\x08")


def plain_line(text: str, most: int = 500) -> str:
    """The first *most* characters of *text* on one line, nearly as a terminal shows them.

    All of them are printable: each takes none, one or two cells.
    """
    text = text[: 4 * most]
    if not (text.isascii() and text.isprintable()):
        text = _ESCAPE.sub("", text)
        text = _rubbed_out(text)
        text = "".join(map(_printable, _UNSURE.sub("", text)))
    return text[:most].rstrip()


def _rubbed_out(text: str) -> str:
    """*text* with its backspaces applied: spinners and counters use them."""
    before = ""
    while "\b" in text and text != before:
        before, text = text, _RUBBED_OUT.sub("", text)
    return text


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else ""


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


def _plain(groups: Sequence[Group]) -> list[Group]:
    """*groups* with the control characters of scripts and configs made visible."""
    return [
        Group(visible(group.title), tuple(tuple(map(visible, row)) for row in group.rows))
        for group in groups
    ]


def print_table(columns: Row, groups: Sequence[Group], stream: TextIO) -> None:
    """Write the table to *stream*: as wide as the terminal, in a file as wide as its text."""
    if stream.isatty():
        _print_rich(columns, _plain(groups), stream)
    else:
        stream.write(plain_table(columns, groups))


def plain_table(columns: Row, groups: Sequence[Group]) -> str:
    """The table as lines of text, without colour, uncut."""
    columns, groups = _plain([Group("", (columns,))])[0].rows[0], _plain(groups)
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
    widths, is_stacked = _terminal_widths(rows, console.width)
    console.width = max(console.width, sum(widths) + 2 * len(widths))
    show = _print_stacked if is_stacked else _print_columns
    show(console, [columns], widths, "bold")
    for group in groups:
        for line in _heading(group, is_first=group is groups[0]):
            console.print(Text(line, style="bold cyan"))
        show(console, group.rows, widths, "green")


_LEAST_VALUE = 12
"""The second column, of values, can be cut to this width; the words of others stay whole."""


def _terminal_widths(rows: Sequence[Row], total: int) -> tuple[list[int], bool]:
    """The widths of the columns on a terminal, and whether it is too narrow for them: then the
    first one, of names, which are never split, gets lines of its own.
    """
    natural = [max(map(width_of, cells)) for cells in zip(*rows)]
    least = [max(map(_longest_word, cells)) for cells in zip(*rows)]
    least[1:2] = [min(least[1], _LEAST_VALUE)] if len(least) > 1 else []
    least[0] = natural[0]
    room = total - 2 * len(natural)
    if sum(least) <= room or len(least) == 1:
        return fit_widths(natural, room, least), False
    return [0, *fit_widths(natural[1:], room, least[1:])], True


def _longest_word(cell: str) -> int:
    return max(map(width_of, cell.split()), default=0)


def _print_columns(
    console: Console, rows: Sequence[Row], widths: Sequence[int], style: str
) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for number, width in enumerate(widths):
        table.add_column(
            width=width, overflow="ellipsis", no_wrap=number == 0, style="" if number else style
        )
    for row in rows:
        table.add_row(*map(Text, row))  # Text: in a str, `[0]` would be markup
    console.print(table)


def _print_stacked(
    console: Console, rows: Sequence[Row], widths: Sequence[int], style: str
) -> None:
    """Each name on a line of its own, the other cells below it."""
    from rich.text import Text

    for name, *others in rows:
        console.print(Text(name, style=style), soft_wrap=True)
        _print_columns(console, [("", *others)], widths, "")


def fit_widths(widths: Sequence[int], total: int, least: Sequence[int] = ()) -> list[int]:
    """*widths*, the widest ones reduced until the sum is at most *total*, or *least* for each."""
    fitted = list(widths)
    least = least or [4] * len(fitted)
    while sum(fitted) > total:
        over = [width if width > low else 0 for width, low in zip(fitted, least)]
        if not any(over):
            break
        fitted[over.index(max(over))] -= 1
    return fitted


_BLOCKS, _ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-:=+*#"


def sparkline(values: Sequence[float], stream: TextIO, width: int = 16) -> str:
    """*values* as at most *width* blocks that *stream* can show, between the least and the greatest
    one; a longer series as the means of its parts. What is no finite number is a blank.
    """
    count, size = min(width, len(values)), len(values)
    means = [_mean(values[size * n // count : size * (n + 1) // count]) for n in range(count)]
    finite = [one for one in means if math.isfinite(one)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    blocks = _BLOCKS if "utf" in (stream.encoding or "").lower() else _ASCII_BLOCKS
    scale = (len(blocks) - 1) / (high - low) if high > low else 0.0
    return "".join(
        blocks[round((one - low) * scale)] if math.isfinite(one) else " " for one in means
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def json_text(found: Any) -> str:
    """*found* as JSON; numbers that JSON lacks are texts, as in run.json."""
    import json

    return json.dumps(_finite(found), indent=2) + "\n"


def csv_text(names: Sequence[Any], rows: Iterable[Sequence[Any]] = ()) -> str:
    """A line of *names* and one for each of *rows*; lists and dicts are JSON."""
    import csv  # here: scripts' lines and tables need none
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_csv_cell(one) for one in row] for row in (names, *rows))
    return text.getvalue()


def json_cell(value: Any) -> str:
    """*value* as JSON in one line."""
    import json

    return json.dumps(_finite(value))


def _csv_cell(value: Any) -> Any:
    if value is None:
        return ""
    return json_cell(value) if isinstance(value, (list, dict)) else value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(name): _finite(one) for name, one in value.items()}
    return [*map(_finite, value)] if isinstance(value, (list, tuple)) else value


_STYLE = "text-align: left; vertical-align: top; white-space: pre-wrap"


def html_table(columns: Row, groups: Sequence[Group], caption: str = "", note: str = "") -> str:
    """The table as HTML, *caption* above it and *note* below it, all of them plain text."""
    groups = _plain(groups)
    lines = [
        f"<p>{_escape(caption)}</p>" if caption else "",
        "<table>",
        f"<thead>{_row('th', columns)}</thead>",
        "<tbody>",
        *(line for group in groups for line in _group(group, len(columns))),
        "</tbody>",
        "</table>",
        f"<p>{_escape(note)}</p>" if note else "",
    ]
    return "\n".join(filter(None, lines))


def _group(group: Group, width: int) -> Iterator[str]:
    if group.title:
        yield f'<tr><th colspan="{width}" style="{_STYLE}">{_escape(group.title)}</th></tr>'
    for row in group.rows:
        yield _row("td", row)


def _row(tag: str, cells: Row) -> str:
    inner = "".join(f'<{tag} style="{_STYLE}">{_escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"


def _escape(text: str) -> str:
    from html import escape  # here: a terminal needs none, and it reads a table of all entities

    return escape(text)


def frame_of(data: dict[str, list[Any]]) -> Any:
    """The columns *data* as a frame of pandas, or else of polars. UsageError without both."""
    try:
        import pandas
    except ImportError:
        return _polars_frame(data)
    return pandas.DataFrame(data)


def _polars_frame(data: dict[str, list[Any]]) -> Any:
    try:
        import polars
    except ImportError:
        raise UsageError("to_frame needs pandas or polars: pip install pandas") from None
    return polars.DataFrame(data, strict=False)
