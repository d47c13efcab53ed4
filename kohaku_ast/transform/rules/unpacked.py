"""Rule: ``a = b = f()`` and ``a, b = f()`` with a value given for every name: the right side
is not evaluated.
"""

from __future__ import annotations

import ast

from kohaku_ast.transform.sites import Edit


def join_unpacked(edits: list[Edit]) -> list[Edit]:
    """*edits* with those that bind again all names of one statement made one replacement."""
    joined: list[Edit] = []
    for edit in edits:
        own = _values(edits, edit.node)
        names = _target_names(edit.node)
        if edit.change != "after" or names is None or set(own) != set(names):
            joined.append(edit)
        elif edit is _first(edits, edit.node):
            joined += _replacement(edit, own)
    return joined


def _values(edits: list[Edit], node: ast.AST) -> dict[str, str]:
    """Name -> text of its value, for the names that are bound again after *node*."""
    after = [edit.text for edit in edits if edit.node is node and edit.change == "after"]
    pairs = [text.partition(" = ") for text in after]
    return {name: value for name, _, value in pairs}


def _first(edits: list[Edit], node: ast.AST) -> Edit:
    return next(edit for edit in edits if edit.node is node and edit.change == "after")


def _target_names(node: ast.AST) -> list[str] | None:
    """All that an assignment binds, or None if it binds anything but plain names."""
    if not isinstance(node, ast.Assign):
        return None
    names: list[str] = []
    waiting: list[ast.expr] = list(node.targets)
    while waiting:
        target = waiting.pop()
        if isinstance(target, ast.Name):
            names.append(target.id)
        elif isinstance(target, (ast.Tuple, ast.List)):
            waiting.extend(target.elts)
        elif isinstance(target, ast.Starred):
            waiting.append(target.value)
        else:
            return None
    return names


def _replacement(edit: Edit, values: dict[str, str]) -> list[Edit]:
    assert isinstance(edit.node, ast.Assign)
    first, *others = edit.node.targets
    edits = [Edit(edit.node.value, "replace", _pattern(first, values), edit.line, edit.target)]
    for other in others:
        text = f"{ast.unparse(other)} = {_pattern(other, values)}"
        edits.append(Edit(edit.node, "after", text, edit.line, edit.target))
    return edits


def _pattern(target: ast.expr, values: dict[str, str]) -> str:
    """The target with each name's value in its place: ``(a, *b)`` -> ``(1, *[2, 3])``."""
    if isinstance(target, ast.Name):
        return values[target.id]
    if isinstance(target, ast.Starred):
        return f"*{_pattern(target.value, values)}"
    assert isinstance(target, (ast.Tuple, ast.List))
    return f"({', '.join(_pattern(element, values) for element in target.elts)},)"
