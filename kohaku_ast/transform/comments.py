"""What the comments of a script say of its lines: help for a definition, and its section."""

from __future__ import annotations

import bisect
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

from kohaku_ast.transform.comment_kinds import banner, help_text, is_code, is_for_python, title
from kohaku_ast.transform.source import Source

_BLANK = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@dataclass(frozen=True)
class _Place:
    """Where a comment, or the first code of a line, stands."""

    line: int
    column: int
    #: How many brackets are open around it.
    depth: int
    #: The comment; empty for code.
    text: str = ""


@dataclass
class Comments:
    """The comments of one script, by line."""

    #: Line -> the comment behind its code.
    trailing: dict[int, str] = field(default_factory=dict)
    #: Line -> the comment that has the line to itself.
    own: dict[int, _Place] = field(default_factory=dict)
    #: The first code of each line.
    code: list[_Place] = field(default_factory=list)
    #: Lines from which on a section holds, in order, and its title.
    starts: list[tuple[int, str]] = field(default_factory=list)
    #: Lines that are part of a section comment.
    banners: set[int] = field(default_factory=set)

    def help(self, first: int, last: int) -> str:
        """What is said of the statement on lines *first* to *last*: behind it, else above it."""
        behind = self.behind(first) or self.behind(last)
        return behind or self.above(first)

    def behind(self, line: int) -> str:
        """The comment at the end of *line*."""
        return help_text(self.trailing.get(line, ""))

    def above(self, line: int) -> str:
        """The comment lines that end right above *line*, at its own indentation."""
        column = next((place.column for place in self.code if place.line == line), -1)
        said: list[str] = []
        while (place := self.own.get(line := line - 1)) and line not in self.banners:
            if place.column != column:
                break
            said.insert(0, self._said(place))
        return " ".join(filter(None, said))

    def _said(self, place: _Place) -> str:
        text = help_text(place.text)
        return "" if is_for_python(place.text, place.line) or is_code(text) else text

    def section(self, line: int) -> str:
        """The title of the section that *line* stands in; empty if in none."""
        index = bisect.bisect_right(self.starts, line, key=lambda start: start[0])
        return self.starts[index - 1][1] if index else ""


def read_comments(source: Source) -> Comments:
    """The comments of *source*; none if its text cannot be taken apart."""
    comments = Comments()
    try:
        _collect(source, comments)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return Comments()
    titles = dict(_titles(comments))
    comments.starts = list(_starts(comments, titles))
    return comments


def _collect(source: Source, comments: Comments) -> None:
    text = "\n".join(source.lines) + "\n"
    depth = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        line, column = token.start
        if token.type == tokenize.COMMENT:
            if line == last:
                comments.trailing[line] = token.string
            else:
                comments.own[line] = _Place(line, column, depth, token.string)
        elif token.type not in _BLANK:
            if token.type == tokenize.OP:
                depth += (token.string in "([{") - (token.string in ")]}")
            if line != last:
                comments.code.append(_Place(line, column, depth))
            last = token.end[0]


def _titles(comments: Comments) -> Iterator[tuple[int, str]]:
    """Each line of a section comment that says where a section starts, and its title."""
    for line, place in comments.own.items():
        found = banner(place.text)
        if found is None or line in comments.banners:
            continue
        comments.banners.add(line)
        yield line, found or _ruled(comments, line)


def _ruled(comments: Comments, line: int) -> str:
    """The title below, or above, the bare line of dashes at *line*; empty if it only divides."""
    below = comments.own.get(line + 1)
    if below and _is_title(below):
        comments.banners.add(line + 1)
        comments.banners.update(_closing(comments, line + 2))
        return title(below.text)
    above = comments.own.get(line - 1)
    is_alone = line - 1 not in comments.banners and line - 2 not in comments.own
    if above and is_alone and _is_title(above):
        comments.banners.add(line - 1)
        return title(above.text)
    return ""


def _is_title(place: _Place) -> bool:
    text = help_text(place.text)
    return bool(text) and banner(place.text) != "" and not is_code(title(place.text))


def _closing(comments: Comments, line: int) -> range:
    """The lines from *line* to the bare line that closes a banner; empty without one."""
    end = line
    while end in comments.own and end < line + 6:
        if banner(comments.own[end].text) == "":
            return range(line, end + 1)
        end += 1
    return range(0)


def _starts(comments: Comments, titles: dict[int, str]) -> Iterator[tuple[int, str]]:
    """Where another section begins to hold: at its comment, or where the block around it ends."""
    open_ones: list[tuple[_Place, str]] = []
    places = [comments.own[line] for line in titles] + comments.code
    for place in sorted(places, key=lambda place: place.line):
        while open_ones and _ends(open_ones[-1][0], place):
            open_ones.pop()
        if place.text:
            open_ones.append((place, titles[place.line]))
        yield place.line, open_ones[-1][1] if open_ones else ""


def _ends(section: _Place, place: _Place) -> bool:
    """Whether the section does not reach *place*: another one, or code further out."""
    if section.depth != place.depth:
        return section.depth > place.depth
    if place.text:
        return section.column >= place.column
    return section.depth == 0 and section.column > place.column
