"""The cache on disk of Programs and of facts about scripts, keyed by content. A damaged or
unwritable cache makes a slow run, never a failed one.

On the warm path: it imports two small C modules at most.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

from kohaku_ast.transform.program import program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.transform.program.program import Program, Request


try:
    from _blake2 import blake2b  # hashlib loads OpenSSL first: 3 ms of a start of 30
except ImportError:
    from hashlib import blake2b

MOST_BYTES = 64 * 2**20
MOST_FILES = 4000
"""Above either limit the least recently used files are removed. Each store looks at every file: for
40,000 small ones that took 80 ms.
"""

_SUFFIX = ".program"
PARTIAL = ".partial"
"""The end of the name of a file that is being written."""
KINDS = {_SUFFIX: "program", ".options": "options", ".listing": "listing"}
"""The end of a file's name -> what it holds: a Program, facts about a script's options, its
targets. A file with another end is not of this cache.
"""
_LABELLED = b"kogine label"
_MOST_AT_ONCE = 2**30
"""Bytes: one call writes no more than 2 GiB."""


def cache_folder() -> str:
    """The folder of the cache: ``$KOGINE_CACHE``, else the platform's folder for caches."""
    chosen = os.environ.get("KOGINE_CACHE")
    if chosen:
        return chosen
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(base, "kogine")


def cache_key(data: bytes, filename: str, request: Request, version: str) -> str:
    """A key that differs whenever the Program may: by content, path, request, flags and every
    version.
    """
    identity = (
        program.FORMAT, version, sys.version, sys.implementation.cache_tag, sys.flags.optimize,
        filename, request.key(),
    )  # fmt: skip
    return content_key(identity, data)


def content_key(identity: object, data: bytes) -> str:
    """A name that differs whenever *data* or the ``repr`` of *identity* does."""
    return blake2b(
        repr(identity).encode("utf-8", "surrogatepass") + data, digest_size=20
    ).hexdigest()


def load(key: str) -> Program | None:
    """The Program stored under *key*, or None."""
    try:
        return program.loads(load_bytes(key + _SUFFIX) or b"")
    except (ValueError, EOFError, TypeError):
        return None


def store(key: str, new: Program) -> bool:
    """Store *new* under *key*; False if the cache cannot be written."""
    return store_bytes(key + _SUFFIX, labelled(new.dumps(), new.filename))


def load_bytes(name: str) -> bytes | None:
    """The bytes stored under *name*; None if there are none, or they are damaged or not private."""
    try:
        with Folder() as folder:
            stored = folder.read(name)
            if stored is None:
                return None
            found = _checked(name, stored)
            folder.touch(name)
    except (OSError, ValueError):
        return None
    return found


def store_bytes(name: str, data: bytes) -> bool:
    """Store *data* in the file *name*; False if the cache cannot be written."""
    try:
        with Folder(make=True) as folder:
            folder.write(name, _digest(name, data) + data)
            _trim(folder)
    except OSError:
        return False
    return True


def kind_of(name: str) -> str:
    """What the file *name* holds, as in ``KINDS``; ``unfinished`` if it is being written; empty for
    a file that is not of this cache.
    """
    whole = name.rsplit(".", 3)[0] if name.endswith(PARTIAL) else name
    kind = KINDS.get(whole[whole.rfind(".") :], "")
    return "unfinished" if kind and whole != name else kind


def labelled(data: bytes, *label: str) -> bytes:
    """*data* with texts after it that say what it is of; marshal and pickle overlook them."""
    text = "\0".join(label).encode("utf-8", "surrogatepass")
    return data + text + len(text).to_bytes(4, "little") + _LABELLED


def unlabelled(data: bytes) -> tuple[bytes, list[str]]:
    """*data* without its label, and the texts of the label; none if it has none. Of data that
    lacks its beginning, with a label that is longer than the rest, the label is none, too.
    """
    foot = len(_LABELLED) + 4
    if not data.endswith(_LABELLED) or len(data) < foot:
        return data, []
    start = len(data) - foot - int.from_bytes(data[-foot : 4 - foot], "little")
    if start < 0:
        return data, []
    return data[:start], data[start:-foot].decode("utf-8", "surrogatepass").split("\0")


class NotPrivateError(OSError):
    """Others can write to a folder, or put another one in its place; the message names it."""


class Folder:
    """A folder of a cache, opened once: every call uses this folder, even if its path is replaced
    meanwhile.
    """

    __slots__ = ("_number", "_path")

    def __init__(self, path: str = "", *, make: bool = False) -> None:
        """Open *path*, by default the folder of this cache, and make it first if *make*.

        Raises OSError; NotPrivateError if others can write to it or replace it.
        """
        self._path, self._number = path or cache_folder(), -1
        if make:
            os.makedirs(self._path, mode=0o700, exist_ok=True)
        if sys.platform == "win32":
            return  # a user's folders are private there, and cannot be opened
        self._number = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._refuse_others()
        except OSError:
            self.__exit__()
            raise

    def _refuse_others(self) -> None:
        if not _is_private(self._number):
            raise NotPrivateError(f"{self._path} can be written by others")
        if self._path not in _SAFE:
            parent = _replaceable_in(self._path)
            if parent:
                raise NotPrivateError(
                    f"{parent} can be written by others and is not sticky, so that they can "
                    f"replace {self._path}"
                )
            _SAFE.add(self._path)

    def read(self, name: str, last: int = 0) -> bytes | None:
        """The bytes of the file *name*, or its *last* ones alone; None if others may have written
        it. Raises OSError.
        """
        # O_NONBLOCK: a pipe that somebody has put there would wait for a writer.
        number = self.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(number, "rb", 0) as file:
            if last:
                file.seek(max(0, os.fstat(number).st_size - last))
            return file.read() if _is_private(number) else None

    def open(self, name: str, flags: int) -> int:
        """The descriptor of the file *name*; a new file is readable by its owner only."""
        flags |= getattr(os, "O_BINARY", 0)
        return os.open(self._at(name), flags, 0o600, dir_fd=self._folder)

    def write(self, name: str, data: bytes) -> None:
        """Write *data* to the file *name*, atomically."""
        partial = f"{name}.{os.getpid()}.{get_ident()}{PARTIAL}"
        number = self.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(number, view[:_MOST_AT_ONCE]) :]
            finally:
                os.close(number)
            # Readers see the old file or the whole new one, however many processes write.
            os.replace(
                self._at(partial), self._at(name), src_dir_fd=self._folder, dst_dir_fd=self._folder
            )
        except BaseException:
            self.remove(partial)
            raise

    def touch(self, name: str) -> None:
        """Mark *name* as the most recently used: it is removed last."""
        try:
            os.utime(self._at(name), dir_fd=self._folder)
        except OSError:
            pass  # a cache that can only be read is still a cache

    def remove(self, name: str) -> None:
        """Remove *name*, if it is still there."""
        try:
            os.remove(self._at(name), dir_fd=self._folder)
        except OSError:  # it is gone, or this user may not remove it
            pass

    def files(self) -> list[tuple[float, int, str]]:
        """Each file's time of last use, size and name."""
        with os.scandir(self._path if self._folder is None else self._folder) as found:
            stats = [(one.stat(follow_symlinks=False), one.name) for one in found]
        return [(one.st_mtime, one.st_size, name) for one, name in stats]

    @property
    def _folder(self) -> int | None:
        return None if self._number < 0 else self._number

    def _at(self, name: str) -> str:
        return os.path.join(self._path, name) if self._folder is None else name

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._number >= 0:
            os.close(self._number)
            self._number = -1


def _is_private(number: int) -> bool:
    """Whether the opened file or folder belongs to the user and nobody else can write to it:
    code from it is run.
    """
    if sys.platform == "win32":
        return True  # modes have no meaning there
    found = os.fstat(number)
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


_SAFE: set[str] = set()
"""The folders that nobody else can replace, as this process has found."""


def _replaceable_in(path: str) -> str:
    """The folder above *path* whose entries others can replace; empty if there is none."""
    for here in {os.path.abspath(path), os.path.realpath(path)}:
        while here != (here := os.path.dirname(here)):
            found = os.stat(here)
            # A group with the number of the user is his own: many systems let it write by default.
            is_own = found.st_gid == os.getuid() == os.getgid()
            if found.st_mode & (0o002 if is_own else 0o022) and not found.st_mode & _STICKY:
                return here
    return ""


_STICKY = 0o1000
"""The mode of a folder in which only the owner of an entry can replace it, as in ``/tmp``."""


def is_whole(name: str, stored: bytes) -> bool:
    """Whether *stored* is what was written to the file *name*."""
    return stored[:16] == _digest(name, stored[16:])


def _digest(name: str, data: bytes) -> bytes:
    return blake2b(name.encode() + b"\0" + data, digest_size=16).digest()


def _checked(name: str, stored: bytes) -> bytes:
    """The data of *stored*, the content of the file *name*; raises ValueError if it is damaged:
    marshal may crash the interpreter on it. The digest covers the name: a renamed file is
    another script.
    """
    if not is_whole(name, stored):
        raise ValueError("damaged")
    return stored[16:]


def _trim(folder: Folder) -> None:
    # $KOGINE_CACHE may be a folder with other files in it, which are the user's.
    files = [one for one in folder.files() if kind_of(one[2])]
    total, count = sum(size for _, size, _ in files), len(files)
    if total <= MOST_BYTES and count <= MOST_FILES:
        return
    for _, size, name in sorted(files):
        if total <= MOST_BYTES and count <= MOST_FILES:
            return
        folder.remove(name)
        total, count = total - size, count - 1
