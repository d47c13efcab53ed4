"""Candidates that are files, folders or modules."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

Candidate: TypeAlias = "tuple[str, str, bool]"
"""The whole word, its description, and whether the word is then finished."""

SCRIPTS = (".py",)
CONFIGS = (".py", ".yaml", ".yml", ".toml", ".json")
TABLES = (".csv", ".json", ".yaml", ".yml")


def find_files(typed: str, endings: Sequence[str] = ("",)) -> list[Candidate]:
    """Folders, and files that end in one of *endings*, whose path starts with *typed*."""
    folder, slash, start = typed.rpartition("/")
    shown = folder + slash
    found: list[Candidate] = []
    for name, is_folder in _entries(os.path.expanduser(shown) or ".", start):
        if is_folder and name != "__pycache__":
            found.append((f"{shown}{name}/", "", False))
        elif not is_folder and name.endswith(tuple(endings)):
            found.append((shown + name, "", True))
    return found


def find_modules(typed: str) -> list[Candidate]:
    """Modules and packages in the working folder whose dotted name starts with *typed*."""
    parents, dot, start = typed.rpartition(".")
    found: list[Candidate] = []
    for name, is_folder in _entries(os.path.join(".", *parents.split(".")), start):
        stem = name if is_folder else name.removesuffix(".py")
        is_module = stem.isidentifier() and (is_folder or stem != name)
        if is_module and not stem.startswith("__"):
            found.append((f"{parents}{dot}{stem}", "", not is_folder))
    return found


def _entries(folder: str, start: str) -> list[tuple[str, bool]]:
    """Name and whether it is a folder; hidden ones only if *start* says so."""
    try:
        with os.scandir(folder) as entries:
            found = [(one.name, one.is_dir()) for one in entries if one.name.startswith(start)]
    except (OSError, ValueError):
        return []
    return sorted(one for one in found if start.startswith(".") or not one[0].startswith("."))
