"""Files of ours on disk: written atomically; private cache folders that are kept below a size."""

from __future__ import annotations

import os
import sys
import threading
import time

_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# Results of nodes, kept by kohaku_ast. All of it may be removed.
# https://bford.info/cachedir/
"""
_MARKS = {"CACHEDIR.TAG": _TAG, ".gitignore": "*\n"}
_PARTIAL = ".partial"
_ABANDONED = 3600
"""Seconds after which an unfinished file is taken for one of a process that was killed."""


def make(folder: str) -> None:
    """Make *folder*, for this user alone; backups and git ignore it. Raises OSError."""
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    try:
        os.mkdir(folder, mode=0o700)
    except FileExistsError:
        pass
    for name, text in _MARKS.items():
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            write_atomically(path, text.encode())


def is_private(folder: str) -> bool:
    """Whether nobody else can write in *folder*."""
    if sys.platform == "win32":
        return True  # a user's folders are private there, and their modes say nothing
    found = os.stat(folder)
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def write_atomically(path: str, data: bytes, mode: int = 0o600) -> None:
    """Write *data* so that a reader sees the old file or the whole new one.

    A new file gets *mode*, less the umask. Raises OSError, and then the old file is unchanged.
    """
    partial = f"{path}.{os.getpid()}.{threading.get_ident()}{_PARTIAL}"
    try:
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, mode)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view[: 2**30]) :]
        finally:
            os.close(file)
        os.replace(partial, path)
    except BaseException:
        remove(partial)
        raise


def replace_users_file(path: str, data: bytes, like: str = "") -> None:
    """Write *data* to a file that the user has named: whole and safely on disk, or not at all.

    A link stays, and its target is replaced. The permissions stay; a new file is executable if the
    file *like* is. Raises OSError.
    """
    target = os.path.realpath(path)
    partial = f"{target}.{os.getpid()}"
    try:
        with open(partial, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, _mode(partial, target, like))
        os.replace(partial, target)
    except BaseException as error:
        if not isinstance(error, FileExistsError):  # that one is somebody else's
            remove(partial)
        raise


def _mode(partial: str, target: str, like: str) -> int:
    """The permissions of the replaced file, else those of a new file."""
    if os.path.exists(target):
        return os.stat(target).st_mode & 0o7777
    executable = os.stat(like).st_mode & 0o111 if like else 0
    return (os.stat(partial).st_mode | executable) & 0o7777


def trim(folder: str, most_bytes: int) -> None:
    """Remove the least recently used files of *folder* if it holds more than *most_bytes*, until
    it holds a tenth less than that.

    Unfinished files of killed processes are removed in any case.
    """
    found = _entries(folder)
    total = sum(size for _, size, _ in found)
    if total <= most_bytes:
        return
    for _, size, path in sorted(found):
        if total <= most_bytes * 0.9:
            return
        remove(path)
        total -= size


def _entries(folder: str) -> list[tuple[float, int, str]]:
    """Last use, size and path of each file."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in _MARKS:
                    continue
                try:
                    known = entry.stat()
                except FileNotFoundError:
                    continue  # another process removed it first
                if entry.name.endswith(_PARTIAL):
                    if time.time() - known.st_mtime > _ABANDONED:
                        remove(entry.path)
                    continue
                found.append((known.st_mtime, known.st_size, entry.path))
    except OSError:
        pass  # no folder: nothing to trim
    return found


def remove(path: str) -> None:
    """Remove the file *path*, if it is there and may be removed."""
    try:
        os.remove(path)
    except OSError:
        pass


_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
