"""What only IPython allows in a cell, ``%magic``, ``!command`` and ``name?``, as Python.

The forms are those of ``jupyter nbconvert --to script``, ``get_ipython().run_line_magic(...)``,
with two exceptions. What only the page of a notebook needs (``%matplotlib inline``, help) does
nothing, so that the script needs no IPython. Below ``%%time`` stands the cell itself, so that what
it defines can be overridden. No IPython is imported: a cluster may not have it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

_SHELL = "get_ipython()"
_MAGIC = re.compile(r"%([\w.]+)[ \t]*(.*)$", re.DOTALL)
_CELL_MAGIC = re.compile(r"%%([\w!.]+)[ \t]*(.*)$")
_ASSIGNED = re.compile(r"((?:[^=!<>#'\"]|\[['\"][^'\"]*['\"]\])+?\s*=\s*)([%!])(.+)$", re.DOTALL)
_HELP = re.compile(r"(\?{1,2})\s*([%\w.*:]+)\s*;?$|([%\w.*:\[\]]+)(\?{1,2})\s*;?$")
_PROMPT = re.compile(r"(>>> |\.\.\. |>>>$|\.\.\.$)", re.MULTILINE)
_FOR_THE_PAGE = {"matplotlib", "pylab", "autoreload", "config", "aimport", "pinfo", "pinfo2"}
"""Magics that change what a notebook shows or when it reads modules again."""
_EXTENSIONS_FOR_THE_PAGE = {"autoreload", "lab_black", "nb_black", "jupyter_black", "line_profiler"}
_NOTHING = "pass  # "
"""What stands for it: no comment of its own, which would be the help of a definition below."""
_AS_CODE = "time"
"""The magic of a cell whose lines run as they are."""


@dataclass(frozen=True)
class PlainCell:
    """A cell as Python."""

    text: str
    #: Each line of the text that is not as in the cell, and what the cell has there.
    changed: tuple[tuple[str, str], ...] = ()
    #: What of it needs a running IPython, as the cell has it; empty for most cells.
    needs: tuple[str, ...] = ()
    #: Whether ``%matplotlib`` stood in it: figures are not to open windows.
    draws: bool = False

    def restored(self, text: str) -> str:
        """*text*, which an edit has made of the cell's, with the cell's own lines again."""
        for line, own in self.changed:
            start = 0 if text.startswith(f"{line}\n") or text == line else text.find(f"\n{line}")
            if start >= 0:
                start += text[start] == "\n"
                text = text[:start] + own + text[start + len(line) :]
        return text


def plain_cell(source: str) -> PlainCell:
    """The cell with the text *source*, as Python. What is no syntax of IPython stays as it is."""
    first, newline, rest = source.lstrip("\n").partition("\n")
    found = _CELL_MAGIC.match(first)
    if found is None:
        return _of_lines(_without_prompts(source))
    if found[1] != _AS_CODE:
        body = rest + "\n" if rest and not rest.endswith("\n") else rest
        line = f"{_SHELL}.run_cell_magic({found[1]!r}, {found[2].strip()!r}, {body!r})"
        return PlainCell(line, ((line, source),), (first,))
    inner, line = _of_lines(rest), _NOTHING + first
    changed = (line, first), *inner.changed
    return PlainCell(f"{line}{newline}{inner.text}", changed, inner.needs, inner.draws)


def _without_prompts(source: str) -> str:
    """*source* without what a person has copied from a prompt, and without common indentation."""
    if source.startswith(">>> "):
        source = _PROMPT.sub("", source)
    return textwrap.dedent(source) if source[:1] in (" ", "\t") else source


@dataclass
class _Lines:
    """The lines of a cell, read one after another; where each begins, in code or in a string."""

    depth: int = 0
    quote: str = ""
    continues: bool = False
    done: list[str] = field(default_factory=list)

    @property
    def is_start(self) -> bool:
        """Whether a statement may begin at the next line."""
        return not (self.depth or self.quote or self.continues)

    def read(self, line: str) -> None:
        position = 0
        self.continues = False
        while position < len(line):
            position = self._in_string(line, position) if self.quote else self._code(line, position)

    def _in_string(self, line: str, position: int) -> int:
        if line[position] == "\\":
            self.continues = position + 1 == len(line)
            return position + 2
        if line.startswith(self.quote, position):
            end = position + len(self.quote)
            self.quote = ""
            return end
        if position + 1 == len(line) and len(self.quote) == 1:
            self.quote = ""  # it ends with its line: Python reports it
        return position + 1

    def _code(self, line: str, position: int) -> int:
        character = line[position]
        if character == "#":
            return len(line)
        if character in "'\"":
            is_long = line.startswith(character * 3, position)
            self.quote = character * (3 if is_long else 1)
            return position + len(self.quote)
        self.depth = max(0, self.depth + (character in "([{") - (character in ")]}"))
        self.continues = character == "\\" and position + 1 == len(line)
        return position + 1


def _of_lines(source: str) -> PlainCell:
    lines, changed, needs, draws = _Lines(), list[tuple[str, str]](), list[str](), False
    for own in _joined(source.split("\n"), lines):
        line = _plain_line(own) if lines.is_start else None
        if line is None:
            lines.read(own)
        else:
            changed.append((line, own))
            is_comment = line.lstrip().startswith(_NOTHING)
            needs += [] if is_comment else [own.strip()]
            draws |= is_comment and bool(re.search(r"%(matplotlib|pylab)\b", line))
        lines.done.append(own if line is None else line)
    return PlainCell("\n".join(lines.done), tuple(changed), tuple(needs), draws)


def _joined(rows: list[str], lines: _Lines) -> Iterator[str]:
    """*rows*; a magic or command that a backslash continues is one row."""
    waiting = iter(rows)
    for row in waiting:
        if lines.is_start and _plain_line(row) is not None:
            while row.endswith("\\") and (more := next(waiting, None)) is not None:
                row = f"{row}\n{more}"
        yield row


def _plain_line(row: str) -> str | None:
    """*row*, at which a statement may begin, as Python; None if it is no syntax of IPython."""
    indent = row[: len(row) - len(row.lstrip())]
    text = re.sub(r"\\\n", " ", row.strip())
    comment = _NOTHING + row.strip().replace("\\\n", " ")
    if text.startswith("!!"):
        return f"{indent}{_SHELL}.getoutput({text[2:].strip()!r})"
    if text.startswith("!"):
        return f"{indent}{_SHELL}.system({text[1:].strip()!r})"
    if _HELP.fullmatch(text):
        return indent + comment
    magic = _MAGIC.match(text)
    if magic:
        is_shown = _is_for_the_page(magic[1], magic[2])
        return indent + (comment if is_shown else f"{_SHELL}.{_call(magic[1], magic[2])}")
    assigned = _ASSIGNED.match(text)
    if assigned is None:
        return None
    if assigned[2] == "!":
        return f"{indent}{assigned[1]}{_SHELL}.getoutput({assigned[3].strip()!r})"
    name, _, line = assigned[3].partition(" ")
    return f"{indent}{assigned[1]}{_SHELL}.{_call(name, line)}"


def _call(name: str, line: str) -> str:
    return f"run_line_magic({name!r}, {line.strip()!r})"


def _is_for_the_page(name: str, line: str) -> bool:
    if name in ("load_ext", "reload_ext"):
        return line.strip() in _EXTENSIONS_FOR_THE_PAGE
    return name in _FOR_THE_PAGE
