"""Artifacts of recorded runs as files that DVC tracks: with ``.dvc`` files, and in its cache.

The format is that of DVC 3: ``tests/exports/test_dvc.py`` has what DVC itself writes.
"""

from __future__ import annotations

import configparser
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import md5
from pathlib import Path

from kohaku_ast import files
from kohaku_ast.errors import UsageError
from kohaku_ast.exports.artifact_folder import (
    LaidFile,
    add_lines,
    cannot_write,
    counted,
    files_of,
    lay_down,
)
from kohaku_ast.store.artifacts import other_files, restore_file
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import FILES
from kohaku_ast.store.store import Runs

_ENDING = ".dvc"
_CHUNK = 1 << 20


def export_runs(runs: Runs, place: str, force: bool = False) -> str:
    """Write the artifacts of *runs*, and the other files in their folders, below the folder
    *place*, with a ``.dvc`` file for each; and into the cache of the DVC project around *place*.
    Returns what was done.
    """
    laid = files_of(runs, place, _other_files)
    _refuse_names(laid)
    cache = _cache(Path(place).resolve())
    sums: dict[str, str] = {}

    def track(one: LaidFile) -> None:
        path = os.path.join(place, one.path)
        sums[one.path] = _md5(path)
        if cache is not None:
            _fill(cache, sums[one.path], one, path)

    try:
        done = lay_down(laid, place, force, track)
        for one in laid:
            text = dvc_text(one, sums[one.path])
            _replace(os.path.join(place, f"{one.path}{_ENDING}"), text.encode())
    except OSError as error:
        raise cannot_write(place, error) from error
    for folder, names in _by_folder(laid).items():
        add_lines(os.path.join(place, folder, ".gitignore"), map(ignore_line, names))
    hint = "" if cache else f". There is no DVC project around {place}: dvc init, then dvc commit"
    return f"{counted(laid, runs, place)}: {done}{hint}"


def _other_files(record: Record) -> Iterator[LaidFile]:
    for path, source in other_files(record.folder, record.facts):
        found = source.stat()
        name = f"{record.folder.name}/{FILES}/{path}"
        yield LaidFile(name, source, found.st_size, None, found.st_mode & 0o777)


def _refuse_names(laid: Sequence[LaidFile]) -> None:
    for one in laid:
        name = one.path.rpartition("/")[2]
        if name.endswith(_ENDING) or name in (".gitignore", ".dvcignore", "dvc.yaml", "dvc.lock"):
            raise UsageError(f"DVC does not track a file of this name: {one.path!r}")


def _by_folder(laid: Sequence[LaidFile]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in laid:
        folder, _, name = one.path.rpartition("/")
        found[folder].append(name)
    return found


def _replace(path: str, data: bytes) -> None:
    if not os.path.isfile(path) or Path(path).read_bytes() != data:
        files.write_atomically(path, data, 0o644)


def _md5(path: str) -> str:
    digest = md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while data := file.read(_CHUNK):
            digest.update(data)
    return digest.hexdigest()


def dvc_text(one: LaidFile, digest: str) -> str:
    """The ``.dvc`` file beside a file with this MD5, as DVC writes it."""
    mode = "  isexec: true\n" if one.mode & 0o100 else ""
    name = one.path.rpartition("/")[2]
    return f"outs:\n- md5: {digest}\n  size: {one.size}\n{mode}  hash: md5\n  path: {_yaml(name)}\n"


_PLAIN = re.compile(r"[^\W\d][\w.-]*(?: [\w.\[\]()-]+)*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def _yaml(name: str) -> str:
    """*name* as a text of YAML: in quotes, unless it reads as itself."""
    if _PLAIN.fullmatch(name) and name.lower() not in _WORDS:
        return name
    if name.isprintable():
        return f"""'{name.replace("'", "''")}'"""
    import json

    return json.dumps(name)


def ignore_line(name: str) -> str:
    """The line of ``.gitignore`` for the file *name* beside it, as DVC writes it."""
    escaped = re.sub(r"([\\*?\[\]#!])", r"\\\1", name)
    return f"/{escaped[:-1]}\\ " if escaped.endswith(" ") else f"/{escaped}"


# --- the cache -----------------------------------------------------------------------------------


def _cache(place: Path) -> Path | None:
    """The folder of the cache of the DVC project that *place* is in; None if it is in none."""
    for folder in (place, *place.parents):
        if (folder / _ENDING).is_dir():
            return _configured(folder / _ENDING) / "files" / "md5"
    return None


def _configured(folder: Path) -> Path:
    """The cache of the project with this ``.dvc``; a path in its config is relative to that."""
    for name in ("config.local", "config"):
        config = configparser.ConfigParser(interpolation=None)
        try:
            config.read(folder / name, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        if config.has_option("cache", "dir"):
            return folder / config.get("cache", "dir")
    return folder / "cache"


def _fill(cache: Path, digest: str, one: LaidFile, laid: str) -> None:
    """Put *one*, which is the file *laid* now, into the *cache*. Of an object a link is enough:
    neither kogine nor DVC writes to such files.
    """
    path = cache / digest[:2] / digest[2:]
    if path.is_file() and path.stat().st_size == one.size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if one.sha256 is None:
            raise OSError
        os.link(one.source, path)
        path.chmod(0o444)
    except OSError:
        restore_file(laid, str(path), one.sha256, 0o444)
