"""The libcst codemods that rewrite a KohakuEngine config; layout and comments stay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from kohaku_ast.migrate.kohakuengine_names import (
    SAME_NAMES,
    KohakuNames,
    TopStatements,
    dotted,
    imported_module,
    is_kohakuengine,
    root,
)
from kohaku_ast.transform.edit.value_text import in_brackets

# isort: split
# After kohakuengine_names, whose error says how to install libcst.
import libcst as cst
from libcst.metadata import MetadataWrapper, Scope, ScopeProvider

_LINE_END = re.compile(r"\r\n|\r|\n")
_Row = cst.BaseStatement | cst.EmptyLine
"""A part of a body: a statement, or a line that is empty or holds a comment."""


def migrated_module(names: KohakuNames, top: TopStatements) -> cst.Module:
    """The module of *names* with all edits."""
    edited = names.module.visit(_UseCodemod(names, top))
    # On the edited tree: only there it is known which imports are still read.
    wrapper = MetadataWrapper(edited)
    return wrapper.module.visit(_ImportCodemod(wrapper))


class _StatementCodemod(cst.CSTTransformer):
    """Removes statements from bodies; comments above them stay, above the next statement."""

    def keeps(self, small: cst.BaseSmallStatement) -> bool:
        """Whether the statement *small* stays."""
        raise NotImplementedError

    def rows(self, original: cst.BaseStatement, updated: cst.BaseStatement) -> Iterable[_Row]:
        """The rows in place of *original*; *updated* is the same statement with edited parts."""
        if isinstance(original, cst.SimpleStatementLine):
            assert isinstance(updated, cst.SimpleStatementLine)
            return self.line_rows(original, updated)
        return [updated]

    def line_rows(
        self, original: cst.SimpleStatementLine, updated: cst.SimpleStatementLine
    ) -> Iterable[_Row]:
        """The line without the removed statements, below the comments in their place."""
        kept = self.kept(original, updated)
        if len(kept) == len(original.body):
            return [updated]
        instead = self.instead(original, updated)
        if kept:
            lines = [*updated.leading_lines, *instead]
            return [updated.with_changes(body=kept, leading_lines=lines)]
        return [*updated.leading_lines, *instead] if instead else _comments_above(updated)

    def kept(
        self,
        original: cst.SimpleStatementLine | cst.SimpleStatementSuite,
        updated: cst.SimpleStatementLine | cst.SimpleStatementSuite,
    ) -> list[cst.BaseSmallStatement]:
        """The statements that stay; the last one without a ``;`` that separated it."""
        kept = [new for old, new in zip(original.body, updated.body) if self.keeps(old)]
        if kept:
            kept[-1] = kept[-1].with_changes(semicolon=updated.body[-1].semicolon)
        return kept

    def instead(
        self, original: cst.SimpleStatementLine, updated: cst.SimpleStatementLine
    ) -> list[cst.EmptyLine]:
        """The comments in place of the removed statements of a line."""
        return []

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:  # noqa: N802
        body, rest = self._body(original_node.body, updated_node.body)
        return updated_node.with_changes(body=body, footer=[*rest, *updated_node.footer])

    def leave_IndentedBlock(  # noqa: N802
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        body, rest = self._body(original_node.body, updated_node.body)
        return updated_node.with_changes(body=body, footer=[*rest, *updated_node.footer])

    def _body(
        self, original: Sequence[cst.CSTNode], updated: Sequence[cst.CSTNode]
    ) -> tuple[list[cst.BaseStatement], list[cst.EmptyLine]]:
        """The statements, and the lines below the last one."""
        body: list[cst.BaseStatement] = []
        above: list[cst.EmptyLine] = []
        for old, new in zip(original, updated):
            assert isinstance(old, cst.BaseStatement)
            assert isinstance(new, cst.BaseStatement)
            for row in self.rows(old, new):
                if isinstance(row, cst.EmptyLine):
                    above.append(row)
                else:
                    body.append(_with_lines_above(row, above))
                    above = []
        return body, above


def _with_lines_above(
    statement: cst.BaseStatement, lines: Sequence[cst.EmptyLine]
) -> cst.BaseStatement:
    if not lines:
        return statement
    assert isinstance(statement, (cst.SimpleStatementLine, cst.BaseCompoundStatement))
    return statement.with_changes(leading_lines=[*lines, *statement.leading_lines])


def _comments_above(
    statement: cst.SimpleStatementLine | cst.FunctionDef,
) -> Sequence[cst.EmptyLine]:
    """The comments above a removed statement, without the blank lines below them."""
    lines = statement.leading_lines
    return lines[: max((n for n, one in enumerate(lines, 1) if one.comment), default=0)]


class _UseCodemod(_StatementCodemod):
    """Rewrites the uses of KohakuEngine; the imports stay as they are."""

    def __init__(self, names: KohakuNames, top: TopStatements) -> None:
        super().__init__()
        self.names = names
        self.top = top

    def keeps(self, small: cst.BaseSmallStatement) -> bool:
        """Whether *small* neither only collects names nor assigns a swept name."""
        return small not in self.top.collectors and small not in self.top.swept

    def rows(self, original: cst.BaseStatement, updated: cst.BaseStatement) -> Iterable[_Row]:
        """The statements of a capture_globals() block in its place; no collecting function."""
        if isinstance(updated, cst.FunctionDef) and original in self.top.collectors:
            return _comments_above(updated)
        if isinstance(original, cst.With) and original in self.top.captures:
            assert isinstance(updated, cst.With)
            return self._block_rows(original, updated)
        return super().rows(original, updated)

    def _block_rows(self, original: cst.With, updated: cst.With) -> Iterable[_Row]:
        noted = _Comments()
        for part in (*updated.items, updated.lpar, updated.rpar, updated.body):
            if isinstance(part, cst.IndentedBlock):
                part.header.visit(noted)
            elif isinstance(part, cst.CSTNode) and part is not updated.body:
                part.visit(noted)
        lines = [*updated.leading_lines, *(cst.EmptyLine(comment=one) for one in noted.found)]
        body = updated.body
        if isinstance(body, cst.IndentedBlock):
            return [*lines, *body.body, *body.footer]
        assert isinstance(original.body, cst.SimpleStatementSuite)
        assert isinstance(body, cst.SimpleStatementSuite)
        made = cst.SimpleStatementLine(body.body, lines, body.trailing_whitespace)
        return self.line_rows(cst.SimpleStatementLine(original.body.body), made)

    def instead(
        self, original: cst.SimpleStatementLine, updated: cst.SimpleStatementLine
    ) -> list[cst.EmptyLine]:
        """Assignments of swept names as comments."""
        if len(original.body) == 1 and original.body[0] in self.top.swept:
            return _as_comments(updated.with_changes(leading_lines=[]))
        pairs = zip(original.body, updated.body)
        swept = [new for old, new in pairs if old in self.top.swept]
        bare = [one.with_changes(semicolon=cst.MaybeSentinel.DEFAULT) for one in swept]
        return [line for one in bare for line in _as_comments(one)]

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:  # noqa: N802
        """``kohakuengine`` as ``kohaku_ast``."""
        is_package = self.names.is_package(original_node)
        return updated_node.with_changes(value="kohaku_ast") if is_package else updated_node

    def leave_Attribute(  # noqa: N802
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.Attribute:
        """``kohakuengine.config.Config`` as ``kohaku_ast.Config``."""
        if self.names.of(original_node) not in SAME_NAMES:
            return updated_node
        return updated_node.with_changes(value=root(updated_node.value))

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:  # noqa: N802
        """``use(x)`` as ``x``; a Config's fourth field by name, since it has another place here."""
        name = self.names.of(original_node.func)
        args = updated_node.args
        if any(one.star for one in args):
            return updated_node
        if name == "use" and len(args) == 1 and args[0].keyword is None:
            return _unwrapped(updated_node, self.names.parent(original_node))
        if name == "Config" and len(args) >= 4 and args[3].keyword is None:
            named = cst.parse_expression("Config(metadata=0)")
            assert isinstance(named, cst.Call)
            fourth = named.args[0].with_changes(value=args[3].value, comma=args[3].comma)
            return updated_node.with_changes(args=[*args[:3], fourth, *args[4:]])
        return updated_node


class _Comments(cst.CSTVisitor):
    """Collects the comments in a node."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[cst.Comment] = []

    def visit_Comment(self, node: cst.Comment) -> None:  # noqa: N802
        self.found.append(node)


def _as_comments(node: cst.CSTNode) -> list[cst.EmptyLine]:
    """The lines of *node*, each as a comment."""
    lines = _LINE_END.split(cst.Module([]).code_for_node(node).rstrip("\r\n"))
    return [cst.EmptyLine(comment=cst.Comment(f"# {line}".rstrip())) for line in lines]


_ATOMS = (
    cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.List, cst.Dict, cst.Set, cst.ListComp,
    cst.DictComp, cst.SetComp, cst.SimpleString, cst.ConcatenatedString, cst.FormattedString,
    cst.Ellipsis,
)  # fmt: skip
"""Expressions that need no brackets beside any operator."""
_ROOMY = (
    cst.Assign, cst.AnnAssign, cst.AugAssign, cst.Return, cst.Expr, cst.Arg, cst.Element,
    cst.DictElement, cst.Param,
)  # fmt: skip
"""Nodes that hold any expression without brackets."""


def _unwrapped(call: cst.Call, parent: cst.CSTNode | None) -> cst.BaseExpression:
    """The one argument of *call*, in brackets where *parent* or a comment needs them."""
    arg = call.args[0]
    value = arg.value
    before, after = call.whitespace_before_args, arg.whitespace_after_arg
    if isinstance(arg.comma, cst.Comma):
        after = arg.comma.whitespace_after
    if _has_comment(before) or _has_comment(after):
        opening, closing = cst.LeftParen(before), cst.RightParen(after)
    elif call.lpar or not _needs_brackets(value, parent):
        return value.with_changes(lpar=[*call.lpar, *value.lpar], rpar=[*value.rpar, *call.rpar])
    else:
        opening, closing = cst.LeftParen(), cst.RightParen()
    return value.with_changes(
        lpar=[*call.lpar, opening, *value.lpar], rpar=[*value.rpar, closing, *call.rpar]
    )


def _needs_brackets(value: cst.BaseExpression, parent: cst.CSTNode | None) -> bool:
    text = cst.Module([]).code_for_node(value)
    if in_brackets(text) != text:
        return True
    return not (value.lpar or isinstance(value, _ATOMS) or isinstance(parent, _ROOMY))


def _has_comment(blanks: cst.BaseParenthesizableWhitespace) -> bool:
    noted = _Comments()
    blanks.visit(noted)
    return bool(noted.found)


# --- imports -------------------------------------------------------------------------------------


class _ImportCodemod(_StatementCodemod):
    """Rewrites the imports of KohakuEngine, without the names that nothing reads."""

    def __init__(self, wrapper: MetadataWrapper) -> None:
        super().__init__()
        self.scopes: Mapping[cst.CSTNode, Scope | None] = wrapper.resolve(ScopeProvider)
        names = KohakuNames(wrapper)
        #: The names of a star import that are read, and that kohaku_ast has too.
        self.read = {names.of(node) for node in self.scopes if isinstance(node, cst.Name)}
        self.read &= SAME_NAMES

    def keeps(self, small: cst.BaseSmallStatement) -> bool:
        """Whether *small* is no import, or imports a name that stays."""
        if not isinstance(small, cst.ImportFrom) or not is_kohakuengine(imported_module(small)):
            return True
        return bool(self._kept_names(small))

    def _kept_names(self, node: cst.ImportFrom) -> list[cst.ImportAlias]:
        if isinstance(node.names, cst.ImportStar):
            return [cst.ImportAlias(cst.Name(name)) for name in sorted(self.read)]
        return [one for one in node.names if self._is_kept(one, node)]

    def _is_kept(self, alias: cst.ImportAlias, node: cst.ImportFrom) -> bool:
        scope = self.scopes.get(node)
        found = scope[alias.evaluated_alias or alias.evaluated_name] if scope else set()
        is_read = any(one.references for one in found if getattr(one, "node", None) is node)
        return alias.evaluated_name in SAME_NAMES and is_read

    def leave_SimpleStatementSuite(  # noqa: N802
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.SimpleStatementSuite:
        """``if x: from kohakuengine import use`` as ``if x: pass``, if nothing reads it."""
        return updated_node.with_changes(body=self.kept(original_node, updated_node))

    def leave_ImportFrom(  # noqa: N802
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom:
        """``from kohakuengine.config import Config, use`` as ``from kohaku_ast import Config``."""
        is_theirs = is_kohakuengine(imported_module(original_node))
        kept = self._kept_names(original_node) if is_theirs else []
        if not kept:
            return updated_node
        made = updated_node.with_changes(module=cst.Name("kohaku_ast"))
        if isinstance(original_node.names, cst.ImportStar):
            return made.with_changes(names=kept)
        return _with_names(made, list(original_node.names), kept)

    def leave_Import(  # noqa: N802
        self, original_node: cst.Import, updated_node: cst.Import
    ) -> cst.Import:
        """``import kohakuengine.config as ke`` as ``import kohaku_ast as ke``."""
        renamed = [
            one.with_changes(name=cst.Name("kohaku_ast"))
            if is_kohakuengine(dotted(one.name))
            else one
            for one in updated_node.names
        ]
        return updated_node.with_changes(names=renamed)


def _with_names(
    made: cst.ImportFrom, names: Sequence[cst.ImportAlias], kept: Sequence[cst.ImportAlias]
) -> cst.ImportFrom:
    """*made* with the names in *kept* out of *names*, and the comments above and after each."""
    commas = [one.comma for one in names]
    ends = [one.whitespace_after for one in commas if isinstance(one, cst.Comma)]
    before = [made.lpar.whitespace_after] if made.lpar else [made.whitespace_after_import]
    after = [made.rpar.whitespace_before] if made.rpar else [cst.SimpleWhitespace("")]
    gaps = [*before, *ends, *after][: len(names) + 1]
    places = [names.index(one) for one in kept]
    heads, tails = [0, *(place + 1 for place in places)], [*places, len(names)]
    first, *others = [_joined(gaps[head], gaps[tail]) for head, tail in zip(heads, tails)]
    aliases = [
        one.with_changes(comma=cst.Comma(whitespace_after=gap)) for one, gap in zip(kept, others)
    ]
    lpar, rpar = made.lpar, made.rpar
    if len(ends) < len(names):  # no comma after the last one
        aliases[-1] = aliases[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        rpar = rpar.with_changes(whitespace_before=others[-1]) if rpar else None
    if lpar and isinstance(first, cst.ParenthesizedWhitespace):
        lpar = lpar.with_changes(whitespace_after=first)
    return made.with_changes(names=aliases, lpar=lpar, rpar=rpar)


def _joined(
    head: cst.BaseParenthesizableWhitespace, tail: cst.BaseParenthesizableWhitespace
) -> cst.BaseParenthesizableWhitespace:
    """The end of the line that *head* starts with, then the lines of *tail*."""
    if not isinstance(head, cst.ParenthesizedWhitespace):
        return tail
    if not isinstance(tail, cst.ParenthesizedWhitespace):
        return head if head.first_line.comment else tail
    return tail.with_changes(first_line=head.first_line)
