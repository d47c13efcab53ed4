"""Files on disk: those of ours are written atomically; those of the user are read up to a limit."""

from __future__ import annotations

import errno
import os
from _thread import get_ident
from stat import S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_PARTIAL = ".partial"
_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_MOST_INPUT = 128 * 2**20
"""Bytes of a config, a table, or a script from a pipe. ``/dev/zero`` has no end."""


def read_input(path: str) -> bytes:
    """The bytes of a file that the user has named; it may be a pipe or a device that ends.

    Raises OSError, also for one that holds more bytes than anybody writes for such a purpose.
    """
    with open(path, "rb") as file:
        return read_limited(file)


def read_limited(file: BinaryIO) -> bytes:
    """The rest of *file*; raises OSError if it is too long, as for ``read_input``."""
    data = file.read(_MOST_INPUT + 1)
    if len(data) > _MOST_INPUT:
        raise OSError(errno.EFBIG, f"it holds more than {_MOST_INPUT >> 20} MiB, or has no end")
    return data


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """The file *path* of a record, to be read. Raises OSError for a pipe, which would keep its
    reader waiting, and for a link, which may lead to a file of somebody else.
    """
    number = os.open(path, os.O_RDONLY | _BINARY | _AT_ONCE)
    if S_ISREG(os.fstat(number).st_mode):
        return open(number, "rb")
    os.close(number)
    raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))


_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def write_atomically(path: str, data: bytes, mode: int = 0o600) -> None:
    """Write *data* so that a reader sees the old file or the whole new one.

    A new file gets *mode*, less the umask. Raises OSError, and then the old file is unchanged.
    """
    partial = f"{path}.{os.getpid()}.{get_ident()}{_PARTIAL}"
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


def short_path(file: str) -> str:
    """The path from the working folder, if it is inside."""
    try:
        short = os.path.relpath(file)
    except (OSError, ValueError):  # the folder was removed; another drive
        return file
    return file if short.startswith(os.pardir) else short


def why_outside(path: str) -> str:
    """Why *path* does not name something inside of a folder; empty if it does."""
    parts = path.replace(os.sep, "/").split("/")
    if not any(one not in ("", ".") for one in parts):
        return "it names nothing"
    if os.path.isabs(path) or os.path.splitdrive(path)[0]:
        return "it is absolute"
    return "it leaves the folder by .." if os.pardir in parts else ""


def remove(path: str) -> None:
    """Remove the file *path*, if it is there and may be removed."""
    try:
        os.remove(path)
    except OSError:  # nothing depends on it: it stays, or is gone already
        pass


class Claims:
    """Things that one process at a time may have, by name: each is a lock on one byte of a file.

    They end with the process, however it ends. Where there are no locks, everybody gets all.
    """

    def __init__(self, path: str) -> None:
        """*path* is the file, which is made when it is needed."""
        self._path, self._file = path, -1

    def take(self, name: str) -> bool:
        """Whether this process has *name* now: no other process has it."""
        return self._lock(name, is_taken=True)

    def give_back(self, name: str) -> None:
        """Let other processes have *name*."""
        if self._file >= 0:
            self._lock(name, is_taken=False)

    def close(self) -> None:
        """Give back everything."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _lock(self, name: str, is_taken: bool) -> bool:
        try:
            import fcntl

            if self._file < 0:
                flags = os.O_RDWR | os.O_CREAT | _BINARY
                self._file = os.open(self._path, flags, 0o600)
            how = fcntl.LOCK_EX | fcntl.LOCK_NB if is_taken else fcntl.LOCK_UN
            # POSIX locks: a child process that the user's code forks does not inherit them.
            fcntl.lockf(self._file, how, 1, _place_of(name))
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EAGAIN)
        except ImportError:  # Windows
            pass
        return True


def _place_of(name: str) -> int:
    """The byte for *name*, which no other name is likely to have."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(name.encode(), digest_size=7).digest(), "little")
