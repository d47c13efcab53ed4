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

from kohaku_ast.transform.guard import always_runs, is_guard
from kohaku_ast.transform.source import Source

_ACTS = (ast.Call, ast.Await, ast.Raise, ast.Yield, ast.YieldFrom)


def third_party_imports(source: Source) -> tuple[str, ...]:
    """``"torch.nn"`` for an import, ``"PIL:Image"`` for ``from PIL import Image``, in order.

    Ends where the script calls something, sets an item or attribute (``os.environ[...] = ...``)
    or imports a module of its own: that may decide how what follows is imported.
    """
    found: dict[str, None] = {}
    for node in _certain(source.tree.body):
        names = _imported(node)
        if names is None:
            if _may_act(node, source.folder):
                break
            continue
        for name in names:
            if _is_local(name, source.folder):
                return tuple(found)
            if not _is_standard(name):
                found[name] = None
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


def _imported(node: ast.AST) -> list[str] | None:
    """What an import names; None for other statements. A relative one has no first part."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        return [base if alias.name == "*" else f"{base}:{alias.name}" for alias in node.names]
    return None


def _may_act(node: ast.AST, folder: str) -> bool:
    """Whether *node* may change what a later import does."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return any(_is_act(inner, folder) for inner in ast.walk(node))


def _is_act(node: ast.AST, folder: str) -> bool:
    if isinstance(node, (ast.Attribute, ast.Subscript)):
        return not isinstance(node.ctx, ast.Load)
    local = any(_is_local(name, folder) for name in _imported(node) or ())
    return local or isinstance(node, _ACTS)


def _top(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]


def _is_standard(name: str) -> bool:
    return _top(name) in sys.stdlib_module_names


def _is_local(name: str, folder: str) -> bool:
    """Whether the import finds something in the script's folder first."""
    if not _top(name):
        return True
    base = os.path.join(folder, _top(name))
    if os.path.exists(f"{base}.py") or os.path.exists(os.path.join(base, "__init__.py")):
        return True
    # A folder alone gives way to an installed package of that name.
    return os.path.isdir(base) and PathFinder.find_spec(_top(name), sys.path[1:]) is None
