"""``apply_edits``: edits in, text out. What is not edited stays as it was, to the byte.

A unit is the innermost statement that an edit touches, without the blocks in it: of a class of
1,500 lines its header, with a name in the place of its body. So an edit costs as much as the lines
that it changes, and a statement that libcst cannot read hinders no other one. Simple statements
that share a line are one unit, and so are a header and a block on its line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from kohaku_ast.errors import BrokenInstallation, SourceError, TransformError
from kohaku_ast.transform.find.assignments import MARKER, Edit
from kohaku_ast.transform.find.source import Source

Splice = tuple[int, int, str]
"""Start and end offset of a part of the text, and the text that replaces it."""


@dataclass(frozen=True)
class Rewritten:
    """The text of a script with the edits made."""

    text: str
    #: The guards that were taken out, each a text of its own, in the order of the file.
    extracted: tuple[str, ...] = ()


@dataclass(frozen=True)
class _EditedUnit:
    """A unit with its edits made."""

    unit: Unit
    splices: list[Splice]
    #: For a unit that is taken out: the text that stays in the module; else None.
    rest: str | None = None


def apply_edits(source: Source, edits: Sequence[Edit]) -> Rewritten:
    """The text of *source* with *edits* made; edits at one place keep their order.

    Raises SourceError for a script that uses our own marker, TransformError for an edit that cannot
    be made, and BrokenInstallation if libcst is missing.
    """
    if edits and MARKER in source.text:
        raise SourceError(f"{source.filename}: cannot rewrite a script that uses the name {MARKER}")
    units = _by_unit(source, edits)
    edited = [_edit_unit(source, unit, own) for unit, own in units]
    splices = [splice for one in edited for splice in one.splices]
    taken = [one for one in edited if one.rest is not None]
    extracted = [_spliced(source, one.unit.start, one.unit.end, splices) for one in taken]
    for one in taken:
        unit = one.unit
        splices = [splice for splice in splices if not unit.start <= splice[0] <= unit.end]
        splices.append((unit.start, unit.end, one.rest or ""))
    return Rewritten(_spliced(source, 0, len(source.text), splices), tuple(extracted))


def _by_unit(source: Source, edits: Sequence[Edit]) -> list[tuple[Unit, list[Edit]]]:
    """The edits of each unit, outer units before those in their blocks."""
    lines: dict[int, tuple[Line, list[Edit]]] = {}
    for edit in edits:
        line = find_line(source, edit.node)
        lines.setdefault(id(line.statements[0]), (line, []))[1].append(edit)
    units = [
        (make_unit(source, line, any(edit.change == "extract" for edit in own)), own)
        for line, own in lines.values()
    ]
    return sorted(units, key=lambda one: one[0].start)


def _spliced(source: Source, start: int, end: int, splices: list[Splice]) -> str:
    """The text from *start* to *end* with *splices*."""
    # Those of inner units first: a class may end with its last method.
    own = [splice for splice in splices[::-1] if start <= splice[0] <= end]
    pieces = []
    for first, last, text in sorted(own, key=lambda splice: splice[:2]):
        pieces += [source.text[start:first], text]
        start = last
    return "".join([*pieces, source.text[start:end]])


def _edit_unit(source: Source, unit: Unit, edits: list[Edit]) -> _EditedUnit:
    """*unit* with *edits*, made by the libcst pass or, if libcst cannot read it, without."""
    try:
        # Here: a cold run without an edit needs none, and this import takes longer than all the
        # rest.
        from kohaku_ast.transform.edit.libcst_pass import NotReadError, edit_statement
    except ImportError as error:
        why = str(error).partition("\n")[0]
        raise BrokenInstallation(
            f"rewriting a script needs libcst: pip install libcst ({why})"
        ) from error
    try:
        made = edit_statement(unit.text, [_placed(unit, edit) for edit in edits])
    except NotReadError as error:
        return _without_libcst(source, unit, edits, str(error))
    if made.unapplied:
        lost = made.unapplied[0]
        raise TransformError(
            f"{source.filename}:{lost.line}: libcst has no node where the value of "
            f"{lost.target!r} goes. Nothing was run; this is a bug of kohaku_ast, please report it."
        )
    if not made.extracted:
        return _EditedUnit(unit, _splices(unit, made.text))
    return _EditedUnit(unit, _splices(unit, made.extracted), "".join(unit.split(made.text)))


def _placed(unit: Unit, edit: Edit) -> tuple[Edit, int, int]:
    """*edit* with the start and the end of its node, in bytes of the unit's text."""
    start, end = unit.source.span(edit.node)
    if edit.change not in ("replace", "keyword", "argument", "wrap"):
        end = start  # the end of a statement may be in a block
    elif isinstance(edit.node, ast.GeneratorExp):
        start = end - 1  # its brackets may be those of a call: its place is the last one
    return edit, unit.byte(start), unit.byte(end)


def _splices(unit: Unit, printed: str) -> list[Splice]:
    return [(*piece, text) for piece, text in zip(unit.pieces, unit.split(printed))]


def _without_libcst(source: Source, unit: Unit, edits: list[Edit], why: str) -> _EditedUnit:
    """*unit*, which libcst cannot read, with *edits*. Only those that need no layout are
    possible: an expression in the place of another, a value after an annotation, and all lines
    of a guard.
    """
    splices: list[Splice] = []
    for edit in edits:
        start, end = source.span(edit.node)
        if edit.change == "replace":
            # Brackets of a generator may be those of the call it is the argument of.
            in_brackets = isinstance(edit.node, ast.GeneratorExp)
            splices.append((start, end, f"({edit.text})" if in_brackets else edit.text))
        elif edit.change == "wrap":
            before, after = _HOLE.split(edit.text)
            splices += [(start, start, before), (end, end, after)]
        elif edit.change == "annotated":
            splices.append((end, end, f" = {edit.text}"))
        elif edit.change != "extract":
            raise TransformError(
                f"{source.place(edit.line)}: cannot override "
                f"{edit.target!r}: libcst, which makes the edit, cannot read this statement "
                f"({why}). Write the statement in another way, or override something in it."
            )
    is_taken = any(edit.change == "extract" for edit in edits)
    return _EditedUnit(unit, splices, "" if is_taken else None)


_HOLE = re.compile(rf"{MARKER}(?!\[)")
"""The name that stands for the expression which a ``wrap`` is around."""

_BLANKS = " \t\f"
_BETWEEN = re.compile(r"[ \t\f]*;(?:[ \t\f]|\\(?:\r\n|\r|\n))*")
"""The text between two statements of one line; a backslash may break the line."""


@dataclass(frozen=True)
class _Block:
    """A block in a unit: whole lines, without the last line's end."""

    start: int
    end: int
    indent: str


@dataclass(frozen=True)
class Unit:
    """Some lines of a script, without the blocks in them."""

    source: Source
    #: Offsets in the script's text.
    start: int
    end: int
    blocks: tuple[_Block, ...]

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Start and end offset of the text before, between and after the blocks."""
        starts = [self.start, *(block.end for block in self.blocks)]
        ends = [*(block.start for block in self.blocks), self.end]
        return list(zip(starts, ends))

    @cached_property
    def text(self) -> str:
        """The text for libcst: a whole module, in which a name stands for each block."""
        whole = self._head
        for (start, end), name in zip(self.pieces, [*self._names, self._line_end]):
            whole += self.source.text[start:end] + name
        return whole

    def byte(self, offset: int) -> int:
        """The byte in ``text`` at *offset* in the script's text, which lies in one of the
        pieces.
        """
        before = len(self._head)
        for (start, end), name in zip(self.pieces, [*self._names, ""]):
            if offset <= end:
                return len(self.text[: before + offset - start].encode("utf-8"))
            before += end - start + len(name)
        raise ValueError(f"{offset} is in no piece")  # never: such a node has a unit of its own

    def split(self, printed: str) -> list[str]:
        """The pieces of *printed*, the ``text`` after the edits."""
        rest = printed.removeprefix(self._head).removesuffix(self._line_end)
        pieces = []
        for name in self._names:
            piece, _, rest = rest.partition(name)
            pieces.append(piece)
        return [*pieces, rest]

    @property
    def _head(self) -> str:
        """The line above an indented statement, else empty."""
        return f"if 1:{self._line_end}" if self.source.text[self.start] in _BLANKS else ""

    @cached_property
    def _line_end(self) -> str:
        text = self.source.text
        found = "\r\n" if text.startswith("\r\n", self.end) else text[self.end : self.end + 1]
        return found or self.source.newline

    @cached_property
    def _names(self) -> list[str]:
        """The line that stands for each block. No script has MARKER: ``apply_edits`` refuses it."""
        return [f"{block.indent}{MARKER}{number}_" for number, block in enumerate(self.blocks)]


@dataclass(frozen=True)
class Line:
    """The statements of one line, most often one."""

    statements: tuple[ast.stmt, ...]
    #: The number of the line that the statement before them ends on, 0 if there is none.
    above: int


def find_line(source: Source, node: ast.AST) -> Line:
    """The innermost statement around *node*, with those that share its line."""
    body = source.tree.body
    place = (node.lineno, node.col_offset)  # type: ignore[attr-defined]
    while True:
        index = next(index for index, one in enumerate(body) if place < _end(one))
        statement = body[index]
        inner = [
            block
            for block in _blocks(source, statement)
            if _start(block[0]) <= place < _end(block[-1]) and _is_below_header(source, block)
        ]
        if statement is node or not inner:
            return _around(source, body, index)
        body = inner[0]


def make_unit(source: Source, line: Line, with_comments: bool) -> Unit:
    """The Unit of *line*, if asked for *with_comments* right above it."""
    number = _first_line(source, line.statements[0])
    while with_comments and number - 1 > line.above and _is_comment(source, number - 1):
        number -= 1
    blocks = tuple(
        _block(source, block)
        for statement in line.statements
        for block in _blocks(source, statement)
        if _is_below_header(source, block)
    )
    start, end = _start_of_line(source, number), _end_of_line(source, line.statements[-1])
    return Unit(source, start, end, blocks)


def _is_comment(source: Source, line: int) -> bool:
    return source.lines[line - 1].lstrip(_BLANKS).startswith("#")


def _around(source: Source, body: list[ast.stmt], index: int) -> Line:
    """The statements of *body* on the line of statement *index*."""
    first, last = index, index
    while first > 0 and _share(source, body[first - 1], body[first]):
        first -= 1
    while last + 1 < len(body) and _share(source, body[last], body[last + 1]):
        last += 1
    above = body[first - 1].end_lineno or 0 if first else 0
    return Line(tuple(body[first : last + 1]), above)


def _share(source: Source, one: ast.stmt, other: ast.stmt) -> bool:
    between = source.text[source.span(one)[1] : source.span(other)[0]]
    return _BETWEEN.fullmatch(between) is not None


def _blocks(source: Source, statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of *statement*, in the order of the text; those of an ``elif`` belong to it."""
    parts = [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
    yield from filter(None, [getattr(statement, "body", None), *(part.body for part in parts)])
    rest = getattr(statement, "orelse", None)
    if rest and source.text.startswith("elif", source.span(rest[0])[0]):
        yield from _blocks(source, rest[0])
    elif rest:
        yield rest
    if getattr(statement, "finalbody", None):
        yield statement.finalbody  # type: ignore[attr-defined]


def _block(source: Source, statements: list[ast.stmt]) -> _Block:
    line = _first_line(source, statements[0])
    text = source.lines[line - 1]
    indent = text[: len(text) - len(text.lstrip(_BLANKS))].rpartition("\f")[2]
    return _Block(source.line_starts[line - 1], _end_of_line(source, statements[-1]), indent)


def _is_below_header(source: Source, block: list[ast.stmt]) -> bool:
    """Whether *block* has lines of its own; a line broken by a backslash counts as one line."""
    line = _first_line(source, block[0])
    start = source.line_starts[line - 1]
    if line == block[0].lineno and source.text[start : source.span(block[0])[0]].strip(_BLANKS):
        return False
    # A comment may end in a backslash too: then the block stays in the unit, which is harmless.
    return not source.lines[line - 2].endswith("\\")


def _first_line(source: Source, statement: ast.stmt) -> int:
    """The first line of *statement*: that of the first ``@``, which may be above the decorator's
    name.
    """
    decorators = getattr(statement, "decorator_list", ())
    if not decorators:
        return statement.lineno
    line: int = decorators[0].lineno
    while not source.lines[line - 1].lstrip(_BLANKS).startswith("@"):
        line -= 1
    return line


def _start_of_line(source: Source, line: int) -> int:
    """The offset of *line* after its form feeds: libcst drops one at the start, and Python
    counts the columns from there.
    """
    text = source.lines[line - 1]
    blanks = len(text) - len(text.lstrip(_BLANKS))
    return source.line_starts[line - 1] + text.rfind("\f", 0, blanks) + 1


def _end_of_line(source: Source, statement: ast.stmt) -> int:
    """The end of the line that *statement* ends on, with its semicolon and comment."""
    end, line = source.span(statement)[1], statement.end_lineno or 0
    while True:
        stop = source.line_starts[line - 1] + len(source.lines[line - 1])
        if source.text[end:stop].strip(_BLANKS + ";") != "\\":
            return stop
        end, line = source.line_starts[line], line + 1


def _start(statement: ast.stmt) -> tuple[int, int]:
    decorators = getattr(statement, "decorator_list", ())
    return (decorators[0].lineno, 0) if decorators else (statement.lineno, statement.col_offset)


def _end(statement: ast.stmt) -> tuple[int, int]:
    return statement.end_lineno or 0, statement.end_col_offset or 0
