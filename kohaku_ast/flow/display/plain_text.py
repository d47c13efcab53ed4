"""Plain text from what scripts print: nothing in it moves a cursor, colours or hides anything."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"""
    (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]?             # colours, movements of the cursor
  | (?: \x1b[\]PX^_] | [\x90\x98\x9d\x9e\x9f] )          # titles, links, pictures
        .*? (?: \x07 | \x1b\\ | \x9c | \Z )
  | \x1b [ -/]* [0-~]?                                   # everything else
    """,
    re.VERBOSE | re.DOTALL,
)
# Terminals do not agree on how wide a character is that one of these comes after.
_UNSURE = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
_RUBBED_OUT = re.compile(r"[^\x08]\x08")


def plain_line(text: str, most: int = 500) -> str:
    """The first *most* characters of *text* on one line, as a terminal shows them, or nearly so.

    All of them are printable, so that each takes none, one or two cells.
    """
    text = text[: 4 * most]
    if not (text.isascii() and text.isprintable()):
        text = _ESCAPE.sub("", text)
        text = _rubbed_out(text)
        text = "".join(map(_printable, _UNSURE.sub("", text)))
    return text[:most].rstrip()


def _rubbed_out(text: str) -> str:
    """*text* with its backspaces done: spinners and counters draw with them."""
    before = ""
    while "\b" in text and text != before:
        before, text = text, _RUBBED_OUT.sub("", text)
    return text


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else ""
