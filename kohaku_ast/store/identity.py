"""Identity: equal for runs of the same program with the same values, whenever and wherever."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from kohaku_ast.runner.bound import Bound
from kohaku_ast.store.fingerprint import UnstableError, fingerprint


def script_hash(bound: Bound) -> str:
    """That of the script's bytes, as ``sha256sum`` prints it."""
    return sha256(bound.launch.data).hexdigest()


def program_hash(bound: Bound, folder: str) -> str:
    """Differs whenever another program runs: script, path from *folder*, start, and the text of
    the modules that have overrides. Not other modules: which ones are imported only a run shows.
    """
    launch = bound.launch
    return fingerprint(
        (
            _path_from(folder, launch.filename),
            getattr(launch, "module", None),
            bound.program.entry_name,
            script_hash(bound),
            {name: _text(file) for name, (file, _) in sorted(bound.prepared.modules.items())},
        )
    ).hex()


def identity(bound: Bound, folder: str) -> str:
    """32 hexadecimal digits. *folder* is the one that relative paths start from.

    Not in it: index, label, metadata, origins, environment. With a value that has no lasting
    content (an open file) it is equal to no other.
    """
    values = {
        prefix + target: value
        for prefix, _, given in bound.prepared.every()
        for target, value in given.values.items()
    }
    content = (
        program_hash(bound, folder),
        sorted(values.items(), key=lambda item: item[0]),
        sorted(bound.names.items()),
        list(bound.argv[1:]),
    )
    try:
        return fingerprint(content).hex()
    except UnstableError:
        return os.urandom(16).hex()


def _path_from(folder: str, filename: str) -> str:
    if filename.startswith("<"):
        return filename
    try:
        return os.path.relpath(filename, folder)
    except ValueError:  # another drive
        return filename


def _text(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""
