"""Edits in, text out: everything that is not edited stays as it was, to the byte."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from kohaku_ast.transform.bindings import FUNCTIONS
from kohaku_ast.transform.sites import Edit
from kohaku_ast.transform.source import Source

_COMPOUND = (
    *FUNCTIONS, ast.ClassDef, ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith,
    ast.Try, ast.Match,
)  # fmt: skip
_PLACELESS = (ast.match_case, ast.Module)  # the nodes we edit that have no position
_COMMENT = re.compile(r"#[^\r\n]*")


def rewrite(source: Source, edits: list[Edit]) -> str:
    """The text of *source* with *edits* made; edits at one place keep their order."""
    splices = [(*_splice(source, edit), _depth(edit)) for edit in _one_a_call(edits)]
    pieces, done = [], 0
    # Of a class and its last method, which end at one place, the method's edit comes first.
    for start, end, text, *_ in sorted(splices, key=lambda splice: (splice[0], splice[3])):
        pieces += [source.text[done:start], text]
        done = end
    return "".join([*pieces, source.text[done:]])


def _one_a_call(edits: list[Edit]) -> list[Edit]:
    """*edits* with the new keywords of one call in one edit: only the first may need a comma."""
    joined: dict[tuple[str, int], Edit] = {}
    for number, edit in enumerate(edits):
        key = ("keyword", id(edit.node)) if edit.change == "keyword" else ("", number)
        first = joined.get(key)
        joined[key] = replace(edit, text=f"{first.text}, {edit.text}") if first else edit
    return list(joined.values())


def _depth(edit: Edit) -> tuple[int, int]:
    """Sorts inner statements before the outer ones that end where they do."""
    return -getattr(edit.node, "lineno", 0), -getattr(edit.node, "col_offset", 0)


def _splice(source: Source, edit: Edit) -> tuple[int, int, str]:
    """Start and end offset of what *edit* replaces, and the new text."""
    start, end = (0, 0) if isinstance(edit.node, _PLACELESS) else source.span(edit.node)
    if edit.change == "replace":
        return start, end, edit.text
    if edit.change == "annotated":
        return end, end, f" = {edit.text}"
    if edit.change == "keyword":
        return _last_in_call(source, edit)
    if edit.change == "inside":
        return _first_in_block(source, edit)
    return _after_statement(source, edit, end)


def _last_in_call(source: Source, edit: Edit) -> tuple[int, int, str]:
    """Just before the closing parenthesis: positions of arguments do not tell where their
    own parentheses end, and a trailing comma may be there already.
    """
    call = edit.node
    assert isinstance(call, ast.Call)
    close = source.span(call)[1] - 1
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    if not arguments:
        return close, close, edit.text
    last = max(source.span(argument)[1] for argument in arguments)
    has_comma = "," in _COMMENT.sub("", source.text[last:close])
    return close, close, edit.text if has_comma else f", {edit.text}"


def _first_in_block(source: Source, edit: Edit) -> tuple[int, int, str]:
    first: ast.stmt = edit.node.body[0]  # type: ignore[attr-defined]
    line = min([first.lineno, *(one.lineno for one in getattr(first, "decorator_list", []))])
    start, here = source.line_starts[line - 1], source.offset(first.lineno, first.col_offset)
    # `with open(p) as f: data = f.read()`, also with the line broken by a backslash.
    on_header_line = source.text[start:here].strip() or source.lines[line - 2].endswith("\\")
    if on_header_line and not _is_compound(first):
        return here, here, f"{edit.text}; "
    return start, start, f"{_indent(source, line)}{edit.text}{source.newline}"


def _after_statement(source: Source, edit: Edit, end: int) -> tuple[int, int, str]:
    node = edit.node
    if not _is_compound(node):
        return end, end, f"; {edit.text}"
    line: int = node.end_lineno  # type: ignore[attr-defined]
    end_of_line = source.line_starts[line - 1] + len(source.lines[line - 1])
    if source.text[end:end_of_line].strip(" \t\f;") == "\\":
        end_of_line = source.line_starts[line] + len(source.lines[line])  # an empty line goes on
    indent = _indent(source, node.lineno)  # type: ignore[attr-defined]
    return end_of_line, end_of_line, f"{source.newline}{indent}{edit.text}"


def _is_compound(node: ast.AST) -> bool:
    return isinstance(node, _COMPOUND) or type(node).__name__ == "TryStar"


def _indent(source: Source, line: int) -> str:
    """The white space that *line* starts with."""
    text = source.lines[line - 1]
    return text[: len(text) - len(text.lstrip(" \t\f"))]
