"""The libcst pass makes the edits of one statement. No other file of the transform imports
libcst.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper

from kohaku_ast.transform.find.assignments import MARKER, Edit

PlacedEdit = tuple[Edit, int, int]
"""An Edit, and the start and the end of its node in UTF-8 bytes of the text. A statement has its
start twice; a generator has its closing bracket.
"""


class NotReadError(Exception):
    """libcst refuses a statement, or prints it in another way than it is written."""


@dataclass(frozen=True)
class EditedStatement:
    """The text of a statement with its edits made."""

    #: The text with the edits made, without the guard that was taken out.
    text: str
    #: The guard that was taken out, as a text of its own, with its comments; else empty.
    extracted: str
    #: The edits that found no node.
    unapplied: tuple[Edit, ...]


def edit_statement(text: str, edits: Sequence[PlacedEdit]) -> EditedStatement:
    """*text*, the whole lines of a statement or of several on one line, with *edits* made.

    Raises NotReadError.
    """
    module = _parsed(text)
    made = _Pass(edits)
    try:
        # The copy that libcst makes for safety takes longer than the pass.
        new = MetadataWrapper(module, unsafe_skip_copy=True).visit(made)
    except (cst.CSTValidationError, cst.ParserSyntaxError) as error:
        raise NotReadError(_first_line(error)) from None
    if not made.extracted:
        return EditedStatement(new.code, "", made.unapplied())
    # The comments above the first statement are the header of the module.
    extracted = new.with_changes(body=made.extracted).code
    return EditedStatement(new.with_changes(header=[]).code, extracted, made.unapplied())


def _parsed(text: str) -> cst.Module:
    try:
        module = cst.parse_module(text)
    except (RecursionError, MemoryError):
        raise  # with_room() calls again with a deep stack
    except Exception as error:  # syntax that libcst does not know
        raise NotReadError(_first_line(error)) from None
    # libcst sees no line end in a lone CR, nor after a comment that ends in a backslash.
    module = module.with_changes(has_trailing_newline=True)
    # `except X :` loses its blank, and every position below would be wrong.
    if module.code != text:
        raise NotReadError("it prints other blanks than are written")
    return module


def _first_line(error: Exception) -> str:
    return getattr(error, "message", str(error)).partition("\n")[0]


_Node = TypeVar("_Node", bound=cst.CSTNode)


class _Pass(cst.CSTTransformer):
    """Makes each edit at the node that has its place, and removes it from the list."""

    METADATA_DEPENDENCIES = (ByteSpanPositionProvider,)

    def __init__(self, edits: Sequence[PlacedEdit]) -> None:
        super().__init__()
        self.extracted: list[cst.BaseStatement] = []
        #: Where the statements begin that stand behind another one on their line.
        self.behind: set[int] = set()
        self.edits: dict[tuple[str, int, int], list[Edit]] = defaultdict(list)
        for edit, start, end in edits:
            self.edits[edit.change, start, end].append(edit)

    def unapplied(self) -> tuple[Edit, ...]:
        return tuple(edit for edits in self.edits.values() for edit in edits)

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
            self.behind.update(self.span(one)[0] for one in node.body[1:])
        return True

    def on_leave(self, original: cst.CSTNode, updated: cst.CSTNode) -> object:  # type: ignore[override]
        if isinstance(updated, cst.Call):
            updated = self.call(original, updated)
        if isinstance(updated, cst.BaseExpression):
            return self.expression(original, updated)
        if isinstance(updated, cst.BaseSmallStatement):
            return self.small_statement(original, updated)
        if isinstance(updated, cst.SimpleStatementSuite):
            return self.suite(original, updated)
        if isinstance(updated, cst.BaseStatement):
            return self.statement(original, updated)
        return updated

    def call(self, original: cst.CSTNode, updated: cst.Call) -> cst.Call:
        """Add arguments; and replace the generator of ``main(i for i in y)``, to which Python
        counts the brackets of the call.
        """
        start, end = self.span(original)
        args = list(updated.args)
        keywords = [_keyword(edit) for edit in self.take("keyword", start, end)]
        more = [
            cst.Arg(cst.parse_expression(one.text)) for one in self.take("argument", start, end)
        ]
        if _is_bare_generator(args):
            value = self.replaced(end - 1, end)
            if value is None and (keywords or more):
                brackets = {"lpar": [cst.LeftParen()], "rpar": [cst.RightParen()]}
                value = args[0].value.with_changes(**brackets)
            args = [args[0].with_changes(value=value or args[0].value)]
        # By position before the first keyword.
        place = next((at for at, one in enumerate(args) if one.keyword), len(args))
        return updated.with_changes(args=[*args[:place], *more, *args[place:], *keywords])

    def expression(self, original: cst.CSTNode, updated: cst.BaseExpression) -> cst.BaseExpression:
        return self.wrapped(original, self.changed(original, updated))

    def changed(self, original: cst.CSTNode, updated: cst.BaseExpression) -> cst.BaseExpression:
        start, end, lpar, rpar = self.place(original)
        new = self.replaced(start, end)
        if new is None:
            return updated
        return new.with_changes(lpar=[*lpar, *new.lpar], rpar=[*new.rpar, *rpar])

    def wrapped(self, original: cst.CSTNode, updated: cst.BaseExpression) -> cst.BaseExpression:
        """*updated* in the expressions that stand around it, the first one innermost."""
        start, end, *_ = self.place(original)
        for edit in self.take("wrap", start, end):
            updated = _around(updated, cst.parse_expression(edit.text))
        return updated

    def place(
        self, original: cst.CSTNode
    ) -> tuple[int, int, list[cst.LeftParen], list[cst.RightParen]]:
        """Start and end of an expression as Python counts them, and the brackets around it."""
        assert isinstance(original, cst.BaseExpression)
        start, end = self.span(original)
        lpar, rpar = list(original.lpar), list(original.rpar)
        if lpar and isinstance(original, (cst.Tuple, cst.GeneratorExp)):
            # Python counts the innermost brackets of these to the expression.
            start, end = self.span(original.lpar[-1])[0], self.span(original.rpar[0])[1]
            del lpar[-1], rpar[0]
        if isinstance(original, cst.GeneratorExp):
            start = end - 1
        return start, end, lpar, rpar

    def replaced(self, start: int, end: int) -> cst.BaseExpression | None:
        """The expression that replaces the one at this place, or None. If there are two, the
        proof refuses one.
        """
        new = [cst.parse_expression(edit.text) for edit in self.take("replace", start, end)]
        return new[0] if new else None

    def small_statement(self, original: cst.CSTNode, updated: cst.BaseSmallStatement) -> object:
        start, _ = self.span(original)
        for edit in self.take("annotated", start):
            updated = updated.with_changes(value=cst.parse_expression(edit.text))
        above = self.statements("before", start, _small) if start in self.behind else []
        below = self.statements("after", start, _small)
        if not below:
            return cst.FlattenSentinel([*above, updated]) if above else updated
        # A semicolon at the end of the line, or a line break after it, stays at the end.
        last = below[-1].with_changes(semicolon=updated.semicolon)
        updated = updated.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
        return cst.FlattenSentinel([*above, updated, *below[:-1], last])

    def suite(self, original: cst.CSTNode, updated: cst.SimpleStatementSuite) -> cst.CSTNode:
        """``with open(p) as f: f = new; pass``: the block is on the line of its header."""
        assert isinstance(original, cst.SimpleStatementSuite)
        start, _ = self.span(original.body[0])
        above = self.statements("before", start, _small)
        return updated.with_changes(body=[*above, *updated.body])

    def statement(self, original: cst.CSTNode, updated: cst.BaseStatement) -> object:
        start, _ = self.span(original)
        if self.take("extract", start):
            self.extracted.append(updated)
            return cst.RemovalSentinel.REMOVE
        above = self.statements("before", start, cst.parse_statement)
        below = self.statements("after", start, cst.parse_statement)
        return cst.FlattenSentinel([*above, updated, *below]) if above or below else updated

    def statements(self, change: str, start: int, parse: Callable[[str], _Node]) -> list[_Node]:
        return [parse(edit.text) for edit in self.take(change, start)]

    def take(self, change: str, start: int, end: int | None = None) -> list[Edit]:
        """The edits of that place, which are removed from the list."""
        return self.edits.pop((change, start, start if end is None else end), [])

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        found = self.get_metadata(ByteSpanPositionProvider, node)
        return found.start, found.start + found.length


class _Markers(cst.CSTVisitor):
    """The names MARKER of an expression; libcst.matchers would double the time of the import."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[cst.Name] = []
        #: The ids of those that stand for a value, by a subscript.
        self.of_values: set[int] = set()

    def visit_Subscript(self, node: cst.Subscript) -> None:  # noqa: N802
        self.of_values.add(id(node.value))

    def visit_Name(self, node: cst.Name) -> None:  # noqa: N802
        if node.value == MARKER:
            self.names.append(node)


def _around(inner: cst.BaseExpression, outer: cst.BaseExpression) -> cst.BaseExpression:
    """*outer* with *inner* in the place of the name MARKER that stands alone, not for a value."""
    markers = _Markers()
    outer.visit(markers)
    hole = next(one for one in markers.names if id(one) not in markers.of_values)
    return cst.ensure_type(outer.deep_replace(hole, inner), type(outer))


def _is_bare_generator(args: Sequence[cst.Arg]) -> bool:
    return len(args) == 1 and isinstance(args[0].value, cst.GeneratorExp) and not args[0].value.lpar


def _keyword(edit: Edit) -> cst.Arg:
    tight = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return cst.Arg(cst.parse_expression(edit.text), keyword=cst.Name(edit.name), equal=tight)


def _small(text: str) -> cst.BaseSmallStatement:
    line = cst.parse_statement(text)
    assert isinstance(line, cst.SimpleStatementLine)
    return line.body[0]
