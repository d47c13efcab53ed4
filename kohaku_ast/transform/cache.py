"""Programs, and what else is made of a script, on disk, by content: a wrong or unwritable cache
is a slow run, never a failed one.

On the warm path: imports nothing heavy.
"""

from __future__ import annotations

import os
import sys

from kohaku_ast.transform import program

try:
    from _blake2 import blake2b  # hashlib loads OpenSSL first: 3 ms of a start of 30
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.transform.program import Program
    from kohaku_ast.transform.request import Request

MOST_BYTES = 64 * 2**20
MOST_FILES = 4000
"""The cache is brought below both by removing what was not used for longest. Who stores something
looks at every file: of 40,000 small ones that took 80 ms.
"""

_SUFFIX = ".program"


def cache_folder() -> str:
    """Where Programs are kept: ``$KOGINE_CACHE``, else the platform's place for caches."""
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
    """Differs whenever the Program may: content, path, request, flags and every version."""
    what = (
        program.FORMAT, version, sys.version, sys.implementation.cache_tag, sys.flags.optimize,
        filename, request.key(),
    )  # fmt: skip
    return content_key(what, data)


def content_key(what: object, data: bytes) -> str:
    """A name that differs whenever *data* does, or what is printed of *what*."""
    return blake2b(repr(what).encode("utf-8", "surrogatepass") + data, digest_size=20).hexdigest()


def load(key: str) -> Program | None:
    """The Program kept under *key*, or None."""
    try:
        return program.loads(load_bytes(key + _SUFFIX) or b"")
    except (ValueError, EOFError, TypeError):
        return None


def store(key: str, new: Program) -> bool:
    """Keep *new* under *key*; False if the cache cannot be written."""
    return store_bytes(key + _SUFFIX, new.dumps())


def load_bytes(name: str) -> bytes | None:
    """What was stored under *name*, whole, or None."""
    path = os.path.join(cache_folder(), name)
    try:
        if not _is_private(os.path.dirname(path)):
            return None
        with open(path, "rb") as file:
            found = _checked(file.read())
    except (OSError, ValueError):
        return None
    try:
        os.utime(path)  # used now: the last to be removed
    except OSError:
        pass  # a cache that can only be read is still a cache
    return found


def store_bytes(name: str, data: bytes) -> bool:
    """Keep *data* under *name*, the name of a file; False if the cache cannot be written."""
    path = os.path.join(cache_folder(), name)
    partial = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        if not _is_private(os.path.dirname(path)):
            return False
        with open(partial, "wb") as file:
            file.write(_digest(data) + data)
        # Readers see the old file or the whole new one, however many processes write.
        os.replace(partial, path)
        _trim(os.path.dirname(path))
    except OSError:
        _remove(partial)
        return False
    return True


def _is_private(folder: str) -> bool:
    """Whether nobody else can write there: what is read from it is run."""
    if sys.platform == "win32":
        return True  # a user's folders are private there, and their modes say nothing
    found = os.stat(folder)
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _checked(stored: bytes) -> bytes:
    """The data of a whole file: marshal may crash the interpreter on a damaged one."""
    digest, data = stored[:16], stored[16:]
    if digest != _digest(data):
        raise ValueError("damaged")
    return data


def _trim(folder: str) -> None:
    with os.scandir(folder) as found:
        stats = [(entry.stat(), entry.path) for entry in found]
    files = [(one.st_mtime, one.st_size, path) for one, path in stats]
    total, count = sum(size for _, size, _ in files), len(files)
    if total <= MOST_BYTES and count <= MOST_FILES:
        return
    for _, size, path in sorted(files):
        if total <= MOST_BYTES and count <= MOST_FILES:
            return
        _remove(path)
        total, count = total - size, count - 1


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass  # another process removed it first
