"""Pipelines and systems in the files of a project: which there are, and their drawings.

A file is read for the list, and run, in a process of its own, for a drawing.
"""

from __future__ import annotations

import ast
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kohaku_ast.errors import UsageError, unknown
from kohaku_ast.web.answers import answer, read_fields
from kohaku_ast.web.commands import ask_command, project_of
from kohaku_ast.web.folders import store_of

_MOST_FOLDERS, _MOST_FILES, _DEPTH = 500, 2000, 4
_MOST_BYTES = 1 << 20
_MENTIONS = re.compile(rb"\bkohaku_ast\b")
_STYLE = re.compile(r"<style>.*?</style>")
"""The colours that a file has of its own: a page has others, and refuses styles."""
_KINDS = {"Pipeline": "pipeline", "System": "system"}
_LEFT_OUT = ("__pycache__", "node_modules", "site-packages")


def list_drawn(request: Request) -> Response:
    """The pipelines and systems that have a name in a file of the project."""
    folder = project_of(store_of(request))
    return answer({"folder": str(folder), "found": [*_find_drawn(folder)]})


async def make_drawing(request: Request) -> Response:
    """The drawing of ``name`` in ``file``, and it in words."""
    fields, folder = await read_fields(request), project_of(store_of(request))
    return answer(
        await anyio.to_thread.run_sync(_draw, folder, fields.get("file"), fields.get("name"))
    )


def _draw(folder: Path, file: object, name: object) -> dict[str, Any]:
    # What is on the list alone: else any file of the user's could be run.
    found = [*_find_drawn(folder)]
    one = next((one for one in found if (one["file"], one["name"]) == (file, name)), None)
    if one is None:
        shown = [f"{one['file']}:{one['name']}" for one in found]
        raise UsageError(unknown("pipeline or system", f"{file}:{name}", shown))
    target = f"{one['file']}:{one['name']}"
    with tempfile.TemporaryDirectory() as made:
        path = Path(made, "drawing.svg")
        ask_command([one["kind"], "graph", target, "-o", str(path)], folder)
        svg = _STYLE.sub("", path.read_text("utf-8"))
    words = ask_command([one["kind"], "graph", target], folder)
    return {**one, "svg": svg, "words": words, "command": f"kogine {one['kind']} graph {target}"}


def _find_drawn(folder: Path) -> Iterator[dict[str, Any]]:
    for path in _files(folder):
        for name, kind, line in _named_in(path):
            file = str(path.relative_to(folder))
            yield {"file": file, "name": name, "kind": kind, "line": line}


def _files(folder: Path) -> Iterator[Path]:
    """The Python files of *folder*, some levels deep; no links, nothing hidden."""
    waiting, folders, files = [(folder, _DEPTH)], 0, 0
    while waiting and folders < _MOST_FOLDERS and files < _MOST_FILES:
        here, left = waiting.pop(0)
        folders += 1
        for one in _entries(here):
            if one.is_dir(follow_symlinks=False):
                waiting += [(Path(one.path), left - 1)] if left else []
            elif one.name.endswith(".py") and one.is_file(follow_symlinks=False):
                files += 1
                yield Path(one.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda one: one.name)
    except OSError:
        return []
    is_environment = any(one.name == "pyvenv.cfg" for one in entries)
    shown = [one for one in entries if not one.name.startswith(".") and one.name not in _LEFT_OUT]
    return [] if is_environment else shown


def _named_in(path: Path) -> list[tuple[str, str, int]]:
    """Name, kind and line of what the module level of the file assigns."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES)
        if not _MENTIONS.search(data):
            return []
        tree = ast.parse(data)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # another Python's, or not whole
    found: dict[str, tuple[str, str, int]] = {}
    for one in tree.body:
        targets = one.targets if isinstance(one, ast.Assign) else []
        kind = _kind_of(one.value) if isinstance(one, ast.Assign) else ""
        for target in targets if kind else ():
            if isinstance(target, ast.Name):
                found[target.id] = (target.id, kind, one.lineno)
    return [*found.values()]


def _kind_of(value: ast.expr) -> str:
    if not isinstance(value, ast.Call):
        return ""
    called = value.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return _KINDS.get(name, "")


routes = (
    Route("/api/drawings", list_drawn),
    Route("/api/drawings", make_drawing, methods=["POST"]),
)
