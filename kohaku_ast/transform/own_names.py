"""What a script itself calls the things that a frozen value needs."""

from __future__ import annotations

import ast
import pathlib

from kohaku_ast.transform.literals import called_name
from kohaku_ast.transform.parameters import Parameter
from kohaku_ast.transform.value_text import PATH_CLASSES, PathName

_BUILTINS = {"complex", "float", "frozenset", "set"}
"""The names that literals of values may use."""


def path_name(tree: ast.Module, parameter: Parameter | None, line: int) -> PathName:
    """How the script writes the class of a path at *line*: as the default does, else by what
    it has imported above.
    """
    names = _pathlib_names(tree)
    values = parameter.values if parameter else ()
    calls = [node for value in values for node in ast.walk(value) if isinstance(node, ast.Call)]
    used = [ast.unparse(call.func) for call in calls if called_name(call.func) in PATH_CLASSES]
    above = [name for name, (_, where) in names.items() if where < line]

    def written(value: pathlib.PurePath) -> str:
        fitting = [
            name for name in [*used, *above] if name in names and _makes(names[name][0], value)
        ]
        return fitting[0] if fitting else ""

    return written


def _pathlib_names(tree: ast.Module) -> dict[str, tuple[str, int]]:
    """What stands for a class of pathlib -> the class, and the line from which on it does
    (no line if the import is not certain to have run).
    """
    certain = {id(node) for node in tree.body}
    names: dict[str, tuple[str, int]] = {}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0) if id(node) in certain else 10**9
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "pathlib":
                    own = alias.asname or "pathlib"
                    names.update((f"{own}.{name}", (name, line)) for name in PATH_CLASSES)
        elif isinstance(node, ast.ImportFrom) and node.module == "pathlib" and not node.level:
            for alias in node.names:
                if alias.name in PATH_CLASSES:
                    names[alias.asname or alias.name] = (alias.name, line)
    return names


def _makes(name: str, value: pathlib.PurePath) -> bool:
    """Whether calling the class *name* gives the very type of *value*."""
    made = {"Path": type(pathlib.Path()), "PurePath": type(pathlib.PurePath())}
    return type(value) is made.get(name, getattr(pathlib, name))


def redefined(text: str, tree: ast.Module) -> str:
    """A builtin that the literal *text* uses and the script gives another meaning, or ``""``."""
    if not any(f"{name}(" in text for name in _BUILTINS):
        return ""
    nodes = ast.walk(ast.parse(text, mode="eval"))
    used = {node.id for node in nodes if isinstance(node, ast.Name)} & _BUILTINS
    return next(iter(sorted(used & _bound_names(tree))), "")


def _bound_names(tree: ast.Module) -> set[str]:
    """Every name that is bound anywhere in the file."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
    return names
