"""What a function imports when it runs: the user's own modules count by their whole text.

Their live values cannot be asked for: the import has not happened yet when a key is made, and
to import a module for a key would run it where a kept result makes that unneeded.
The digests that were taken before a module was loaded are kept here, in one place for the
process: the loaded module is what was read then, however its file is edited later.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import sys
from collections.abc import Iterator
from hashlib import blake2b

from kohaku_ast.pipeline.caching.code_text import without_remarks
from kohaku_ast.pipeline.caching.local_code import is_local_file

_Signature = tuple[int, int]
_taken: dict[str, tuple[_Signature, str]] = {}
_loaded: set[str] = set()


def module_names(level: int, module: str, names: tuple[str, ...], package: str) -> list[str]:
    """The modules that one import statement may load."""
    if level:
        parents = package.split(".")[: len(package.split(".")) - level + 1]
        module = ".".join([*parents, module] if module else parents)
    return [module, *(f"{module}.{name}" for name in names if name != "*")]


def module_text(name: str) -> str | None:
    """A digest of the text of the user's module *name* and of the user's modules it imports.

    None for a library, for what is no module, and for one that was loaded before it was asked
    for: that one has live values.
    """
    if name in _loaded:
        return _taken[name][1]
    path = find_file(name)
    if path is None:
        return None
    signature = _signature(path)
    before = _taken.get(name)
    if name in sys.modules:
        if before is None or before[0] != signature:
            return None
        _loaded.add(name)
        return before[1]
    _taken[name] = (signature, _digest(name, path))
    return _taken[name][1]


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


def _signature(path: str) -> _Signature:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size


def _digest(name: str, path: str) -> str:
    """Over the files that importing *name* may read, in the order of their names."""
    texts: dict[str, str] = {}
    waiting = [(name, path)]
    while waiting:
        module, file = waiting.pop()
        if module in texts:
            continue
        tree = _parsed(file)
        texts[module] = without_remarks(tree) if tree else _raw(file)
        package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
        for found in _imported(tree, package) if tree else ():
            where = find_file(found)
            if where is not None:
                waiting.append((found, where))
    return blake2b(repr(sorted(texts.items())).encode("utf-8", "replace")).hexdigest()


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield from module_names(node.level, node.module or "", names, package)


def _parsed(path: str) -> ast.Module | None:
    try:
        with open(path, "rb") as file:
            return ast.parse(file.read())
    except (SyntaxError, ValueError, RecursionError):
        return None


def _raw(path: str) -> str:
    with open(path, "rb") as file:
        return file.read().decode("latin-1")
