"""``prove``: a rewrite is proved by walking both trees, and the new one takes the old positions.

A rewrite is right if, apart from the places that were edited on purpose, the new tree is the old
tree. If it is not, nothing is run.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NoReturn

from kohaku_ast.errors import TransformError
from kohaku_ast.transform.edit.rewrite import Rewritten
from kohaku_ast.transform.find.assignments import MARKER, Edit
from kohaku_ast.transform.find.source import Source, parse_text

_PLACES = ("lineno", "col_offset", "end_lineno", "end_col_offset")


@dataclass(frozen=True)
class Proved:
    """A rewrite that is proved; its trees have the positions of the script."""

    text: str
    module: ast.Module
    #: The guards that were taken out of the module.
    guards: tuple[ast.Module, ...] = ()


def prove(source: Source, edits: Sequence[Edit], rewritten: Rewritten) -> Proved:
    """The trees of *rewritten*, which has to be *source* with *edits* made and nothing else.

    Raises TransformError if it is anything else.
    """
    module, *guards = (_parsed(text, source) for text in (rewritten.text, *rewritten.extracted))
    check_and_place(source, module, edits, guards)
    return Proved(rewritten.text, module, tuple(guards))


def _parsed(text: str, source: Source) -> ast.Module:
    """The tree of the rewritten *text*. A SyntaxError is our bug: the script itself was parsed
    before.
    """
    try:
        return parse_text(text, source.filename)
    except SyntaxError as error:
        raise TransformError(
            f"{source.filename}:{error.lineno}: the rewrite of this line is not Python. "
            "Nothing was run; this is a bug of kohaku_ast, please report it."
        ) from None


def check_and_place(
    source: Source, new: ast.Module, edits: Sequence[Edit], extracted: Sequence[ast.Module] = ()
) -> None:
    """Prove that *new* is the tree of *source* with *edits* made, and *extracted* the guards that
    were taken out; give every node the position of its original.

    Raises TransformError if they are anything else.
    """
    proof = _Proof(source, edits)
    proof.nodes(source.tree, new)
    taken = [edit.node for edit in edits if edit.change == "extract"]
    for old, module in zip_longest(taken, extracted):
        if old is None or module is None or len(module.body) != 1:
            proof.fail(old or source.tree, "what was taken out is not that statement")
        proof.nodes(old, module.body[0])


class _Proof:
    """The comparison of two trees, node by node. It has a stack of its own: a sum of 5,000 terms
    is 5,000 levels deep.
    """

    def __init__(self, source: Source, edits: Sequence[Edit]) -> None:
        self.source = source
        self.extracted = {id(edit.node) for edit in edits if edit.change == "extract"}
        self.edits: dict[tuple[str, int], list[Edit]] = defaultdict(list)
        for edit in edits:
            self.edits[edit.change, id(edit.node)].append(edit)
        self.waiting: list[tuple[ast.AST, ast.AST]] = []

    def nodes(self, old: ast.AST, new: ast.AST) -> None:
        self.waiting.append((old, new))
        while self.waiting:
            self.node(*self.waiting.pop())

    def node(self, old: ast.AST, new: ast.AST) -> None:
        for edit in reversed(self.edits.get(("wrap", id(old)), ())):
            new = self.unwrapped(new, edit)
        replaced = self.edits.get(("replace", id(old)))
        if replaced:
            for edit in replaced:
                self.inserted(new, edit)
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
        elif old is None and isinstance(new, ast.AST) and ("annotated", id(owner)) in self.edits:
            for edit in self.edits["annotated", id(owner)]:
                self.inserted(new, edit)
        # The type is compared too: 1 == 1.0 == True; repr distinguishes -0.0 from 0.0, and finds
        # nan equal to nan.
        elif type(old) is not type(new) or (old != new and repr(old) != repr(new)):
            self.fail(owner, f"its {name} {old!r} became {new!r}")

    def lists(self, owner: ast.AST, name: str, old: list[ast.AST], new: list[ast.AST]) -> None:
        rest = iter(new)
        for item in old:
            if id(item) in self.extracted:
                continue
            self.skip(owner, rest, "before", item)
            match = next(rest, None)
            if isinstance(item, ast.AST) and isinstance(match, ast.AST):
                self.waiting.append((item, match))
            elif item != match:
                self.fail(owner, f"its {name} changed")
            self.skip(owner, rest, "after", item)
        if name in ("keywords", "args"):
            self.skip(owner, rest, "keyword" if name == "keywords" else "argument", owner)
        if next(rest, None) is not None:
            self.fail(owner, f"its {name} grew")

    def skip(self, owner: ast.AST, rest: Iterator[ast.AST], change: str, node: ast.AST) -> None:
        """Skip the nodes that *change* has inserted at *node*, after a check of each."""
        for edit in self.edits.get((change, id(node)), ()):
            new = next(rest, None)
            if new is None:
                self.fail(owner, "an insertion is missing")
            self.inserted(new, edit)

    def inserted(self, new: ast.AST, edit: Edit) -> None:
        """Check that *new* is the code of *edit*, and give it the position of the node of
        *edit*.
        """
        if ast.dump(new) != _dumped(edit):
            self.fail(edit.node, "what was put there is something else")
        place_below(new, edit.shown_at or edit.node)

    def unwrapped(self, new: ast.AST, edit: Edit) -> ast.AST:
        """Check that *new* is the code of *edit* around another expression, and give that code
        the position of the node of *edit*; the other expression.
        """
        around = ast.parse(edit.text, mode="eval").body
        way = _way_to_hole(around)
        inner = _swap(new, way, ast.Name(MARKER, ast.Load()))
        if inner is None or ast.dump(new) != ast.dump(around):
            self.fail(edit.node, "what was put around it is something else")
        place_below(new, edit.node)
        _swap(new, way, inner)
        return inner

    def fail(self, node: ast.AST, what: str) -> NoReturn:
        line = getattr(node, "lineno", 1)
        raise TransformError(
            f"{self.source.filename}:{line}: the rewrite of this {type(node).__name__} cannot be "
            f"proved: {what}. Nothing was run; this is a bug of kohaku_ast, please report it."
        )


def _dumped(edit: Edit) -> str:
    """The code of *edit* as ``ast.dump`` writes it, without positions."""
    if edit.change in ("before", "after"):
        return ast.dump(ast.parse(edit.text).body[0])
    value = ast.parse(edit.text, mode="eval").body
    return ast.dump(ast.keyword(edit.name, value) if edit.change == "keyword" else value)


def place_below(new: ast.AST, old: ast.AST) -> None:
    """Give *new* and everything in it the position of *old*."""
    for node in ast.walk(new):
        if "lineno" in node._attributes:
            _place(node, old)


Way = list[tuple[str, int]]
"""The fields that lead from a node to one below it; of a list with the index, else -1."""


def _way_to_hole(node: ast.AST) -> Way:
    """The way from *node* to the name MARKER that stands alone, not for a value; empty if there is
    none.
    """
    for name, value in ast.iter_fields(node):
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            step = (name, index if isinstance(value, list) else -1)
            if isinstance(item, ast.Name) and item.id == MARKER:
                if not isinstance(node, ast.Subscript):
                    return [step]
            elif isinstance(item, ast.AST) and (rest := _way_to_hole(item)):
                return [step, *rest]
    return []


def _swap(node: ast.AST | None, way: Way, new: ast.AST) -> ast.AST | None:
    """Put *new* where *way* leads to from *node*; what stood there, None if it leads nowhere."""
    for name, index in way[:-1]:
        node = _below(node, name, index)
    name, index = way[-1]
    found = _below(node, name, index)
    if found is not None and index < 0:
        setattr(node, name, new)
    elif found is not None:
        getattr(node, name)[index] = new
    return found


def _below(node: ast.AST | None, name: str, index: int) -> ast.AST | None:
    value = getattr(node, name, None)
    if index >= 0:
        value = value[index] if isinstance(value, list) and index < len(value) else None
    return value if isinstance(value, ast.AST) else None


def _place(new: ast.AST, old: ast.AST) -> None:
    for name in _PLACES:
        setattr(new, name, getattr(old, name, None))
