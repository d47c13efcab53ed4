"""Identity: equal for runs of the same program with the same values, whenever and wherever."""

from __future__ import annotations

import functools
import os
from hashlib import sha256

from kohaku_ast.runner.bind import Bound
from kohaku_ast.store.fingerprint import UnstableError, fingerprint
from kohaku_ast.store.own_modules import own_modules, text_hash


def script_hash(bound: Bound) -> str:
    """That of the script's bytes, as ``sha256sum`` prints it."""
    return _sha256(bound.launch.data)


@functools.lru_cache(64)
def _sha256(data: bytes) -> str:
    return sha256(data).hexdigest()


def program_hash(bound: Bound, folder: str) -> str:
    """Differs whenever another program runs: script, path from *folder*, start, and the texts of
    the modules in its folder that it imports.
    """
    launch = bound.launch
    overridden = {name: text_hash(file) for name, (file, _) in bound.prepared.modules.items()}
    modules = sorted({**own_modules(launch), **overridden}.items())
    return _program_hash(
        _path_from(folder, launch.filename),
        getattr(launch, "module", None),
        bound.program.entry_name,
        script_hash(bound),
        tuple(modules),
    )


@functools.lru_cache(64)
def _program_hash(*parts: object) -> str:
    """All but the last as they are; a sweep asks for the same one again and again."""
    return fingerprint((*parts[:-1], dict(parts[-1]))).hex()  # type: ignore[call-overload]


def identity(bound: Bound, folder: str) -> str:
    """32 hexadecimal digits. *folder* is the one that relative paths start from.

    Not in it: index, label, metadata, origins, environment. With a value that has no lasting
    content (an open file) it is equal to no other.
    """
    content = (
        program_hash(bound, folder),
        sorted(_values(bound).items()),
        sorted(bound.names.items()),
        list(bound.argv[1:]),
        sorted(call_arguments(bound).items()),
    )
    try:
        return fingerprint(content).hex()
    except UnstableError:
        return os.urandom(16).hex()


def without_content(bound: Bound) -> tuple[str, str] | None:
    """The target of a value for which ``identity`` is equal to no other, and why; None if there
    is none.
    """
    for target, value in {**_values(bound), **bound.names, **call_arguments(bound)}.items():
        try:
            fingerprint(value)
        except UnstableError as error:
            return target, str(error)
    return None


def _values(bound: Bound) -> dict[str, object]:
    return {
        prefix + target: value
        for prefix, _, given in bound.prepared.every()
        for target, value in given.values.items()
    }


def call_arguments(bound: Bound) -> dict[str, object]:
    """Target -> what the Config gives to the entrypoint; in the guard's call it is a value like
    any other.
    """
    name, config = bound.program.entry_name, bound.config
    if not name or config is None:
        return {}
    found = {f"{name}(#{number})": value for number, value in enumerate(config.args)}
    above = bound.prepared.given.values
    named = {f"{name}({key})": value for key, value in config.kwargs.items()}
    return found | {target: value for target, value in named.items() if target not in above}


@functools.lru_cache(64)
def _path_from(folder: str, filename: str) -> str:
    if filename.startswith("<"):
        return filename
    try:
        return os.path.relpath(filename, folder)
    except ValueError:  # another drive
        return filename
