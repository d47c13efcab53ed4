"""Files that a script loads or runs by their path: ``spec_from_file_location("hp", path)``,
``hp = runpy.run_path("hp.py")``.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from kohaku_ast.transform.find.paths import called_name, nodes_of
from kohaku_ast.transform.find.source import Source

LOCATING = {"spec_from_file_location", "SourceFileLoader", "load_source"}
"""Functions that give a name to the module in a file."""
_LOADING = {"load_module", "load_source", "module_from_spec"}
"""Those that return such a module."""


def first_text(node: ast.Call) -> str:
    """The text of the first argument of *node*, or of the keyword that names a module; else ""."""
    named = [one.value for one in node.keywords if one.arg in ("name", "fullname", "mod_name")]
    first = next(iter([*node.args, *named]), None)
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def located_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Name in the script -> that of the module which it loads by its path::

    spec = spec_from_file_location("hp", path)
    settings = module_from_spec(spec)
    """
    calls = [(name, one) for name, one in _assigned(tree) if isinstance(one, ast.Call)]
    named = {name: first_text(one) for name, one in calls if called_name(one.func) in LOCATING}
    for name, one in calls:
        if called_name(one.func) in _LOADING:
            owners = [node for node in ast.walk(one) if node is not one]
            made = [first_text(node) for o in owners if (node := _call_of(o, *LOCATING))]
            made += [named[o.id] for o in owners if isinstance(o, ast.Name) and o.id in named]
            made += [first_text(one)] if called_name(one.func) == "load_source" else []
            if any(made):
                yield name, next(filter(None, made))


class RunFile(NamedTuple):
    """A file that the script runs by ``runpy.run_path``."""

    #: Its path; empty if only the running script knows it.
    path: str
    #: The full name of its module, as if it was imported: ``configs.hp``; empty without a path.
    name: str
    line: int


def run_files(source: Source, folder: str) -> Iterator[RunFile]:
    """That of each call of ``run_path`` in *source*, with its name for a script in *folder*."""
    for node in nodes_of(source.tree):
        if call := _call_of(node, "run_path"):
            yield _run_file(source, call, folder)


def run_names(source: Source) -> dict[str, str]:
    """Name in the script -> what it stands for in a file that the script runs: ``configs.hp``, or
    an object in it, ``configs.hp.opt``; empty if only the running script knows the file.
    """
    names: dict[str, str] = {}
    for name, value in _assigned(source.tree):
        call, entry = _run_by(value)
        file = _run_file(source, call, source.folder) if call is not None else None
        if file is not None and (file.name or not entry):
            names.setdefault(name, f"{file.name}{entry}")
    return names


def is_run(value: ast.AST | None) -> bool:
    """Whether *value* is ``runpy.run_path(...)`` itself."""
    return _call_of(value, "run_path") is not None


def _run_by(value: ast.expr) -> tuple[ast.Call | None, str]:
    """The call of ``run_path`` whose names *value* holds, and the entry of them that it is:
    ``run_path(...)``, ``Namespace(**run_path(...))``, ``{k: v for k, v in run_path(...).items()}``,
    ``run_path(...)["opt"]``.
    """
    key = value.slice if isinstance(value, ast.Subscript) else None
    if isinstance(value, ast.Subscript) and isinstance(key, ast.Constant):
        return _run_by(value.value)[0], f".{key.value!s}"
    if isinstance(value, ast.DictComp):
        table = _call_of(value.generators[0].iter, "items")
        return _call_of(table and getattr(table.func, "value", None), "run_path"), ""
    if isinstance(value, ast.Call) and not is_run(value):
        spread = [one.value for one in value.keywords if one.arg is None]
        given = [*value.args, *spread]
        value = given[0] if len(given) == 1 and len(spread) == len(value.keywords) else value
    return _call_of(value, "run_path"), ""


def _run_file(source: Source, call: ast.Call, folder: str) -> RunFile:
    """The file that *call* runs; a path that is not absolute starts where the process does, or in
    the script's folder, to which many scripts go.
    """
    named = [one.value for one in call.keywords if one.arg == "path_name"]
    given = next(iter([*call.args, *named]), None)
    text = _path_text(source, given) if given is not None else None
    for base in (os.getcwd(), folder) if text else ():
        path = os.path.normpath(os.path.join(base, text))  # type: ignore[arg-type]
        path = os.path.join(path, "__main__.py") if os.path.isdir(path) else path
        if os.path.isfile(path) and path.endswith(".py"):
            return RunFile(path, _module_name(path, folder), call.lineno)
    return RunFile("", "", call.lineno)


def _module_name(path: str, folder: str) -> str:
    """The name by which a script in *folder* would import the file *path*, if it could."""
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(folder)).removesuffix(".py")
    parts = inside.split(os.sep)
    return ".".join(parts if all(map(str.isidentifier, parts)) else parts[-1:])


_SAME = ("Path", "abspath", "absolute", "as_posix", "expanduser", "fspath", "realpath", "resolve",
         "str")  # fmt: skip
"""Functions and methods whose result leads to the same file."""
_Text: TypeAlias = "Callable[[ast.AST], str | None]"


def _path_text(source: Source, node: ast.AST, depth: int = 9) -> str | None:
    """The path that the expression *node* makes; None if only the running script knows it."""

    def text(one: ast.AST) -> str | None:
        return _path_text(source, one, depth - 1) if depth else None

    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        values = [one for name, one in _assigned(source.tree) if name == node.id]
        own = os.path.abspath(source.filename) if node.id == "__file__" else None
        return own if own or len(values) != 1 else text(values[0])
    if isinstance(node, ast.FormattedValue):
        return text(node.value) if node.format_spec is None else None
    if isinstance(node, ast.JoinedStr):
        return _all_of("", map(text, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Add)):
        return _all_of("/" * isinstance(node.op, ast.Div), map(text, (node.left, node.right)))
    if isinstance(node, ast.Attribute) and node.attr == "parent":
        inner = text(node.value)
        return inner and os.path.dirname(inner)
    return _called_text(node, text) if isinstance(node, ast.Call) else None


def _called_text(node: ast.Call, text: _Text) -> str | None:
    """The same for a call: ``os.path.join(os.path.dirname(__file__), "hp.py")``."""
    name, owner = called_name(node.func), getattr(node.func, "value", node.func)
    if name in ("getcwd", "cwd"):
        return os.getcwd()
    parts = [*filter(None, [text(owner)]), *map(text, node.args)]
    first = parts[0] if parts else None
    if name in ("dirname", "with_name"):
        folder = first and os.path.dirname(first)
        return folder if name == "dirname" else _all_of("/", [folder, *parts[1:]])
    if name in ("join", "joinpath"):
        return _all_of("/", parts)
    return first if name in _SAME and len(parts) == 1 else None


def _all_of(between: str, parts: Iterable[str | None]) -> str | None:
    known = list(parts)
    return None if None in known else between.join(known)  # type: ignore[arg-type]


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Each name that a statement of *tree* assigns, with its value."""
    for node in nodes_of(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            first = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(first, ast.Name):
                yield first.id, node.value


def _call_of(node: ast.AST | None, *names: str) -> ast.Call | None:
    """*node* if it is a call of a function with one of the *names*."""
    return node if isinstance(node, ast.Call) and called_name(node.func) in names else None
