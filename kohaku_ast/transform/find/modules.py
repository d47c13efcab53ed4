"""The imports of a script, read from its text: local modules (beside it), and libraries.

Of the libraries only those that each run imports before it does anything else: a server that has
imported them is then in the state that a fresh process reaches.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import NamedTuple

from kohaku_ast.errors import SourceError
from kohaku_ast.transform.find.bindings import always_runs, is_guard
from kohaku_ast.transform.find.source import Source, decode, read_bytes


@dataclass(frozen=True)
class LocalModule:
    """A module in the script's own folder."""

    #: Its full name: ``pkg.settings``.
    name: str
    #: Its file, absolute.
    path: str

    @property
    def is_package(self) -> bool:
        """Whether it is the ``__init__.py`` of a folder."""
        return os.path.basename(self.path) == "__init__.py"


def find_module(folder: str, name: str) -> LocalModule | None:
    """The module *name* if its file lies below *folder*, else None; a folder without
    ``__init__.py`` is a package (PEP 420) and has no file.
    """
    base = os.path.join(folder, *name.split("."))
    for path in (os.path.join(base, "__init__.py"), f"{base}.py"):
        if os.path.isfile(path):
            return LocalModule(name, path)
    return None


def imported_modules(source: Source) -> list[LocalModule]:
    """The local modules that the script imports, directly or through each other.

    A module that cannot be read is listed without its own imports.
    """
    found: dict[str, LocalModule] = {}
    own = os.path.realpath(source.filename)
    waiting = list(imported_names(source.tree, source.package))
    while waiting:
        name = waiting.pop(0)
        module = find_module(source.folder, name)
        if module is None or name in found or os.path.realpath(module.path) == own:
            continue
        found[name] = module
        inside = name if module.is_package else name.rpartition(".")[0]
        waiting += _names_in(module, inside)
    return sorted(found.values(), key=lambda module: module.name)


def _names_in(module: LocalModule, package: str) -> list[str]:
    try:
        return list(imported_names(decode(read_bytes(module.path), module.path).tree, package))
    except (SourceError, SyntaxError):
        return []


def imported_names(tree: ast.Module, package: str) -> Iterator[str]:
    """Every name that may be a module which the text imports, parents first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(node.module or "", node.level, package)
            yield from _with_parents(base)
            for alias in node.names:
                yield f"{base}.{alias.name}" if base else alias.name


def absolute_name(name: str, level: int, package: str) -> str:
    """The full name of a relative one: ``("settings", 1, "pkg")`` -> ``"pkg.settings"``."""
    if level == 0:
        return name
    parts = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parts, name]).strip(".")


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def import_names(tree: ast.Module, package: str = "") -> dict[str, str]:
    """Imported name in the script -> the dotted name that it stands for: ``{"hp": "hparams"}``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names.setdefault(alias.asname or top, alias.name if alias.asname else top)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(node.module or "", node.level, package)
            for alias in node.names:
                names.setdefault(alias.asname or alias.name, f"{base}.{alias.name}".strip("."))
    return names


def split_module(
    target: str, modules: list[LocalModule], names: dict[str, str]
) -> tuple[LocalModule, str] | None:
    """The module that *target* starts with, by its full name or the script's name for it, and the
    target inside it (``"hp.Model.depth"`` -> ``(hparams, "Model.depth")``); None if there is none.
    """
    first, dot, rest = target.partition(".")
    spellings = [target, f"{names[first]}.{rest}" if dot and first in names else target]
    by_length = sorted(modules, key=lambda module: -len(module.name))
    for spelling in spellings:
        for module in by_length:
            if spelling.startswith(f"{module.name}."):
                return module, spelling[len(module.name) + 1 :]
    return None


_ACTS = (ast.Call, ast.Await, ast.Raise, ast.Yield, ast.YieldFrom)


class LibraryImport(NamedTuple):
    """One import of a library."""

    #: ``"torch.nn"``.
    module: str
    #: The name that is imported from it, ``*``, or empty for the module itself.
    name: str
    #: Its line in the script.
    line: int


def third_party_imports(source: Source) -> tuple[LibraryImport, ...]:
    """The imports of libraries at the top of the script, in order.

    The list ends where the script calls something, sets an item or attribute
    (``os.environ[...] = ...``) or imports a local module: that may change the imports below.
    """
    found: list[LibraryImport] = []
    for node in _certain_statements(source.tree.body):
        if not isinstance(node, (ast.Import, ast.ImportFrom)) and _may_act(node, source.folder):
            break
        for one in _imported(node):
            if _is_local(one.module, source.folder):
                return tuple(found)
            if _top(one.module) not in sys.stdlib_module_names:
                found.append(one)
    return tuple(found)


def _certain_statements(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """The statements that every run executes, in order; those that a run may skip come whole."""
    for node in body:
        if isinstance(node, ast.Try):
            yield from _certain_statements(node.body)
            yield from [*node.handlers, *node.orelse, *node.finalbody]
        elif isinstance(node, ast.If) and is_guard(node) and always_runs(node):
            yield from _certain_statements(node.body)
        else:
            yield node


def _imported(node: ast.AST) -> list[LibraryImport]:
    """The imports of the statement *node*; a relative module begins with dots."""
    if isinstance(node, ast.Import):
        return [LibraryImport(alias.name, "", node.lineno) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        return [LibraryImport(base, alias.name, node.lineno) for alias in node.names]
    return []


def _may_act(node: ast.AST, folder: str) -> bool:
    """Whether *node* may change a later import."""
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
    """Whether the import finds a file in the script's folder first."""
    if not _top(name):
        return True
    base = os.path.join(folder, _top(name))
    if os.path.exists(f"{base}.py") or os.path.exists(os.path.join(base, "__init__.py")):
        return True
    # A folder alone gives way to an installed package of that name.
    return os.path.isdir(base) and PathFinder.find_spec(_top(name), sys.path[1:]) is None
