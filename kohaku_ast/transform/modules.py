"""The local modules that a script imports, read off its text: nothing is imported."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass

from kohaku_ast.errors import SourceError
from kohaku_ast.transform.source import Source, decode, read_bytes


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
    """The module *name* if its file lies below *folder*; a folder without ``__init__.py`` is a
    package (PEP 420) and has no file of its own.
    """
    base = os.path.join(folder, *name.split("."))
    for path in (os.path.join(base, "__init__.py"), f"{base}.py"):
        if os.path.isfile(path):
            return LocalModule(name, path)
    return None


def imported_modules(source: Source) -> list[LocalModule]:
    """The local modules that the script imports, directly or through each other.

    A module that cannot be read is listed, and what it imports is not known.
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
    """Every module that the text may import, parents first; what is no module is not found."""
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
    """What ``from .settings`` means: ``("settings", 1, "pkg")`` -> ``"pkg.settings"``."""
    if level == 0:
        return name
    parts = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parts, name]).strip(".")


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def import_names(tree: ast.Module, package: str = "") -> dict[str, str]:
    """Name in the script -> the dotted thing it stands for: ``{"hp": "hparams"}``."""
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
    """The module that *target* starts with, by its full name or by the script's name for it, and
    the target inside it: ``"hp.Model.depth"`` -> ``(hparams, "Model.depth")``.
    """
    first, dot, rest = target.partition(".")
    spellings = [target, f"{names[first]}.{rest}" if dot and first in names else target]
    by_length = sorted(modules, key=lambda module: -len(module.name))
    for spelling in spellings:
        for module in by_length:
            if spelling.startswith(f"{module.name}."):
                return module, spelling[len(module.name) + 1 :]
    return None
