"""What an editor shows about the place of the cursor in a config: the parameter with its default
and help, and where it is defined.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from kohaku_ast.errors import KogineError
from kohaku_ast.lsp.config_problems import OpenConfig
from kohaku_ast.lsp.document_text import NOWHERE, Part, Span, walk
from kohaku_ast.runner.script import lines_of, notes, one_line, type_text
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.paths import last_name


@dataclass(frozen=True)
class Place:
    """A place in a file."""

    path: str
    #: The line, from 1; 0 for the file as a whole.
    line: int = 0
    #: The name on the line; empty if the whole line is meant.
    name: str = ""

    def span(self, text: str, starts: list[int]) -> Span:
        """Its part of *text*, whose lines start at *starts*."""
        if not 0 < self.line <= len(starts):
            return NOWHERE
        start = starts[self.line - 1]
        end = starts[self.line] if self.line < len(starts) else len(text)
        found = re.compile(rf"(?<!\w){re.escape(self.name)}(?!\w)").search(text, start, end)
        return Span(*found.span()) if found and self.name else Span(start, start)


def _is_in(span: Span, offset: int) -> bool:
    return span.start <= offset <= span.end and span.start < span.end


def found_at(config: OpenConfig, offset: int) -> tuple[Span, Parameter, str] | None:
    """The key or the value at *offset*, its parameter and the path of the parameter's file."""
    known = config.known
    for entry in config.entries() if known else ():
        is_key = _is_in(entry.part.key_span, offset)
        if is_key or (_is_in(entry.part.value_span, offset) and not _has_keys(entry.part)):
            span = entry.part.key_span if is_key else entry.part.value_span
            return _found(config, span, entry.target)
    for part in walk(config.parts.parts) if known else ():
        if _is_in(part.key_span, offset) and not part.key.startswith("_"):
            return _found(config, part.key_span, part.key)
    return None


def _has_keys(part: Part) -> bool:
    return any(one.key for one in part.inner)


def _found(config: OpenConfig, span: Span, target: str) -> tuple[Span, Parameter, str] | None:
    known = config.known
    try:
        return (span, *known.find(target)) if known is not None else None
    except (KogineError, SyntaxError):
        return None


def hover(config: OpenConfig, offset: int) -> tuple[Span, str] | None:
    """Markdown about the parameter at *offset*: target, type, default, help and place."""
    found = found_at(config, offset)
    if found is None:
        return None
    span, one, path = found
    head = [f"**{_code(one.target)}**", type_text(one)]
    head += [f"default {_code(one_line(one.default))}" if one.default else "no default"]
    where = f"{os.path.basename(path)}:{lines_of(one)}"
    rest = [one.help, *notes(one), where + (f", {one.section}" if one.section else "")]
    return span, "\n\n".join([" · ".join(filter(None, head)), *map(_plain, filter(None, rest))])


def _code(text: str) -> str:
    """*text* as code in Markdown."""
    ticks = max(map(len, re.findall("`+", text)), default=0) + 1
    blank = " " * ("`" in text)
    return f"{'`' * ticks}{blank}{text}{blank}{'`' * ticks}"


def _plain(text: str) -> str:
    """*text* without a meaning in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|!&~])", r"\\\1", text)


def definition(config: OpenConfig, offset: int) -> Place | None:
    """Where that is defined which stands at *offset*: a parameter in its script, or the file that a
    path of the config names.
    """
    script = config.script
    if script and script.part and script.path and _is_in(script.part.value_span, offset):
        return Place(script.path)
    for base in config.parts.bases:
        if _is_in(base.value_span, offset) and isinstance(base.value, str):
            folder = os.path.dirname(config.path)
            return Place(os.path.normpath(os.path.join(folder, base.value)))
    found = found_at(config, offset)
    if found is None:
        return None
    _, one, path = found
    is_text = path.lower().endswith(".py")
    return Place(path, one.line, last_name(one.target)) if is_text else Place(path)
