"""DiskCache: results in files, one for each key, without an index, for any number of processes."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import warnings
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from kohaku_ast.errors import (
    PATHS,
    CacheWarning,
    PipelineError,
    PipelineTypeError,
    check_type,
)
from kohaku_ast.transform.program.cache import (
    PARTIAL,
    Folder,
    NotPrivateError,
    labelled,
    unlabelled,
)
from kohaku_ast.users_traceback import public

_DIGEST = 16
_SHARE = 16
"""A process measures the folder each time that it has written this part of the limit."""


class DiskCache:
    """Caches the results of nodes in *folder*, which the first ``store`` makes.

    If the files together exceed *most_bytes*, the least recently used are removed; each process
    that writes may exceed it by a sixteenth for a moment. A damaged file counts as no result and is
    replaced. If the folder cannot be written, runs are slow, with one CacheWarning.
    """

    @public
    def __init__(self, folder: str | os.PathLike[str], most_bytes: int | None = 10 * 2**30) -> None:
        if most_bytes is not None and (not isinstance(most_bytes, int) or most_bytes <= 0):
            kind = PipelineError if isinstance(most_bytes, int) else PipelineTypeError
            raise kind(f"most_bytes is {most_bytes!r}; it must be more than 0, or None.")
        check_type(folder, PATHS, "folder is a folder's name", PipelineError)
        #: The folder as given; the files are in its folder ``values``.
        self.folder = Path(folder)
        self.most_bytes = most_bytes
        self._start()

    def _start(self) -> None:
        self._values = os.path.join(os.path.abspath(self.folder), "values")
        self._warnings = WarnOnce()
        self._lock = threading.Lock()
        self._unmeasured: int | None = None  # bytes written since; None: never measured
        self._touched: set[str] = set()

    def load(self, key: str) -> Hit | None:
        """The result stored under *key*, as a new object; None if there is no whole one."""
        data = self._read(key)
        return None if data is None else loads(data)

    def store(self, key: str, value: Any, label: tuple[str, ...] = ()) -> None:
        """Store *value* under *key*, atomically for readers. Raises NotCacheable if it is larger
        than ``most_bytes`` or cannot be pickled. ``kogine cache ls`` shows *label*: the name of the
        node and where it is.
        """
        data = dumps(value)
        if self.most_bytes is not None and len(data) > self.most_bytes:
            raise too_large(len(data))
        self._write(key, labelled(data, *label) if label else data)

    def load_note(self, name: str) -> bytes | None:
        """The data that :meth:`store_note` stored."""
        return self._read(f"note-{name}")

    def store_note(self, name: str, data: bytes) -> None:
        """Store *data*, which ``explain_cache`` compares with, in the same way as results."""
        self._write(f"note-{name}", data)

    def clear(self) -> None:
        """Remove every result."""
        self._trim(0)

    def _read(self, key: str) -> bytes | None:
        try:
            with Folder(self._values) as folder:
                stored = folder.read(key)
                if stored is None:
                    return None
                if not is_whole(key, stored):
                    return None
                if key not in self._touched:  # once for each process (2 us)
                    self._touched.add(key)
                    folder.touch(key)
                return unlabelled(stored[_DIGEST:])[0]
        except NotPrivateError as error:
            self._warn_of_others(error)
        except OSError:
            pass  # there is none
        return None

    def _write(self, key: str, data: bytes) -> None:
        try:
            with self._open_to_write() as folder:
                folder.write(key, _digest(key, data) + data)
            self._count(len(data))
        except NotPrivateError as error:
            self._warn_of_others(error)
        except OSError as error:
            self._warnings.warn(
                "write", f"results cannot be stored in {self._values} ({error}). {_UNWRITABLE}"
            )

    def _open_to_write(self) -> Folder:
        """The folder, made for this user alone; backups and git ignore it."""
        try:
            return Folder(self._values)
        except FileNotFoundError:
            pass
        # The folder above is the one that the user has named: private, too, where it is new.
        os.makedirs(os.path.dirname(self._values), mode=0o700, exist_ok=True)
        folder = Folder(self._values, make=True)
        try:
            for name, text in MARKS.items():
                folder.write(name, text)
        except BaseException:
            folder.__exit__()
            raise
        return folder

    def _warn_of_others(self, error: NotPrivateError) -> None:
        self._warnings.warn("folder", f"{error}; {_OTHERS}")

    def _count(self, size: int) -> None:
        """Measure the folder at the first write and then whenever much was written."""
        if self.most_bytes is None:
            return
        with self._lock:
            if self._unmeasured is not None:
                self._unmeasured += size
                if self._unmeasured * _SHARE < self.most_bytes:
                    return
            self._unmeasured = 0
        self._trim(self.most_bytes)
        self._touched.clear()

    def _trim(self, most_bytes: int) -> None:
        """If the folder holds more than *most_bytes*, remove what was not used for longest, until
        it holds a tenth less. Unfinished files of killed processes are removed in any case.
        """
        try:
            with Folder(self._values) as folder:
                if not is_cache(folder):
                    return  # it was there before: the files in it may be the user's
                found = [one for one in folder.files() if one[2] not in MARKS]
                total = 0
                for used, size, name in found:
                    if not name.endswith(PARTIAL):
                        total += size
                    elif time.time() - used > ABANDONED:
                        folder.remove(name)
                if total > most_bytes:
                    _remove_oldest(folder, found, total - most_bytes * 0.9)
        except OSError:
            pass  # there is no folder, or it is not ours

    def __reduce__(self) -> tuple[Any, ...]:
        return DiskCache, (os.path.dirname(self._values), self.most_bytes)

    def __repr__(self) -> str:
        return f"DiskCache({str(self.folder)!r})"


MARKS = {
    "CACHEDIR.TAG": b"""Signature: 8a477f597d28d172789f06886806bc55
# Results of nodes, kept by kohaku_ast. All of it may be removed.
# https://bford.info/cachedir/
""",
    ".gitignore": b"*\n",
}
ABANDONED = 3600
"""Seconds after which an unfinished file is taken for one of a process that was killed."""
_OTHERS = "the cache is not used, because a cached result can run code. Use a folder of your own."
_UNWRITABLE = "The run goes on without a cache; give it another folder, or free some space."


def is_cache(folder: Folder) -> bool:
    """Whether a DiskCache made *folder*."""
    try:
        return folder.read("CACHEDIR.TAG") == MARKS["CACHEDIR.TAG"]
    except OSError:
        return False


def is_whole(key: str, stored: bytes) -> bool:
    """Whether *stored* is what was written to the file *key*."""
    return stored[:_DIGEST] == _digest(key, stored[_DIGEST:])


def _digest(key: str, data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST, key=key.encode()[:64]).digest()


def _remove_oldest(folder: Folder, found: list[tuple[float, int, str]], excess: float) -> None:
    """Remove files until *excess* bytes are freed, the least recently used ones first."""
    for _, size, name in sorted(found):
        if excess <= 0:
            return
        if not name.endswith(PARTIAL):
            folder.remove(name)
            excess -= size


class Hit:
    """A cached result in ``value``, which may be None."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Hit({self.value!r})"


class Cache(Protocol):
    """Stores results under keys. A cache that fails makes a run slow and is no error."""

    def load(self, key: str) -> Hit | None:
        """The result stored under *key*, as a copy; None if there is none."""

    def store(self, key: str, value: Any) -> None:
        """Store *value*, as it is now, under *key*. Raises NotCacheable if that is not possible."""


class NotCacheable(Exception):  # noqa: N818  # it says what happened
    """A result cannot be pickled, or is too large. The message says what the user can do."""


def dumps(value: Any) -> bytes:
    """*value* pickled, by cloudpickle if pickle cannot do it. Raises NotCacheable."""
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:
        return _cloudpickled(value, error)


def _cloudpickled(value: Any, first: Exception) -> bytes:
    import cloudpickle  # type: ignore[import-untyped]  # only for lambdas, local classes

    try:
        data: bytes = cloudpickle.dumps(value, protocol=5)
    except Exception as error:
        raise NotCacheable(
            f"a {type(value).__name__}, which cannot be pickled ({first}). Return plain data from "
            "the node, or give it cache=False."
        ) from error
    return data


def too_large(size: int) -> NotCacheable:
    """The error about a result of *size* bytes."""
    return NotCacheable(f"it has {size} bytes, more than the cache may hold. Raise its most_bytes.")


def loads(data: bytes) -> Hit | None:
    """The unpickled value; None if its class is gone or has changed."""
    try:
        return Hit(pickle.loads(data))
    except Exception:  # whatever the code of its class raises, or a module that is gone
        return None


_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class WarnOnce:
    """Warnings, each given once, to whichever thread comes first."""

    def __init__(self) -> None:
        self._warnings: set[str] = set()

    def warn(self, about: str, message: str) -> None:
        """Warn with *message*, unless there was a warning *about* this before."""
        if about not in self._warnings:
            self._warnings.add(about)
            warnings.warn(message, CacheWarning, stacklevel=_level())


def _level() -> int:
    """The ``stacklevel`` of the first frame that is not ours."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    return level
