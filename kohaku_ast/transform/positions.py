"""The proof of a rewrite, by walking both trees; the new one takes the old positions.

A rewrite is right if, apart from the places that were edited on purpose, the new tree is
the old tree. Where it is not, nothing is run.
"""

from __future__ import annotations

import ast
from collections import Counter

from kohaku_ast.errors import TransformError
from kohaku_ast.transform.sites import Edit
from kohaku_ast.transform.source import Source

_PLACES = ("lineno", "col_offset", "end_lineno", "end_col_offset")


def check_and_place(source: Source, new: ast.Module, edits: list[Edit]) -> None:
    """Prove that *new* is the tree of *source* with *edits* made, and give every node of it
    the position of its original; raises TransformError if it is anything else.
    """
    _Proof(source, edits).nodes(source.tree, new)


class _Proof:
    """The two trees, node by node. Its own stack: a sum of 5,000 terms is 5,000 deep."""

    def __init__(self, source: Source, edits: list[Edit]) -> None:
        self.source = source
        self.replaced = {id(edit.node) for edit in edits if edit.change == "replace"}
        self.inserted = {
            change: Counter(id(edit.node) for edit in edits if edit.change == change)
            for change in ("after", "inside", "keyword", "annotated")
        }
        self.waiting: list[tuple[ast.AST, ast.AST]] = []

    def nodes(self, old: ast.AST, new: ast.AST) -> None:
        self.waiting.append((old, new))
        while self.waiting:
            self.node(*self.waiting.pop())

    def node(self, old: ast.AST, new: ast.AST) -> None:
        if id(old) in self.replaced:
            place_below(new, old)
            return
        if type(old) is not type(new):
            self.fail(old, f"{type(old).__name__} became {type(new).__name__}")
        for name in old._fields:
            self.field(old, name, getattr(old, name, None), getattr(new, name, None))
        if hasattr(old, "lineno"):
            _place(new, old)

    def field(self, owner: ast.AST, name: str, old: object, new: object) -> None:
        if isinstance(old, list) and isinstance(new, list):
            self.lists(owner, name, old, new)
        elif isinstance(old, ast.AST) and isinstance(new, ast.AST):
            self.waiting.append((old, new))
        elif old is None and isinstance(new, ast.AST) and self.inserted["annotated"][id(owner)]:
            place_below(new, owner)
        # The type is compared too: 1 == 1.0 == True; repr tells -0.0 from 0.0 and keeps nan.
        elif type(old) is not type(new) or (old != new and repr(old) != repr(new)):
            self.fail(owner, f"its {name} {old!r} became {new!r}")

    def lists(self, owner: ast.AST, name: str, old: list[ast.AST], new: list[ast.AST]) -> None:
        rest = iter(new)
        if name == "body":
            self.skip(owner, rest, self.inserted["inside"][id(owner)], owner)
        for item in old:
            match = next(rest, None)
            if isinstance(item, ast.AST) and isinstance(match, ast.AST):
                self.waiting.append((item, match))
            elif item != match:
                self.fail(owner, f"its {name} changed")
            self.skip(owner, rest, self.inserted["after"][id(item)], item)
        if name == "keywords":
            self.skip(owner, rest, self.inserted["keyword"][id(owner)], owner)
        if next(rest, None) is not None:
            self.fail(owner, f"its {name} grew")

    def skip(self, owner: ast.AST, rest: object, count: int, position: ast.AST) -> None:
        """Pass over *count* nodes that were inserted; they stand where *position* does."""
        for _ in range(count):
            inserted = next(rest, None)  # type: ignore[call-overload]
            if inserted is None:
                self.fail(owner, "an insertion is missing")
            place_below(inserted, position)

    def fail(self, node: ast.AST, what: str) -> None:
        line = getattr(node, "lineno", 1)
        raise TransformError(
            f"{self.source.filename}:{line}: the rewrite of this {type(node).__name__} cannot be "
            f"proved: {what}. Nothing was run; this is a bug of kohaku_ast, please report it."
        )


def place_below(new: ast.AST, old: ast.AST) -> None:
    """Give *new* and everything in it the position of *old*."""
    where = old.pattern if isinstance(old, ast.match_case) else old
    for node in ast.walk(new):
        if "lineno" in node._attributes:
            _place(node, where)


def _place(new: ast.AST, old: ast.AST) -> None:
    for name in _PLACES:
        setattr(new, name, getattr(old, name, None))
