"""Short text for a terminal: of values, of durations, of lines that scripts print."""

from __future__ import annotations

import re
import reprlib


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
