"""What the caches on disk hold: find them, list, check and remove their files.

Whatever is not trusted when a cache is read is not trusted here: a folder or file that others can
write to is named, and not used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from kohaku_ast.cache import disk
from kohaku_ast.errors import UsageError, did_you_mean
from kohaku_ast.transform.program import cache as programs
from kohaku_ast.transform.program.cache import Folder, NotPrivateError, unlabelled

_LONGEST_LABEL = 4200
"""Bytes at the end of a file that are read for its label: a path has 4,096 at most."""
_LEAST_PREFIX = 4
"""Characters of a key that are enough to name it: fewer may be typed by mistake."""


@dataclass(frozen=True)
class CacheFile:
    """One file of a cache."""

    #: The folder of its cache, as the user would write it.
    cache: str
    #: The name of the file in the folder.
    file: str
    #: ``program``, ``options`` or ``listing`` (of a script); ``result`` or ``note`` (of a node);
    #: ``unfinished`` while it is being written.
    kind: str
    #: The script's file name or the node's name; empty if it is not known.
    name: str
    #: The script's path, or ``flow.py:12`` for a node.
    where: str
    #: Bytes.
    size: int
    #: When it was last read or written, in seconds since 1970.
    used: float

    @property
    def key(self) -> str:
        """The key in the cache."""
        return self.file.partition(".")[0].removeprefix("note-")

    def is_named(self, name: str) -> bool:
        """Whether the user means this file by *name*: a key or the start of one, the name of a
        node, a script or its path.
        """
        is_key = len(name) >= _LEAST_PREFIX and self.key.startswith(name)
        return is_key or name == self.name or (self.where != "" and self._is_at(name))

    def _is_at(self, path: str) -> bool:
        return os.path.abspath(path) == os.path.abspath(self.where)


def cache_row(file: CacheFile) -> dict[str, object]:
    """*file* as a row of a table."""
    used = datetime.fromtimestamp(file.used, timezone.utc)
    return {
        "name": file.name or None,
        "kind": file.kind,
        "where": file.where or None,
        "key": file.key,
        "size": file.size,
        "used": used.isoformat(timespec="seconds"),
        "cache": file.cache,
    }


class StoredCache:
    """A cache on disk: that of Programs, or a DiskCache."""

    def __init__(self, shown: str, folder: str, holds_programs: bool) -> None:
        #: The folder as the user would write it.
        self.shown = shown
        self.folder = folder
        self.holds_programs = holds_programs

    def files(self) -> list[CacheFile]:
        """Its files, those used last first. Raises UsageError if others can write to the folder."""
        try:
            with Folder(self.folder) as folder:
                found = [*self._files(folder)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(_unusable(error, self.shown)) from None
        return sorted(found, key=lambda one: -one.used)

    def _files(self, folder: Folder) -> Iterator[CacheFile]:
        if not (self.holds_programs or disk.is_cache(folder)):
            return
        for used, size, file in folder.files():
            kind = self._kind(file)
            if kind:
                name, where = self._label(folder, file)
                yield CacheFile(self.shown, file, kind, name, where, size, used)

    def _kind(self, file: str) -> str:
        """What *file* holds; empty if it is no file of the cache."""
        if self.holds_programs:
            return programs.kind_of(file)
        if file in disk.MARKS:
            return ""
        if file.endswith(programs.PARTIAL):
            return "unfinished"
        return "note" if file.startswith("note-") else "result"

    def _label(self, folder: Folder, file: str) -> tuple[str, str]:
        """Name and place of what is in *file*; empty if it does not say, or cannot be trusted."""
        try:
            _, label = unlabelled(folder.read(file, last=_LONGEST_LABEL) or b"")
        except (OSError, UnicodeDecodeError):
            return "", ""
        if self.holds_programs:
            return (os.path.basename(label[0]), label[0]) if label else ("", "")
        return (label[0], label[1]) if len(label) > 1 else ("", "")

    def damage(self, file: CacheFile) -> str:
        """What is wrong with *file*; empty if it is whole, or gone."""
        if file.kind == "unfinished":
            return ""
        is_whole = programs.is_whole if self.holds_programs else disk.is_whole
        try:
            with Folder(self.folder) as folder:
                data = folder.read(file.file)
        except FileNotFoundError:
            return ""  # another process has removed it meanwhile
        except OSError as error:
            return f"cannot be read: {error.strerror or error}"
        if data is None:
            return "can be written by others, or belongs to somebody else"
        return "" if is_whole(file.file, data) else "damaged"

    def remove(self, files: Iterable[CacheFile]) -> None:
        """Remove *files*. Raises UsageError if one is still there after that."""
        names = {one.file for one in files}
        try:
            with Folder(self.folder) as folder:
                for name in names:
                    folder.remove(name)
                left = names.intersection(name for _, _, name in folder.files())
        except FileNotFoundError:
            return  # the user has removed the folder meanwhile
        if left:
            raise UsageError(
                f"cannot remove {min(left)} of {self.shown}, and {len(left) - 1} other files: is "
                "the folder writable?"
            )


def _unusable(error: OSError, shown: str) -> str:
    if isinstance(error, NotPrivateError):
        return f"{error}; the cache is not used, because what is in it is run"
    return f"cannot read the cache {shown}: {error.strerror or error}"


def find_caches(folders: Sequence[str] = (), around: str = ".") -> list[StoredCache]:
    """The caches in *folders*: of pipelines, as they were given to DiskCache, or the folder of
    Programs. Without any, that of Programs, and those of pipelines in the folder *around*, two
    levels deep.

    Raises UsageError for a folder without a cache.
    """
    if folders:
        return [_named(one) for one in dict.fromkeys(folders)]
    found = [one for one in _below(around, 2) if _is_results(one)]
    own = programs.cache_folder()
    return [StoredCache(own, own, True), *(_results(one) for one in sorted(found))]


def _named(folder: str) -> StoredCache:
    if os.path.realpath(folder) == os.path.realpath(programs.cache_folder()):
        return StoredCache(folder, folder, True)
    if _is_results(folder):
        return _results(folder)
    inside = os.path.dirname(os.path.abspath(folder))
    if os.path.basename(os.path.abspath(folder)) == "values" and _is_results(inside):
        return _results(os.path.dirname(folder.rstrip(os.sep)) or ".")
    near = [os.path.basename(one) for one in _below(".", 1) if _is_results(one)]
    raise UsageError(f"no cache in {folder!r}.{did_you_mean(folder, near)}")


def _results(folder: str) -> StoredCache:
    shown = os.path.relpath(folder) if folder.startswith("./") else folder
    return StoredCache(shown, os.path.join(os.path.abspath(folder), "values"), False)


def _is_results(folder: str) -> bool:
    """Whether *folder* looks like one of a DiskCache; ``StoredCache`` decides."""
    return os.path.isfile(os.path.join(folder, "values", "CACHEDIR.TAG"))


_MOST_FOLDERS = 2000
"""Folders that are looked into for caches: a data set may have a million."""


def _below(folder: str, levels: int) -> Iterator[str]:
    """The folders below *folder*, itself first; no links."""
    waiting, count = [(folder, levels)], 0
    while waiting and count < _MOST_FOLDERS:
        here, left = waiting.pop(0)
        count += 1
        yield here
        if left:
            waiting += [(one, left - 1) for one in _subfolders(here)]


def _subfolders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [one.path for one in entries if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(one for one in found if os.path.basename(one) not in (".git", "__pycache__"))


def too_old(files: Iterable[CacheFile], seconds: float) -> list[CacheFile]:
    """Those of *files* that nobody has used for so many *seconds*."""
    now = time.time()
    return [one for one in files if now - one.used > seconds]


def over_limit(files: Iterable[CacheFile], most_bytes: int) -> list[CacheFile]:
    """The least recently used of *files*, without which the rest has *most_bytes* or fewer."""
    ordered = sorted(files, key=lambda one: one.used)
    excess, found = sum(one.size for one in ordered) - most_bytes, []
    for one in ordered:
        if excess <= 0:
            break
        found.append(one)
        excess -= one.size
    return found


def abandoned(files: Iterable[CacheFile]) -> list[CacheFile]:
    """The unfinished ones of *files* whose process was killed."""
    return too_old([one for one in files if one.kind == "unfinished"], disk.ABANDONED)
