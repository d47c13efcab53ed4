"""Text that fits into a box, and that XML can hold."""

from __future__ import annotations

import re
import unicodedata
from html import escape

from kohaku_ast.display.short import short_repr
from kohaku_ast.flow.display.durations import exact_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What XML 1.0 has no way to write, escaped or not.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def marked_up(text: str) -> str:
    """*text* for an element or an attribute of XML or HTML."""
    return escape(_UNWRITABLE.sub("\ufffd", text)).replace("\r", "\ufffd")


def one_line(text: str, most: int) -> str:
    """*text* in at most *most* cells, without line ends; a longer one ends in an ellipsis."""
    text = " ".join(text[: 4 * most + 4].split())
    if cells(text) <= most:
        return text
    while cells(text) >= most:
        text = text[:-1]
    return text.rstrip() + "…"


def cells(text: str) -> int:
    """How wide *text* is, in letters: those of Chinese and Japanese count twice."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in text
    )


def listed(names: Iterable[str], most: int) -> str:
    """``a, b and 3 more``: names within about *most* letters, the first always."""
    names = list(names)
    shown = names[:1]
    for name in names[1:]:
        if sum(map(cells, shown)) + 2 * len(shown) + cells(name) > most:
            break
        shown.append(name)
    left = len(names) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")


def value_text(value: object, most: int = 24) -> str:
    """*value* in a few letters."""
    return one_line(short_repr(value), most)


def time_text(seconds: float) -> str:
    """``3 ms``, ``1.2 s``, ``3m04s``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return exact_time(seconds)


def default_text(value: object, most: int = 24) -> str:
    """The default *value* of an input; "" if it is what a script says itself."""
    return "" if value is ... else value_text(value, most)
