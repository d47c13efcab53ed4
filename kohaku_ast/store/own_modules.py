"""Own modules: those that a script imports and that belong to no library, as they are now.

State of this process: ``_read``, the modules of the last scripts.
"""

from __future__ import annotations

import ast
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from kohaku_ast.errors import SourceError
from kohaku_ast.runner.launch import Launch
from kohaku_ast.transform import shared_path
from kohaku_ast.transform.find.modules import imported_modules
from kohaku_ast.transform.find.paths import nodes_of
from kohaku_ast.transform.find.source import decode
from kohaku_ast.user_code import is_local_file

_MOST_SCRIPTS = 64


class _ReadModules(NamedTuple):
    """The modules of one script."""

    #: Module -> the hash of its text.
    hashes: dict[str, str]
    #: Module -> its file.
    files: dict[str, str]
    #: File -> its stamp, which changes when it is written.
    stamps: dict[str, object]


_read: dict[tuple[str, bytes], _ReadModules] = {}


def own_modules(launch: Launch) -> dict[str, str]:
    """Name -> text hash of each own module that the script imports, directly or through others in
    the same folder. They are found in the texts: imports by computed names are missing.
    """
    key = launch.filename, launch.data
    found = _read.get(key)
    if found is None or any(_stamp(file) != stamp for file, stamp in found.stamps.items()):
        if len(_read) >= _MOST_SCRIPTS:
            _read.clear()
        found = _read[key] = _read_all(launch)
    return found.hashes


def own_files(launch: Launch) -> dict[str, tuple[str, str]]:
    """Name -> file and text hash of each of ``own_modules``."""
    hashes = own_modules(launch)
    files = _read[launch.filename, launch.data].files
    return {name: (files[name], digest) for name, digest in hashes.items()}


def forget() -> None:
    """Read all modules again: a new file is not noticed otherwise."""
    _read.clear()


def _read_all(launch: Launch) -> _ReadModules:
    files = _files(launch)
    # Stamps first: a file that is written meanwhile has its old stamp.
    stamps = {file: _stamp(file) for file in files.values()}
    hashes = {name: text_hash(file) for name, file in files.items()}
    return _ReadModules(hashes, files, stamps)


def _files(launch: Launch) -> dict[str, str]:
    if os.path.isfile(launch.path0):
        return {"": launch.path0}  # a zip holds all of them
    found: dict[str, str] = {}
    try:
        source = decode(launch.data, launch.filename, launch.path0, launch.package)
        for folder in (source.folder, *_folders(), *added_folders(source.tree, source.folder)):
            for one in imported_modules(replace(source, folder=folder)):
                found.setdefault(one.name, one.path)
    except (SourceError, SyntaxError, OSError):
        pass  # what cannot be read has no imports
    return found


def _folders() -> list[str]:
    """The folders of modules that are not installed: ``PYTHONPATH``, editable projects."""
    # Not the first one: it is the folder of the program that runs the flow, not of the script.
    # Nor that of our package: in a checkout, an edit of ours would make every run another one.
    folders = [one for one in shared_path() if os.path.isdir(one)]
    others = [one for one in folders if not os.path.join(one, "").startswith(_OURS)]
    return [one for one in others if is_local_file(os.path.join(one, "x.py"))]


def added_folders(tree: ast.Module, folder: str) -> list[str]:
    """The folders that a script in *folder* may add to ``sys.path``, if its text mentions that:
    those above it, and those that a text in it names below them (``parent / "src"``).
    """
    nodes = nodes_of(tree)
    if not any(isinstance(one, ast.Attribute) and ast.unparse(one) == "sys.path" for one in nodes):
        return []
    texts = {one.value for one in nodes if isinstance(one, ast.Constant)}
    names = sorted((one for one in texts if isinstance(one, str) and one), key=len)[:300]
    above = os.path.dirname(folder)
    found = [folder, above, os.path.dirname(above), os.getcwd()]
    for _ in range(2):  # parent / "src" / "lib"
        found += [os.path.join(base, name) for base in found for name in names if "\0" not in name]
        found = [*dict.fromkeys(os.path.normpath(one) for one in found if os.path.isdir(one))]
    return [one for one in found if is_local_file(os.path.join(one, "x.py"))]


_OURS = os.path.join(Path(__file__).parents[2], "")


def text_hash(file: str) -> str:
    """The SHA-256 of its bytes; empty if it cannot be read."""
    try:
        with open(file, "rb") as opened:
            return sha256(opened.read()).hexdigest()
    except OSError:
        return ""


def _stamp(file: str) -> object:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
