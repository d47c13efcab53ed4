"""What one comment is: help for a reader, a section's banner, a note to a tool, or old code."""

from __future__ import annotations

import ast
import re

from kohaku_ast.transform.source import parse_text

_LINE = "=*~_+─━═-"  # what people draw lines with
_RULE = re.compile(rf"#[#\s{_LINE}]*$")
_CLOSED = re.compile(rf"#+\s*[#{_LINE}]{{2,}}\s+(.*?)\s+[#{_LINE}]{{2,}}$")
_TIGHT = re.compile(rf"#+\s*[{_LINE}]{{3,}}(\w.*?)[{_LINE}]{{3,}}$")
_OPENED = re.compile(rf"(?:#{{3,}}|#+\s*[#{_LINE}]{{3,}}|#\s+#{{1,6}})\s+(.*?)[\s#{_LINE}]*$")
_TRAILED = re.compile(rf"#+\s*(.*?)\s*[#{_LINE}]{{3,}}$")
_CELL = re.compile(r"#+\s*%%+\s*(?:\[\w+\])?\s*(.*)$")
_NOTE = re.compile(
    r"(?:noqa\b|type:\s*(?:ignore|[\w.]+(?:\[.*\])?$)|pragma\b|(?:pylint|flake8|fmt|yapf|isort|ruff"
    r"|mypy|pyright|black|pytype):|nosec\b|noinspection\b|(?:end)?region\b|@param\b|@title\b"
    r"|In\s*\[[\d\s*]*\]:?$|-\*-.*-\*-$|(?:vim?|ex):.*\bset?\b)",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*[-\w.]+")  # PEP 263
_BLOCK = re.compile(r"(?:async|def|class|for|if|elif|while|with) |(?:try|except|else|finally)\b")


def banner(comment: str) -> str | None:
    """The title of a section comment; empty for a bare line (``# -----``), None for others."""
    if _RULE.match(comment):
        return "" if len(re.sub(r"\s", "", comment)) > 3 else None
    if not help_text(comment) and not _CELL.match(comment):
        return None  # `# -*- coding: utf-8 -*-`
    for shape in (_CELL, _CLOSED, _TIGHT, _OPENED, _TRAILED):
        found = shape.match(comment)
        if found and (shape is _CELL or re.search(r"\w", found[1])):
            return None if is_code(found[1]) else title(found[1])
    return None


def title(text: str) -> str:
    """*text* without the comment sign and what is drawn around it."""
    return text.strip(f"# \t{_LINE}").rstrip(":").strip()


def help_text(comment: str) -> str:
    """What *comment* says to a reader; empty if it speaks to a tool or says nothing."""
    text = comment.lstrip("#").removeprefix(":").strip()
    parts = re.split(r"\s#+\s*", f" {text}")
    kept = [part.strip() for part in parts if not _NOTE.match(part.strip())]
    said = text if len(kept) == len(parts) else " ".join(filter(None, kept))
    return said if re.search(r"\w", said) else ""


def is_for_python(comment: str, line: int) -> bool:
    """Whether it is the line ``#!/usr/bin/python`` or names the encoding."""
    return (line == 1 and comment.startswith("#!")) or (line <= 2 and bool(_COOKIE.match(comment)))


def is_code(text: str) -> bool:
    """Whether a comment's *text* is a statement that someone has switched off."""
    text = text.strip()
    if text.startswith("@") or (_BLOCK.match(text) and text.endswith(":")):
        return text.startswith("@") or _parses(f"{text} pass") or _continues(text)
    if text.endswith(("(", "[", "{")):
        return "=" in text or re.fullmatch(r"[\w.]+\(", text) is not None
    if re.match(r"""["'][^"']*["']\s*:.*,$""", text):
        return _parses(f"{{{text}}}")
    return any(map(_is_code, _statements(text)))


def _continues(text: str) -> bool:
    return _BLOCK.match(text) is not None and text.startswith(("el", "except", "finally", "try"))


def _statements(text: str) -> list[ast.stmt]:
    try:
        return parse_text(text, "comment").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []


def _parses(text: str) -> bool:
    return bool(_statements(text))


def _is_code(node: ast.stmt) -> bool:
    """Words can parse as well: ``dropout``, ``sgd or adam``, ``note: lower is better``."""
    if isinstance(node, ast.AnnAssign):
        return node.value is not None
    if isinstance(node, ast.Expr):
        # `dropout (none)` is prose, `model.train()` is not.
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        return isinstance(call, ast.Call) and " (" not in ast.unparse(call.func) + _gap(call)
    return not isinstance(node, (ast.Global, ast.Nonlocal))


def _gap(call: ast.Call) -> str:
    """A blank if one stands before the bracket of *call*, which starts the text."""
    written = call.func.end_col_offset or 0
    first = call.args[0].col_offset if call.args else written + 1
    return " (" if first - written > 1 else ""
