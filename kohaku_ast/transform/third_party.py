"""What a script imports from outside its folder and the standard library, read off its text.

Only what every run imports before it does anything else: a server that has imported these
modules already is then in the state that a fresh process comes to.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from typing import NamedTuple

from kohaku_ast.transform.guard import always_runs, is_guard
from kohaku_ast.transform.source import Source

_ACTS = (ast.Call, ast.Await, ast.Raise, ast.Yield, ast.YieldFrom)


class Import(NamedTuple):
    """One import."""

    #: ``"torch.nn"``.
    module: str
    #: What is imported from it: a name, ``*`` or, for the module itself, nothing.
    name: str
    #: Where it stands in the script.
    line: int


def third_party_imports(source: Source) -> tuple[Import, ...]:
    """Those at the top of the script, in order.

    Ends where the script calls something, sets an item or attribute (``os.environ[...] = ...``)
    or imports a module of its own: that may decide how what follows is imported.
    """
    found: list[Import] = []
    for node in _certain(source.tree.body):
        if not isinstance(node, (ast.Import, ast.ImportFrom)) and _may_act(node, source.folder):
            break
        for one in _imported(node):
            if _is_local(one.module, source.folder):
                return tuple(found)
            if _top(one.module) not in sys.stdlib_module_names:
                found.append(one)
    return tuple(found)


def _certain(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """The statements that every run comes to, in order; of others, the whole."""
    for node in body:
        if isinstance(node, ast.Try):
            yield from _certain(node.body)
            yield from [*node.handlers, *node.orelse, *node.finalbody]
        elif isinstance(node, ast.If) and is_guard(node) and always_runs(node):
            yield from _certain(node.body)
        else:
            yield node


def _imported(node: ast.AST) -> list[Import]:
    """What *node* imports itself. A relative name has no first part."""
    if isinstance(node, ast.Import):
        return [Import(alias.name, "", node.lineno) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        return [Import(base, alias.name, node.lineno) for alias in node.names]
    return []


def _may_act(node: ast.AST, folder: str) -> bool:
    """Whether *node* may change what a later import does."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return any(_is_act(inner, folder) for inner in ast.walk(node))


def _is_act(node: ast.AST, folder: str) -> bool:
    if isinstance(node, (ast.Attribute, ast.Subscript)):
        return not isinstance(node.ctx, ast.Load)
    local = any(_is_local(one.module, folder) for one in _imported(node))
    return local or isinstance(node, _ACTS)


def _top(name: str) -> str:
    return name.partition(".")[0]


def _is_local(name: str, folder: str) -> bool:
    """Whether the import finds something in the script's folder first."""
    if not _top(name):
        return True
    base = os.path.join(folder, _top(name))
    if os.path.exists(f"{base}.py") or os.path.exists(os.path.join(base, "__init__.py")):
        return True
    # A folder alone gives way to an installed package of that name.
    return os.path.isdir(base) and PathFinder.find_spec(_top(name), sys.path[1:]) is None
