"""Modules that a function imports when it runs: the user's own count by their whole text.

Their values are not available: the import has not happened yet when a key is made, and importing
a module for a key would run it although a cached result may make that unnecessary.
State of this process: the digests that were taken before a module was loaded. The loaded module
has the text of that time, however its file is edited later.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from kohaku_ast.cache.code_text import CodeImport, without_docstrings
from kohaku_ast.user_code import is_local_file


@dataclass
class _ModuleText:
    """The digest of a module's text and of those of the user's modules that it imports."""

    digest: str
    #: Path -> time of change and size, of every file read.
    files: dict[str, tuple[int, int] | None]
    #: ``sys.path`` at that time.
    path: list[str]
    #: The spec of the module that was loaded since; a reload changes it.
    spec: object = None

    def is_current(self) -> bool:
        return self.path == sys.path and all(
            _signature(path) == found for path, found in self.files.items()
        )


_texts: dict[str, _ModuleText] = {}


def targets(one: CodeImport, package: str) -> list[str]:
    """The modules that an import statement may load, without their packages."""
    module = one.module
    if one.level:
        above = package.split(".")[: len(package.split(".")) - one.level + 1]
        module = ".".join([*above, module] if module else above)
    return [module, *(f"{module}.{name}" for name in one.names if name != "*")]


def parents(names: list[str]) -> list[str]:
    """The packages of *names*, which are loaded before them."""
    found = [part for name in names for part in _prefixes(name.rpartition(".")[0])]
    return [name for name in dict.fromkeys(found) if name and name not in names]


def module_text(name: str) -> str | None:
    """A digest of the text of the user's module *name* and of the user's modules it imports.

    None for a library, for a name that is no module, and for a module that was loaded before the
    first call, or reloaded since: its values are available.
    """
    loaded, before = sys.modules.get(name), _texts.get(name)
    if loaded is not None:
        return None if before is None else _loaded_text(before, loaded)
    if before is not None and before.spec is None and before.is_current():
        return before.digest
    path = find_file(name)
    if path is None:
        return None
    _texts[name] = _read_text(name, path)
    return _texts[name].digest


def _loaded_text(before: _ModuleText, loaded: object) -> str | None:
    spec = getattr(loaded, "__spec__", None)
    if before.spec is None and before.is_current():
        before.spec = spec
    return before.digest if spec is not None and spec is before.spec else None


def find_file(name: str) -> str | None:
    """The file of the user's module *name*, found without importing its package."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        path = getattr(loaded, "__file__", None)
    else:
        spec = None
        folders = None
        for part in _prefixes(name):
            spec = importlib.machinery.PathFinder.find_spec(part, folders)
            if spec is None:
                return None
            folders = spec.submodule_search_locations
        path = spec.origin if spec and spec.has_location else None
    return path if path and path.endswith(".py") and is_local_file(path) else None


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _signature(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _read_text(name: str, path: str) -> _ModuleText:
    """Read all files that importing *name* may load; the digest has them sorted by name."""
    texts: dict[str, str] = {}
    files: dict[str, tuple[int, int] | None] = {}
    waiting = [(name, path)]
    while waiting:
        module, file = waiting.pop()
        if module in texts:
            continue
        files[file] = _signature(file)
        tree = _parsed(file)
        texts[module] = without_docstrings(tree) if tree else _raw(file)
        package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
        for found in _imported(tree, package) if tree else ():
            where = find_file(found)
            if where is not None:
                waiting.append((found, where))
    data = repr(sorted(texts.items())).encode("utf-8", "replace")
    return _ModuleText(blake2b(data, digest_size=16).hexdigest(), files, list(sys.path))


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found = targets(CodeImport(node.level, node.module or "", names), package)
        else:
            continue
        yield from found
        yield from parents(found)


def _parsed(path: str) -> ast.Module | None:
    try:
        with open(path, "rb") as file:
            return ast.parse(file.read())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return None


def _raw(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("latin-1")
    except OSError:
        return ""
