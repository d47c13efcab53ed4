"""Rule: ``a = b = f()`` and ``a, b = f()`` with a value given for every name: the right side
is not evaluated.
"""

from __future__ import annotations

import ast

from kohaku_ast.transform.sites import Edit
from kohaku_ast.transform.source import Source


def join_unpacked(source: Source, edits: list[Edit]) -> list[Edit]:
    """*edits* with those that bind again all names of one statement made one replacement."""
    bound: dict[int, dict[str, Edit]] = {}
    for edit in edits:
        if edit.change == "after" and edit.name:
            bound.setdefault(id(edit.node), {})[edit.name] = edit
    whole = {node: own for node, own in bound.items() if _binds_all(own)}
    joined: list[Edit] = []
    for edit in edits:
        own = whole.get(id(edit.node)) if edit.change == "after" and edit.name else None
        if own is None:
            joined.append(edit)
        elif own:
            joined += _replacement(source, edit, {name: one.value for name, one in own.items()})
            own.clear()  # the other names of the statement stand in that replacement
    return joined


def _binds_all(edits: dict[str, Edit]) -> bool:
    """Whether *edits*, by name, give every name of their one statement a value."""
    names = _target_names(next(iter(edits.values())).node)
    return names is not None and set(edits) == set(names)


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


def _replacement(source: Source, edit: Edit, values: dict[str, str]) -> list[Edit]:
    assert isinstance(edit.node, ast.Assign)
    first, *others = edit.node.targets
    edits = [Edit(edit.node.value, "replace", _pattern(first, values), edit.line, edit.target)]
    for other in others:
        text = f"{source.segment(other)} = {_pattern(other, values)}"
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
