"""The comments of a script: the help of a definition, and the title of its section."""

from __future__ import annotations

import ast
import bisect
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

from kohaku_ast.transform.find.paths import called_name, nodes_of
from kohaku_ast.transform.find.source import Source, parse_text

_BLANK = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@dataclass(frozen=True)
class _Place:
    """The place of a comment, or of the first code of a line."""

    line: int
    column: int
    #: How many brackets are open around it.
    depth: int
    #: The comment; empty for code.
    text: str = ""


@dataclass
class Comments:
    """The comments of one script, by line."""

    #: Line -> the comment after its code.
    trailing: dict[int, str] = field(default_factory=dict)
    #: Line -> the comment that fills the line.
    own: dict[int, _Place] = field(default_factory=dict)
    #: Line -> its first code.
    code: dict[int, _Place] = field(default_factory=dict)
    #: The line at which each section begins, in order, and its title.
    starts: list[tuple[int, str]] = field(default_factory=list)
    #: Lines that are part of a section comment, or of one that heads a run.
    banners: set[int] = field(default_factory=set)
    #: First line, last line and title of each run of definitions below one comment.
    runs: list[tuple[int, int, str]] = field(default_factory=list)

    def help(self, first: int, last: int) -> str:
        """The help of the statement on lines *first* to *last*: the comment after it, else above
        it.
        """
        return self.trailing_help(first) or self.trailing_help(last) or self.above(first)

    def trailing_help(self, line: int) -> str:
        """The comment at the end of *line*."""
        return help_text(self.trailing.get(line, ""))

    def above(self, line: int) -> str:
        """The comment lines right above *line* that have its indentation."""
        column = self.code[line].column if line in self.code else -1
        texts: list[str] = []
        while (place := self.own.get(line := line - 1)) and line not in self.banners:
            if place.column != column:
                break
            texts.insert(0, self._help(place))
        return " ".join(filter(None, texts))

    def _help(self, place: _Place) -> str:
        text = help_text(place.text)
        return "" if is_for_python(place.text, place.line) or is_code(text) else text

    def section(self, line: int) -> str:
        """The title of the run or section that *line* stands in; empty if it is in none."""
        runs = [title for first, last, title in self.runs if first <= line <= last]
        if runs:
            return runs[-1]
        index = bisect.bisect_right(self.starts, line, key=lambda start: start[0])
        return self.starts[index - 1][1] if index else ""


def read_comments(source: Source) -> Comments:
    """The comments of *source*; none if its text cannot be tokenized."""
    comments = Comments()
    try:
        _collect(source, comments)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return Comments()
    titles = dict(_titles(comments))
    heads = _heads(source.tree.body)
    comments.starts = list(_starts(comments, titles, heads))
    if heads:
        _hide_above(comments, min(heads))
    for run in _runs(source.tree):
        _title_run(comments, run)
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
                comments.code[line] = _Place(line, column, depth)
            last = token.end[0]


def _titles(comments: Comments) -> Iterator[tuple[int, str]]:
    """The line of each section comment at which a section begins, and its title."""
    for line, place in comments.own.items():
        found = banner(place.text)
        if found is None or line in comments.banners:
            continue
        comments.banners.add(line)
        yield line, found or _ruled(comments, line)


def _ruled(comments: Comments, line: int) -> str:
    """The title below, else above, the bare line of dashes at *line*; empty if it has none."""
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
    """The lines from *line* to the bare line that closes a banner; empty if none does."""
    end = line
    while end in comments.own and end < line + 6:
        if banner(comments.own[end].text) == "":
            return range(line, end + 1)
        end += 1
    return range(0)


def _starts(
    comments: Comments, titles: dict[int, str], heads: set[int]
) -> Iterator[tuple[int, str]]:
    """The line at which each section begins (its comment, or the end of the block around the
    section before), and its title. What stands above the imports, on the lines *heads*, is the
    title of the file, and of no setting.
    """
    open_ones: list[tuple[_Place, str]] = []
    places = [comments.own[line] for line in titles] + [*comments.code.values()]
    for place in sorted(places, key=lambda place: place.line):
        while open_ones and _ends(open_ones[-1][0], place):
            open_ones.pop()
        if place.text:
            open_ones.append((place, titles[place.line]))
        elif place.line in heads:
            open_ones.clear()
        yield place.line, open_ones[-1][1] if open_ones else ""


def _heads(body: list[ast.stmt]) -> set[int]:
    """The first lines of the imports of a module and of its docstring."""
    imports = {node.lineno for node in body if isinstance(node, ast.Import | ast.ImportFrom)}
    return imports | {node.lineno for node in body[:1] if _is_text(node)}


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _ends(section: _Place, place: _Place) -> bool:
    """Whether *section* ends at *place*, which is another section or code further out."""
    if section.depth != place.depth:
        return section.depth > place.depth
    if place.text:
        return section.column >= place.column
    return section.depth == 0 and section.column > place.column


# --- runs of definitions --------------------------------------------------------------------------

_DECLARES = re.compile("add_argument$|DEFINE_")
_Run = list[tuple[str, int, int]]
"""Definitions on lines that follow each other: name, first and last line of each."""


def _runs(tree: ast.Module) -> Iterator[_Run]:
    """Every two or more definitions, entries or arguments without a blank line or a comment
    between them. The first of them is new: a comment above another one is about its change.
    """
    for node in nodes_of(tree):
        for rows in _rows(node):
            known: set[str] = set()
            for run in _unbroken(rows):
                if len(run) > 1 and run[0][0] not in known:
                    yield run
                known |= {name for name, _, _ in run}


def _unbroken(rows: list[tuple[str, int, int] | None]) -> Iterator[_Run]:
    run: _Run = []
    for row in rows:
        if run and (row is None or row[1] != run[-1][2] + 1):
            yield run
            run = []
        run += [row] if row else []
    yield run


def _rows(node: ast.AST) -> Iterator[list[tuple[str, int, int] | None]]:
    """What stands in *node* one below the other; None for what is no definition."""
    for block in ("body", "orelse", "finalbody"):
        statements = getattr(node, block, None)
        if isinstance(statements, list):
            yield [_row(_name(one), one) for one in statements]
    if isinstance(node, ast.Dict):
        entries = zip(node.keys, node.values)
        yield [_row(ast.unparse(key), key, value) if key else None for key, value in entries]
    elif isinstance(node, ast.Call):
        yield [_row(one.arg or "", one, one.value) for one in node.keywords]
    elif isinstance(node, ast.arguments):
        plain = [*node.posonlyargs, *node.args]
        missing: list[ast.expr | None] = [None] * (len(plain) - len(node.defaults))
        defaults = [*missing, *node.defaults, *node.kw_defaults]
        named = zip([*plain, *node.kwonlyargs], defaults)
        yield [_row(one.arg, one, default or one) for one, default in named]


def _row(name: str, first: ast.AST, last: ast.AST | None = None) -> tuple[str, int, int] | None:
    end = getattr(last or first, "end_lineno", 0)
    return (name, first.lineno, end) if name else None  # type: ignore[attr-defined]


def _name(node: ast.stmt) -> str:
    """The last name that a statement defines; empty if it does something else."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return called_name(target) or ast.unparse(target)
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not _DECLARES.match(called_name(call.func)):
        return ""
    flags = [str(one.value) for one in call.args if isinstance(one, ast.Constant)]
    return max(flags[:2], key=len, default="")


def _title_run(comments: Comments, run: _Run) -> None:
    """Note the title of *run*, if the comment above it is about more than its first line."""
    (name, first, _), last = run[0], run[-1][2]
    text = comments.above(first)
    if not text or _is_about(text, name):
        return
    comments.runs.append((first, last, title(first_sentence(text)).rstrip(".")))
    _hide_above(comments, first)


def _hide_above(comments: Comments, line: int) -> None:
    """Let the comment lines right above *line* be the help of nothing."""
    while (line := line - 1) in comments.own:
        comments.banners.add(line)


def _is_about(text: str, name: str) -> bool:
    """Whether a comment above a run is about its first definition alone: it has the words of the
    name and more, or their first letters.
    """
    words = re.findall(r"[^\W_]+", text.lower())
    own = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    if own and set(own) <= set(words) and len(words) > 1:
        return True
    letters = "".join(word[0] for word in words)
    return len(words) > 1 and len(own) == 1 and letters.startswith(own[0])


# --- the kinds of comments ------------------------------------------------------------------------

_LINE = "=*~_+─━═-"  # people draw lines with these
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
    """*text* without the comment sign and the lines drawn around it."""
    return text.strip(f"# \t{_LINE}").rstrip(":").strip()


def help_text(comment: str) -> str:
    """The text of *comment* for a reader; empty if it is for a tool or has no words."""
    text = comment.lstrip("#").removeprefix(":").strip()
    parts = re.split(r"\s#+\s*", f" {text}")
    readable = [part.strip() for part in parts if not _NOTE.match(part.strip())]
    found = text if len(readable) == len(parts) else " ".join(filter(None, readable))
    return found if re.search(r"\w", found) else ""


_ABBREVIATED = re.compile(
    r"(?:^|[\s(])(?:[a-z]|e\.g|i\.e|etc|vs|cf|eqs?|figs?|secs?|nos?|approx|resp|al|dr|mr|mrs|ms|st|ref|ch)\.$",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?](?=\s+[^a-z\s])|[\u3002\uff01\uff1f]")


def first_sentence(text: str) -> str:
    """*text*, on one line, up to the end of its first sentence."""
    for end in _END.finditer(text):
        if not _ABBREVIATED.search(text[: end.end()]):
            return text[: end.end()]
    return text


def is_for_python(comment: str, line: int) -> bool:
    """Whether *comment* is ``#!/usr/bin/python`` or names the encoding."""
    return (line == 1 and comment.startswith("#!")) or (line <= 2 and bool(_COOKIE.match(comment)))


def is_code(text: str) -> bool:
    """Whether *text*, of a comment, is a statement that someone has commented out."""
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
    """Whether *node* is more than words that parse: ``dropout``, ``sgd or adam``, ``note: lower is
    better``.
    """
    if isinstance(node, ast.AnnAssign):
        return node.value is not None
    if isinstance(node, ast.Expr):
        # `dropout (none)` is prose, `model.train()` is not.
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        return isinstance(call, ast.Call) and " (" not in ast.unparse(call.func) + _gap(call)
    return not isinstance(node, (ast.Global, ast.Nonlocal))


def _gap(call: ast.Call) -> str:
    """``" ("`` if a blank stands before the bracket of *call*, which starts the text."""
    written = call.func.end_col_offset or 0
    first = call.args[0].col_offset if call.args else written + 1
    return " (" if first - written > 1 else ""
