"""A command line as bash hands it over, unfinished, into words; candidates back into its quotes.

bash cuts at ``=`` and ``:`` and replaces the last piece only, or what follows an open quote. So
the line is read here, and a candidate comes back as the text for that piece.
"""

from __future__ import annotations

_ENDS = " \t\n|&;()<>"
"""What ends a word outside quotes."""
_PLAIN = "_@%+=:,./-"
"""What needs no quotes, besides letters and digits."""


class Line:
    """An unfinished command line: plain words, and how the last of them is written."""

    __slots__ = ("is_redirected", "plain", "quote", "quoted_from", "raw", "words")

    def __init__(self) -> None:
        #: The words without their quotes, the command first; the last is the one to complete.
        self.words: list[str] = [""]
        #: The last word as written.
        self.raw = ""
        #: The quote that is still open in it, or "".
        self.quote = ""
        #: Where in *raw* the text behind that quote starts.
        self.quoted_from = 0
        #: For each character outside quotes: where in *raw* it ends, and the word so far.
        self.plain: list[tuple[int, str]] = []
        #: Whether it is the file of a redirection.
        self.is_redirected = False


def read_line(text: str) -> Line:
    """The last command of *text*, up to the cursor."""
    line = Line()
    place = 0
    while place < len(text):
        char, width = text[place], 1
        if line.quote or char not in _ENDS:
            width = _take(line, text, place)
        elif char in " \t":
            _next_word(line)
        elif char in "<>":
            line.words[-1] = line.raw = ""
            line.is_redirected = True
        else:
            line = Line()
        place += width
    return line


def plain_text(written: str) -> str:
    """One word without its quotes, of which the last may be open: ``'main(ep`` is ``main(ep``."""
    line = Line()
    place = 0
    while place < len(written):
        place += _take(line, written, place)
    return line.words[-1]


def _take(line: Line, text: str, place: int) -> int:
    """Add the character at *place*, or what is quoted there, to the last word; its width."""
    char, following = text[place], text[place + 1 : place + 2]
    added, width = char, 1
    if char == line.quote:
        added, line.quote = "", ""
    elif not line.quote and char in "'\"":
        added, line.quote, line.quoted_from = "", char, len(line.raw) + 1
    elif char == "\\" and (not line.quote or (line.quote == '"' and following in '\\"$`')):
        added, width = following, 2
    line.words[-1] += added
    line.raw += text[place : place + width]
    if not line.quote and added == text[place : place + width]:
        line.plain.append((len(line.raw), line.words[-1]))
    return width


def _next_word(line: Line) -> None:
    if line.is_redirected and line.raw:
        line.words[-1] = ""
        line.is_redirected = False
    elif line.raw:
        line.words.append("")
    line.raw, line.plain = "", []


def replacement(
    line: Line, candidate: str, is_finished: bool, breaks: str, is_quoted: bool = False
) -> str | None:
    """What bash is to put in place of the piece it completes, so that the last word becomes
    *candidate*; None if the piece cannot become that. *breaks* are its COMP_WORDBREAKS;
    *is_quoted* asks for quotes even if none are needed.
    """
    kept = _kept(line, breaks)
    if not candidate.startswith(kept):
        return None
    rest = candidate[len(kept) :]
    if line.quote:
        return _inside(rest, line.quote)  # readline closes the quote
    text = _quoted(rest.removesuffix("="), is_quoted) + "=" * rest.endswith("=")
    return text + " " * is_finished


def _kept(line: Line, breaks: str) -> str:
    """The start of the last word, without quotes, that bash leaves as it is."""
    if line.quote:
        return plain_text(line.raw[: line.quoted_from - 1])
    ends = [plain for place, plain in line.plain if line.raw[place - 1] in breaks]
    return ends[-1] if ends else ""


def _quoted(text: str, always: bool) -> str:
    """*text* as one word of any shell, in single quotes if it needs any."""
    home = "~/" if text.startswith("~/") else ""  # a quoted tilde is no home
    rest = text[len(home) :]
    if is_plain(rest) and not always:
        return text
    return f"{home}'{_inside(rest, chr(39))}'"


def is_plain(text: str) -> bool:
    """Whether *text* means itself to a shell without quotes."""
    return all(char.isalnum() or char in _PLAIN for char in text)


def _inside(text: str, quote: str) -> str:
    if quote == "'":
        return text.replace("'", "'\\''")
    return "".join(f"\\{char}" if char in '"\\$`' else char for char in text)
