"""Artifacts: files of the user, such as checkpoints, as objects of the store, by their content.

The content of an object never changes. It is a copy (a clone where the file system has these) that
nobody can write to; or a file that only readers have open, which is read-only from then on. Where
modes keep a user from nothing (root) there are copies only.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from kohaku_ast import files
from kohaku_ast.store.run_folder import FILES, REMOVED, RUNS, mark_root
from kohaku_ast.store.sources import Objects

MOST_FILES = 10_000
"""Files of one run that are kept: more are a pattern that fits a folder of data."""

_READ_ONLY = 0o400
_CHUNK = 1 << 20
_CLONE = 0x40049409
"""FICLONE of Linux: btrfs, XFS and others share the blocks of both files until one is written."""
_LONGEST_WAIT = 50_000_000
"""Nanoseconds."""


@dataclass(frozen=True)
class Artifact:
    """A file that was kept of a run: an entry of the field ``artifacts``."""

    #: From the working folder of the run, or from the folder for its files.
    path: str
    size: int
    #: None if it could not be kept.
    sha256: str | None
    #: Its permissions.
    mode: int
    #: Whether it was in the folder for the files of the run.
    in_files: bool = False
    #: Why it could not be kept.
    problem: str = ""

    def fields(self) -> dict[str, object]:
        """The entry in run.json."""
        found: dict[str, object] = {
            "path": self.path, "size": self.size, "sha256": self.sha256, "mode": f"{self.mode:04o}",
        }  # fmt: skip
        return {
            **found,
            **({"in_files": True} if self.in_files else {}),
            **({"problem": self.problem} if self.problem else {}),
        }

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Artifact:
        """The artifact of an entry. Raises ValueError, also for a path that leaves its folder: a
        record may be from somebody else.
        """
        path, digest = str(fields["path"]), fields["sha256"]
        if files.why_outside(path):
            raise ValueError(f"the path {path!r}")
        return cls(
            path, int(fields["size"]), None if digest is None else str(digest),
            int(str(fields["mode"]), 8) & 0o777, bool(fields.get("in_files")),
            str(fields.get("problem", "")),
        )  # fmt: skip


def artifacts_of(facts: Mapping[str, Any]) -> list[Artifact]:
    """What was kept of the run with these *facts*, and what could not be; none in records of
    earlier versions. Raises ValueError, LookupError or TypeError for damaged ones.
    """
    return [Artifact.of(one) for one in facts.get("artifacts") or ()]


def artifact_files(folder: Path, facts: Mapping[str, Any]) -> dict[str, str]:
    """Of the run in *folder*: the path of each artifact -> the file of the store that has it."""
    objects = objects_of(folder)
    try:
        kept = artifacts_of(facts)
    except (ValueError, LookupError, TypeError):
        return {}
    return {one.path: str(objects.path(one.sha256)) for one in kept if one.sha256}


def known_hashes(facts: Mapping[str, Any]) -> dict[str, str]:
    """Path -> SHA-256 of the artifacts in the folder for the files of a run."""
    return {
        one.path: one.sha256
        for one in artifacts_of(facts)
        if one.in_files and one.sha256 is not None
    }


def objects_of(folder: Path) -> Objects:
    """The objects of the store with the run in *folder*; it may be a removed one."""
    root = folder.absolute().parent
    return Objects(root.parent if root.name == REMOVED else root)


# --- which files ---------------------------------------------------------------------------------

Stamp = tuple[int, ...]
"""Changes whenever somebody writes to a file, or puts another one in its place."""


def stamp_of(path: str) -> Stamp | None:
    """The Stamp of the file at *path*; None if there is no file, or something else."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    # The last one as well: who copies a file with its time sets the other one back.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def find_files(folder: str, pattern: str) -> Iterator[str]:
    """The paths of the files in *folder* that fit *pattern*, each once, and all files in a folder
    that fits. Without the store itself.
    """
    import glob  # here: most flows keep no files

    walked: set[str] = set()
    for found in glob.iglob(pattern, root_dir=folder, recursive=True):
        path = os.path.normpath(found)
        if _parents(path) & walked or _is_of_store(path):
            continue
        if not os.path.isdir(os.path.join(folder, path)):
            yield path
            continue
        walked.add(path)
        yield from _files_below(folder, path)


def _files_below(folder: str, path: str) -> Iterator[str]:
    for here, folders, names in os.walk(os.path.join(folder, path)):
        inside = os.path.normpath(os.path.relpath(here, folder))
        folders[:] = sorted(
            one for one in folders if not _is_of_store(os.path.normpath(f"{inside}/{one}"))
        )
        yield from (os.path.normpath(os.path.join(inside, name)) for name in sorted(names))


def _parents(path: str) -> set[str]:
    """*path* and all folders above it."""
    parts = path.split(os.sep)
    return {".", *(os.sep.join(parts[: count + 1]) for count in range(len(parts)))}


def _is_of_store(path: str) -> bool:
    return RUNS.parts[0] in path.split(os.sep)


def snapshot(folder: str, patterns: Collection[str]) -> dict[str, Stamp]:
    """Path -> Stamp of each file that fits one of *patterns* now. Who writes to one of them after
    this call gives it another Stamp.
    """
    found = {
        path: stamp
        for pattern in patterns
        for path in find_files(folder, pattern)
        if (stamp := stamp_of(os.path.join(folder, path))) is not None
    }
    latest = _file_clock() + _LONGEST_WAIT  # a file with a time to come gets another one
    times = (one for stamp in found.values() for one in stamp[-2:] if one < latest)
    newest = max(times, default=0)
    # The clock of files goes in steps of some milliseconds: a file that is written twice in one
    # step has one time.
    while _file_clock() <= newest:
        time.sleep(0.001)
    return found


def _file_clock() -> int:
    """The time, in nanoseconds, that a file would get now."""
    return time.clock_gettime_ns(_COARSE) if sys.platform == "linux" else time.time_ns()


_COARSE = 5
"""CLOCK_REALTIME_COARSE."""


# --- to keep a file ------------------------------------------------------------------------------


def keep_file(objects: Objects, path: str, links: bool = False) -> tuple[str, int, int]:
    """Keep the content of the file at *path*: SHA-256, size and permissions. With *links* the file
    becomes read-only, and is the object itself, if nobody can write to it then. Raises OSError.
    """
    with open(path, "rb") as source:
        found = os.fstat(source.fileno())
        mode = stat.S_IMODE(found.st_mode) & 0o777
        if links and can_link() and found.st_nlink == 1:
            digest = _keep_link(objects, path, source, mode)
            if digest:
                return digest, found.st_size, mode
        return *_keep_copy(objects, source), mode


def can_link() -> bool:
    """Whether modes keep this user from writing to a read-only file."""
    return hasattr(os, "geteuid") and os.geteuid() != 0


def _keep_copy(objects: Objects, source: BinaryIO) -> tuple[str, int]:
    partial = _partial(objects)
    try:
        digest, size = _copy(source, partial, _READ_ONLY)
        if not _is_whole_link(objects.path(digest), digest):
            _put(objects, partial, digest)
    finally:
        files.remove(partial)
    return digest, size


PARTIAL = ".partial"
"""The end of the names of objects that are being copied, in the folder of all of them."""


def _put(objects: Objects, partial: str, digest: str) -> bool:
    """Let *partial* be the object *digest*, also in the place of one that is there: somebody may
    have damaged that, and to look takes as long as to copy. Whether it is the object now.
    """
    path = objects.path(digest)
    try:
        path.parent.mkdir(0o700, exist_ok=True)
        os.replace(partial, path)
    except PermissionError:
        if not path.exists():
            raise
        return False  # this user may only read it
    return True


def _is_whole_link(path: Path, digest: str) -> bool:
    """Whether the object *path* is the file of a run itself, and whole: a copy in its place would
    take the room of both.
    """
    try:
        if os.stat(path).st_nlink == 1 or hash_file(str(path)) != digest:
            return False
        os.utime(path)  # fresh: gc leaves it for the record that is about to be written
    except FileNotFoundError:
        return False
    except PermissionError:
        pass  # this user may only read it
    return True


def _keep_link(objects: Objects, path: str, source: BinaryIO, mode: int) -> str:
    """Make the file itself the object; its SHA-256. Empty if somebody can still write to it, or if
    the file system has no links.
    """
    os.chmod(path, mode & ~0o222)
    digest, is_object = "", False
    partial = _partial(objects)
    try:
        if not _has_writer(source):
            os.link(path, partial)
            digest = _digest(source)
            os.utime(path)  # as for a copy
            is_object = _put(objects, partial, digest)
    except OSError:
        digest = ""
    finally:
        files.remove(partial)
        if not is_object:
            os.chmod(path, mode)
    source.seek(0)
    return digest


def _partial(objects: Objects) -> str:
    mark_root(objects.folder)
    return str(objects.folder / f"{os.getpid()}.{time.monotonic_ns()}{PARTIAL}")


def _has_writer(file: BinaryIO) -> bool:
    """Whether a process has *file* open for writing, or nobody knows."""
    try:
        import fcntl

        # Should somebody open it just now, the signal is one that does nothing: not SIGIO.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (ImportError, AttributeError, OSError):
        return True
    return False


def hash_file(path: str) -> str:
    """The SHA-256 of the file at *path*. Raises OSError."""
    with open(path, "rb") as file:
        return _digest(file)


def _digest(source: BinaryIO) -> str:
    digest = sha256()
    while data := source.read(_CHUNK):
        digest.update(data)
    return digest.hexdigest()


def _copy(
    source: BinaryIO, target: str, mode: int, also: Callable[[bytes], object] = len
) -> tuple[str, int]:
    """Copy *source* to the new file *target* with *mode*, as a clone if possible; SHA-256 and size
    of what *target* has. *also* gets all its bytes. Raises OSError.
    """
    digest = sha256()
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with open(os.open(target, flags, 0o600), "w+b", buffering=0) as copy:
        # Of a clone, what it has is counted: somebody may still write to the source.
        is_clone = _clone(source, copy)
        size = 0
        while data := (copy if is_clone else source).read(_CHUNK):
            digest.update(data)
            also(data)
            size += len(data)
            _write(copy, b"" if is_clone else data)
        if hasattr(os, "fchmod"):
            os.fchmod(copy.fileno(), mode)
    return digest.hexdigest(), size


def _write(file: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _clone(source: BinaryIO, copy: Any) -> bool:
    try:
        import fcntl

        fcntl.ioctl(copy.fileno(), _CLONE, source.fileno())
    except (ImportError, OSError):
        return False
    return True


# --- to get one back -----------------------------------------------------------------------------


def restore_file(
    source: str,
    target: str,
    expected: str | None,
    mode: int,
    also: Callable[[bytes], object] = len,
) -> None:
    """Copy *source* to *target*, as a whole, in place of a file that is there; *also* gets all its
    bytes. Raises OSError, and ValueError if its SHA-256 is not *expected*.
    """
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    partial = f"{target}.{os.getpid()}{PARTIAL}"
    try:
        with open(source, "rb") as opened:
            found, _ = _copy(opened, partial, mode, also)
        if expected is not None and found != expected:
            raise ValueError(source)
        os.replace(partial, target)
    finally:
        files.remove(partial)


def is_same_file(path: str, size: int, digest: str | None, source: str) -> bool:
    """Whether the file at *path* has the content of *source*, of *size* bytes and this SHA-256."""
    try:
        if not os.path.isfile(path) or os.stat(path).st_size != size:
            return False
        return hash_file(path) == (digest or hash_file(source))
    except OSError:
        return False


def mend(folder: Path, facts: Mapping[str, Any], artifact: Artifact) -> bool:
    """Keep *artifact* of the run in *folder* once more, from where the run has written it; whether
    the same content was still there.
    """
    place = folder / FILES if artifact.in_files else Path(str(facts["cwd"]))
    path = str(place / artifact.path)
    if artifact.sha256 is None or not is_same_file(path, artifact.size, artifact.sha256, ""):
        return False
    try:
        return keep_file(objects_of(folder), path)[0] == artifact.sha256
    except OSError:
        return False


def other_files(folder: Path, facts: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Of the run in *folder*: path and file of what is in the folder for its files and is no
    artifact.
    """
    folder, kept = folder / FILES, known_hashes(facts)
    for here, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(here, name), folder).replace(os.sep, "/")
            if path not in kept and os.path.isfile(folder / path):
                yield path, folder / path
