"""What a config file itself assigns, defines and reads, known from its text."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kohaku_ast.transform.find.source import parse_text

_Definition = tuple[str, int]  # name and line
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BRANCHES = (ast.If, ast.Try, ast.Match, ast.For, ast.AsyncFor, ast.While)


@dataclass(frozen=True)
class OwnCode:
    """The text of a config file, as far as it says what the file's names are."""

    #: Name -> line, as ``defined_names`` gives it.
    defined: Mapping[str, int]
    #: What it imports at top level.
    imported: set[str]
    #: The globals that the file itself reads.
    read: set[str]

    @classmethod
    def of(cls, text: str, path: str) -> OwnCode:
        """What *text* says; raises SyntaxError."""
        tree = parse_text(text, path)
        read = read_names(text, path) | _read_in_comprehensions(tree)
        return cls(defined_names(tree), _imported_names(tree), read)


def defined_names(tree: ast.Module) -> dict[str, int]:
    """Name -> line of what the file assigns or defines at top level, in its order.

    Not imports, loop variables, nor what ``with``, ``except`` and ``case`` bind. Of several lines
    the last one that is sure to run, else the first.
    """
    found: dict[str, int] = {}
    for statement in tree.body:
        is_sure = not isinstance(statement, _BRANCHES)
        for name, line in _of_statement(statement):
            if is_sure or name not in found:
                found[name] = line
    return found


def _of_statement(node: ast.AST) -> Iterator[_Definition]:
    """What the statement and the statements in it define in the module's own scope."""
    yield from _of_targets(node)
    if isinstance(node, ast.NamedExpr):
        yield node.target.id, node.lineno
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name, node.lineno
    for child in _same_scope(node):
        yield from _of_statement(child)


def _of_targets(node: ast.AST) -> Iterator[_Definition]:
    """The names that an assignment binds, in its order."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.AnnAssign) and node.value):
        targets = [node.target]
    elif type(node).__name__ == "TypeAlias":  # Python 3.12
        targets = [node.name]  # type: ignore[attr-defined]
    for target in targets:
        for inner in ast.walk(target):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield inner.id, inner.lineno


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of *node* that run in its own scope: not the bodies of functions and classes."""
    inner: tuple[ast.AST, ...] = ()
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        inner = tuple(node.body)
    elif isinstance(node, ast.Lambda):
        inner = (node.body,)
    return (child for child in ast.iter_child_nodes(node) if child not in inner)


def _imported_names(node: ast.AST) -> set[str]:
    found: set[str] = set()
    for child in _same_scope(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            found |= {one.asname or one.name.partition(".")[0] for one in child.names}
        found |= _imported_names(child)
    return found


def read_names(text: str, path: str) -> set[str]:
    """The globals that the file itself reads; a function that only calls itself reads nothing."""
    top = symtable.symtable(text, path, "exec")
    found = {one.get_name() for one in top.get_symbols() if one.is_referenced()}
    for scope in top.get_children():
        found |= _read_in(scope) - {scope.get_name()}
    return found


def _read_in(scope: symtable.SymbolTable) -> set[str]:
    # `lr = lr` in the body of a class reads the global, though the name is the class's own.
    is_class = scope.get_type() == "class"
    found = {
        one.get_name()
        for one in scope.get_symbols()
        if one.is_referenced() and (one.is_global() or is_class)
    }
    return found.union(*map(_read_in, scope.get_children()))


def _read_in_comprehensions(node: ast.AST) -> set[str]:
    """What comprehensions at top level read: from Python 3.12 on symtable does not know."""
    found: set[str] = set()
    for child in _same_scope(node):
        if isinstance(child, _COMPREHENSIONS):
            names = [one for one in ast.walk(child) if isinstance(one, ast.Name)]
            stored = {one.id for one in names if isinstance(one.ctx, ast.Store)}
            found |= {one.id for one in names} - stored
        found |= _read_in_comprehensions(child)
    return found
