"""From a KohakuEngine config to one of ours: its text with as few edits as can be."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator

from kohaku_ast.config.kohaku_names import PACKAGE, TheirNames, is_theirs
from kohaku_ast.config.kohaku_refused import refused
from kohaku_ast.config.migrate_globals import edit_captures, outside_captures
from kohaku_ast.config.migrated import Left, Migrated, in_order
from kohaku_ast.config.text_edits import TextEdit, edited, whole_lines
from kohaku_ast.errors import KogineError
from kohaku_ast.transform.inspection import Inspection
from kohaku_ast.transform.plain_values import in_brackets
from kohaku_ast.transform.resolve import Targets
from kohaku_ast.transform.source import Source, decode, read_bytes

_SAME = {"Config", "Script", "entrypoint", "run", "use", "use_config"}
"""What is called the same here."""


def migrate_kohaku(source: Source, file: str, script: Inspection | None = None) -> Migrated:
    """The config *source* with its comments; *script* tells which names it may give."""
    theirs = TheirNames(source.tree)
    edits = [*edit_captures(source, theirs), *_unwrapped(source, theirs)]
    edits += [*_fourth(source, theirs), *_swept(source)]
    edits += _imports(source, theirs, used=_names_read(ast.parse(edited(source, edits))))
    text = edited(source, edits)
    left = [Left(file, *one) for one in refused(source, theirs, edits)]
    left += [*_outside(source, theirs, file), *_bases(source, theirs, file)]
    if script is not None:
        left += _unknown(source, ast.parse(text), file, script)
    return Migrated(text, in_order(left))


def _unwrapped(source: Source, theirs: TheirNames) -> Iterator[TextEdit]:
    """``use(x)`` as ``x``: objects need no wrapper."""
    for call in theirs.calls(source.tree, "use"):
        if len(call.args) == 1 and not call.keywords:
            text = source.segment(call.args[0])
            text = in_brackets(text) if "\n" not in text else f"({text})"
            yield TextEdit(*source.span(call), text)


def _fourth(source: Source, theirs: TheirNames) -> Iterator[TextEdit]:
    """``Config(g, a, k, m)``: the fourth field has another place here."""
    for call in theirs.calls(source.tree, "Config"):
        if len(call.args) == 4:
            start = source.span(call.args[3])[0]
            yield TextEdit(start, start, "metadata=")


def _swept(source: Source) -> Iterator[TextEdit]:
    """A name that is both assigned and swept: the sweep won, so the assignment goes."""
    axes = _axes(source.tree)
    read = _names_read(source.tree)
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id in axes and target.id not in read:
                start, end = whole_lines(source, node)
                lines = source.text[start:end].splitlines(keepends=True)
                yield TextEdit(start, end, "".join(f"# {line}" for line in lines))


def _axes(tree: ast.Module) -> set[str]:
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    dicts = [
        node.value
        for node in assigned
        if isinstance(node.value, ast.Dict) and ast.unparse(node.targets[0]) == "_sweep"
    ]
    keys = [key.value for one in dicts for key in one.keys if isinstance(key, ast.Constant)]
    return {key for key in keys if isinstance(key, str) and key != "__mode__"}


def _names_read(tree: ast.AST) -> set[str]:
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in nodes if isinstance(node.ctx, ast.Load)}


def _imports(source: Source, theirs: TheirNames, used: set[str]) -> Iterator[TextEdit]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and is_theirs(node.module) and not node.level:
            yield _from_import(source, node, used)
        elif isinstance(node, ast.Import):
            yield from _plain_import(source, node)
        elif isinstance(node, ast.Name) and node.id == PACKAGE and PACKAGE in theirs.packages:
            yield TextEdit(*source.span(node), "kohaku_ast")


def _from_import(source: Source, node: ast.ImportFrom, used: set[str]) -> TextEdit:
    kept = [
        alias
        for alias in node.names
        if alias.name == "*" or (alias.name in _SAME and (alias.asname or alias.name) in used)
    ]
    if not kept:
        return TextEdit(*whole_lines(source, node), "")
    names = ", ".join(f"{one.name} as {one.asname}" if one.asname else one.name for one in kept)
    return TextEdit(*source.span(node), f"from kohaku_ast import {names}")


def _plain_import(source: Source, node: ast.Import) -> Iterator[TextEdit]:
    for alias in node.names:
        if is_theirs(alias.name):
            start = source.span(alias)[0]
            yield TextEdit(start, start + len(alias.name), "kohaku_ast")


# --- what has no counterpart ---------------------------------------------------------------------


def _outside(source: Source, theirs: TheirNames, file: str) -> Iterator[Left]:
    for name, line in outside_captures(source, theirs):
        said = f"{name!r} stood outside capture_globals(), so no script got it: call it '_{name}'"
        yield Left(file, line, said)


def _bases(source: Source, theirs: TheirNames, file: str) -> Iterator[Left]:
    """Configs that this one takes values from, and that are not ours yet."""
    for call in theirs.calls(source.tree, "use_config"):
        first = call.args[0] if call.args else None
        name = first.value if isinstance(first, ast.Constant) else None
        if isinstance(name, str) and _is_old(os.path.join(os.path.dirname(file), name)):
            yield Left(
                file, call.lineno, f"{name} is a KohakuEngine config too: migrate it as well"
            )


def _is_old(path: str) -> bool:
    try:
        return TheirNames(decode(read_bytes(path), path).tree).is_used
    except (KogineError, SyntaxError):
        return False


def _unknown(source: Source, made: ast.Module, file: str, script: Inspection) -> Iterator[Left]:
    """Names that the script lacks: KohakuEngine set them all the same."""
    if any(getattr(node, "name", "") == "config_gen" for node in made.body):
        return  # the names at the top are its own
    targets = Targets(script.source, script.parameters)
    lines = _first_lines(source.tree)
    names = {name for node in made.body for name in _assigned(node)} - _names_read(made)
    for name in names | _axes(made):
        if name.startswith("_") or name == "CONFIG":
            continue
        try:
            targets.resolve(name)
        except KogineError as error:
            yield Left(file, lines.get(name, 0), str(error).replace("\n", " "))


def _first_lines(tree: ast.Module) -> dict[str, int]:
    """Name -> the line where it is first written, as a name or as a text."""
    lines: dict[str, int] = {}
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        name = getattr(node, "id", getattr(node, "name", value))
        if isinstance(name, str) and hasattr(node, "lineno"):
            lines[name] = min(lines.get(name, node.lineno), node.lineno)
    return lines


def _assigned(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return [target.id for target in targets if isinstance(target, ast.Name)]
