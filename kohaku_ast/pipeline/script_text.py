"""What a script computes, for the keys of its results: its text without comments, docstrings and
layout, and that of the local modules that it imports, through each other.
"""

from __future__ import annotations

import ast
import os
import time
from hashlib import blake2b

from kohaku_ast.pipeline.caching.code_text import without_remarks
from kohaku_ast.pipeline.caching.local_imports import find_file
from kohaku_ast.transform.find.modules import absolute_name, find_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kohaku_ast.runner.launch import Launch

    State = tuple[int, ...]


_YOUNG = 2_000_000_000  # nanoseconds; FAT counts every other second


class ScriptTexts:
    """Of a script and of what it imports of the user's; files that have changed are read again."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._states: dict[str, State | None] = {}
        self._digests: tuple[tuple[str, bytes], ...] = ()

    def digests(self) -> tuple[tuple[str, bytes], ...]:
        """Path from the script's folder and digest of each file; the same object as long as
        nothing has changed.
        """
        if not self._states or not all(map(_is_same, self._states, self._states.values())):
            self._read()
        return self._digests

    def _read(self) -> None:
        folder, found = self._launch.path0, {}
        waiting = [("", self._launch.filename)]
        self._states = {}
        while waiting:
            name, path = waiting.pop()
            if path in self._states:
                continue
            self._states[path] = _state(path)
            data = _bytes(path)
            found[_label(path, folder)] = _digest(data)
            package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
            waiting += _imported(data, package, folder)
        digests = tuple(sorted(found.items()))
        if digests != self._digests:
            self._digests = digests


def _digest(data: bytes) -> bytes:
    try:
        text = without_remarks(ast.parse(data))
    except (SyntaxError, ValueError, RecursionError):
        text = data.decode("latin-1")
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def _label(path: str, folder: str) -> str:
    """Not the whole path: a project that lies elsewhere keeps its results."""
    inside = os.path.relpath(path, folder)
    return os.path.basename(path) if inside.startswith("..") else inside.replace(os.sep, "/")


def _is_same(path: str, before: State | None) -> bool:
    return before is not None and _state(path) == before


def _state(path: str) -> State | None:
    """As the system has it: time of the last change, size, number of the file. None for a file
    that has just been changed: within the clock's steps it could change again unseen.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    if time.time_ns() - found.st_mtime_ns < _YOUNG:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _imported(data: bytes, package: str, folder: str) -> Iterator[tuple[str, str]]:
    """The user's own modules that the text may import, each with its file."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return
    for name in _names(tree, package):
        module = find_module(folder, name)  # as the script finds it: its own folder comes first
        path = module.path if module else find_file(name)
        if path is not None:
            yield name, path


def _names(tree: ast.Module, package: str) -> Iterator[str]:
    """Each with its parents; what is no module is not found."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(node.module or "", node.level, package)
            names = [f"{base}.{alias.name}".strip(".") for alias in node.names]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
