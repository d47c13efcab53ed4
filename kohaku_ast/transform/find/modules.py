"""The imports of a script, read from its text: modules of the user's own, and libraries.

``reach`` finds the user's own modules wherever Python finds them, and says which imports only the
running script can follow. Of the libraries ``third_party_imports`` lists those that each run
imports before it does anything else: a server that has imported them is then in the state that a
fresh process reaches.
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
from kohaku_ast.transform import is_safe_path, shared_path
from kohaku_ast.transform.find.bindings import always_runs, is_guard
from kohaku_ast.transform.find.by_path import LOCATING, first_text, located_names, run_files
from kohaku_ast.transform.find.paths import called_name, nodes_of
from kohaku_ast.transform.find.source import Source, decode, read_bytes
from kohaku_ast.user_code import is_local_file


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
    ``__init__.py`` is a package (PEP 420) and has no file. A file ``marshal.py`` is never imported.
    """
    if _top(name) in _PYTHONS:
        return None
    base = os.path.join(folder, *name.split("."))
    for path in (os.path.join(base, "__init__.py"), f"{base}.py"):
        if os.path.isfile(path):
            return LocalModule(name, path)
    return None


_PYTHONS = {*sys.builtin_module_names, "abc", "codecs", "encodings", "io", "os", "site", "stat"}
"""Modules that Python has, or has loaded, before it looks into the folder of a script."""


def imported_modules(source: Source) -> list[LocalModule]:
    """The local modules that the script imports, directly or through each other.

    A module that cannot be read is listed without its own imports.
    """
    found: dict[str, LocalModule] = {}
    own = os.path.realpath(source.filename)
    waiting = list(module_names(source.tree, source.package))
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
        return list(module_names(decode(read_bytes(module.path), module.path).tree, package))
    except (SourceError, SyntaxError):
        return []


class Reach(NamedTuple):
    """The modules that the text of a script leads to."""

    #: The user's own modules: beside the script, through ``PYTHONPATH``, of an editable project.
    modules: list[LocalModule]
    #: Imported module that Python does not find now -> where: ``s.py:5``.
    missing: dict[str, str]
    #: Where a module is imported by a computed name.
    computed: list[str]
    #: Where ``sys.path`` may be changed.
    path_changes: list[str]
    #: The imported modules that are neither the user's own nor Python's.
    libraries: set[str]
    #: The names that modules get which are loaded by their path.
    located: set[str]
    #: Where a module is loaded by its path under a computed name.
    by_path: list[str]

    @property
    def missing_tops(self) -> set[str]:
        """The top-level names of the missing ones."""
        return set(map(_top, self.missing))

    @property
    def may_import_by_name(self) -> bool:
        """Whether a module may be imported that the text does not name: libraries do that too."""
        return bool(self.computed or self.libraries)


def reach(source: Source) -> Reach:
    """The Reach of *source*. A module that cannot be read is listed without its own imports."""
    found: dict[str, LocalModule] = {}
    result = Reach([], {}, [], [], set(), set(), [])
    own = os.path.realpath(source.filename)
    waiting = [source]

    def note(module: LocalModule) -> None:
        if module.name not in found and os.path.realpath(module.path) != own:
            found[module.name] = module
            waiting.extend(filter(None, [text_of(module)]))

    for text in waiting:
        _note_dynamic(text, result)
        for file in run_files(text, source.folder):
            if file.path:
                note(LocalModule(file.name, file.path))
            else:
                result.computed.append(f"{text.file}:{file.line}")
        for name, line, is_module in _named_modules(text.tree, text.package):
            module = search_module(source.folder, name)
            if module is None:
                _note_other(name, f"{text.file}:{line}", is_module, source.folder, result)
            else:
                note(module)
    result.modules[:] = sorted(found.values(), key=lambda module: module.name)
    return result


def text_of(module: LocalModule) -> Source | None:
    """The text of *module*; None if it cannot be read."""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    try:
        text = decode(read_bytes(module.path), module.path, "", package)
        return text if text.tree else None
    except (SourceError, SyntaxError):
        return None


def _note_other(name: str, place: str, is_module: bool, folder: str, result: Reach) -> None:
    """Note the import of *name*, which is no module of the user's with a file."""
    top = _top(name)
    if top in sys.stdlib_module_names or top in _OURS:
        return
    places = places_of(folder, top)
    if not places and is_module:
        result.missing.setdefault(name, place)
    elif places and not is_local_file(os.path.join(places[0], "x.py")):
        result.libraries.add(top)


_OURS = ("kohaku_ast", "kogine")
_BY_NAME = {"import_module", "__import__", "run_module"}
_COMPUTED = {
    *_BY_NAME, "find_spec", "get_class", "instantiate", "iter_modules", "load_module",
    "load_source", "locate", "resolve_name", "SourceFileLoader", "spec_from_file_location",
    "walk_packages",
}  # fmt: skip
"""Functions that import a module by its name or path."""


def _note_dynamic(text: Source, result: Reach) -> None:
    for node in nodes_of(text.tree):
        if isinstance(node, ast.Call) and called_name(node.func) in LOCATING:
            name = first_text(node)
            result.located.add(name) if name else result.by_path.append(
                f"{text.file}:{node.lineno}"
            )
        name = called_name(node.func) if isinstance(node, ast.Call) else ""
        if name in _COMPUTED and not _constant_name(node):  # type: ignore[arg-type]
            result.computed.append(f"{text.file}:{node.lineno}")  # type: ignore[attr-defined]
        elif name == "addsitedir" or (
            isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path"
        ):
            result.path_changes.append(f"{text.file}:{node.lineno}")  # type: ignore[attr-defined]


def is_import_call(node: ast.expr | None) -> bool:
    """Whether *node* is ``import_module(...)``, ``__import__(...)`` or ``run_module(...)``."""
    return isinstance(node, ast.Call) and called_name(node.func) in _BY_NAME


def _constant_name(node: ast.Call) -> str:
    """The name in ``import_module("pkg.settings")``, with its dots if it is relative; else ""."""
    return first_text(node) if called_name(node.func) in _BY_NAME else ""


def _named_modules(tree: ast.Module, package: str) -> Iterator[tuple[str, int, bool]]:
    """As ``imported_names``, each with its line and whether it is surely the name of a module; with
    the constant names of calls.
    """
    for node in nodes_of(tree):
        if isinstance(node, ast.Call) and (name := _constant_name(node)):
            level = len(name) - len(name.lstrip("."))
            for part in _with_parents(absolute_name(name.lstrip("."), level, package)):
                yield part, node.lineno, True
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            attributes = _attributes(node, package)
            for name in imported_names(ast.Module([node], []), package):
                yield name, node.lineno, name not in attributes


def module_names(tree: ast.Module, package: str) -> Iterator[str]:
    """Every name that may be a module which *tree* imports by a statement or by a constant name."""
    return (name for name, _, _ in _named_modules(tree, package))


def _attributes(node: ast.Import | ast.ImportFrom, package: str) -> set[str]:
    """The names of a ``from ... import``, which may be no modules."""
    if isinstance(node, ast.Import):
        return set()
    base = absolute_name(node.module or "", node.level, package)
    return {f"{base}.{alias.name}".strip(".") for alias in node.names}


def places_of(folder: str, top: str) -> list[str]:
    """The folders (or archives) in which a script in *folder* finds the top-level module *top*."""
    spec = PathFinder.find_spec(top, _search_path(folder))
    for finder in sys.meta_path if spec is None else ():
        # Those of editable projects know a module's place without a folder in sys.path.
        if "editable" in f"{getattr(finder, '__module__', '')}{type(finder).__module__}":
            spec = spec or finder.find_spec(top, None)
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [os.path.dirname(one) for one in spec.submodule_search_locations]
    return [os.path.dirname(spec.origin)] if spec.origin else []


def search_module(folder: str, name: str) -> LocalModule | None:
    """The user's own module *name*, wherever a script in *folder* finds it now; else None."""
    beside = find_module(folder, name)
    is_first = _search_path(folder)[0] == folder
    if (beside is not None and is_first) or _top(name) in _OURS:
        return beside
    for place in places_of(folder, _top(name)):
        if is_local_file(os.path.join(place, "x.py")):
            found = find_module(place, name)
            if found is not None:
                return found
    return beside


def _search_path(folder: str) -> list[str]:
    """Where a script in *folder* looks for modules. A safe path has no *folder*, unless it is the
    folder that Python runs; at the end it stands all the same, for scripts that add it themselves.
    """
    if is_safe_path() and not os.path.isfile(os.path.join(folder, "__main__.py")):
        return [*shared_path(), folder]
    return [folder, *shared_path()]


def library_module(folder: str, name: str) -> LocalModule | None:
    """The module *name* of a library, if it has a text; None for Python's own."""
    if _top(name) in sys.stdlib_module_names:
        return None
    found = (find_module(place, name) for place in places_of(folder, _top(name)))
    return next(filter(None, found), None)


def compiled_module(folder: str, name: str) -> LocalModule | None:
    """The module *name* if Python finds its bytecode, and no text."""
    for place in dict.fromkeys([*places_of(folder, _top(name)), folder]):
        base = os.path.join(place, *name.split("."))
        if find_module(place, name) is not None:
            return None
        for path in (os.path.join(base, "__init__.pyc"), f"{base}.pyc"):
            if os.path.isfile(path):
                return LocalModule(name, path)
    return None


def imported_names(tree: ast.Module, package: str) -> Iterator[str]:
    """Every name that may be a module which the text imports, parents first."""
    for node in nodes_of(tree):
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
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names.setdefault(alias.asname or top, alias.name if alias.asname else top)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(node.module or "", node.level, package)
            for alias in node.names:
                names.setdefault(alias.asname or alias.name, f"{base}.{alias.name}".strip("."))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            name = _constant_name(node.value)
            if name and not name.startswith(".") and isinstance(node.targets[0], ast.Name):
                names.setdefault(node.targets[0].id, name)
    for name, module in located_names(tree):
        names.setdefault(name, module)
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

    @property
    def top(self) -> str:
        """``"torch"``."""
        return _top(self.module)


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
    return os.path.isdir(base) and PathFinder.find_spec(_top(name), shared_path()) is None
