"""DiskCache: results in files, one for each key, without an index, for any number of processes."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import warnings
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from kohaku_ast import files
from kohaku_ast.errors import CacheWarning, PipelineError

_DIGEST = 16
_CHUNK = 64 * 1024
_SHARE = 16
"""A process measures the folder each time that it has written this part of the limit."""


class DiskCache:
    """Caches the results of nodes in *folder*, which the first ``store`` makes.

    If the files together exceed *most_bytes*, the least recently used are removed; each process
    that writes may exceed it by a sixteenth for a moment. A damaged file counts as no result and is
    replaced. If the folder cannot be written, runs are slow, with one CacheWarning.
    """

    def __init__(self, folder: str | os.PathLike[str], most_bytes: int | None = 10 * 2**30) -> None:
        if most_bytes is not None and (not isinstance(most_bytes, int) or most_bytes <= 0):
            raise PipelineError(f"most_bytes is {most_bytes!r}; it must be more than 0, or None.")
        #: The folder as given; the files are in its folder ``values``.
        self.folder = Path(folder)
        self.most_bytes = most_bytes
        self._start()

    def _start(self) -> None:
        self._values = os.path.join(os.path.abspath(self.folder), "values")
        self._warnings = WarnOnce()
        self._lock = threading.Lock()
        self._is_private: bool | None = None  # not checked yet
        self._unmeasured: int | None = None  # bytes written since; None: never measured
        self._touched: set[str] = set()

    def load(self, key: str) -> Hit | None:
        """The result stored under *key*, as a new object; None if there is no whole one."""
        data = self._read(key)
        return None if data is None else loads(data)

    def store(self, key: str, value: Any) -> None:
        """Store *value* under *key*, atomically for readers. Raises NotCacheable if it is larger
        than ``most_bytes`` or cannot be pickled.
        """
        data = dumps(value)
        if self.most_bytes is not None and len(data) > self.most_bytes:
            raise too_large(len(data))
        self._write(key, data)

    def load_note(self, name: str) -> bytes | None:
        """The data that :meth:`store_note` stored."""
        return self._read(f"note-{name}")

    def store_note(self, name: str, data: bytes) -> None:
        """Store *data*, which ``explain_cache`` compares with, in the same way as results."""
        self._write(f"note-{name}", data)

    def clear(self) -> None:
        """Remove every result."""
        files.trim(self._values, 0)

    def _read(self, key: str) -> bytes | None:
        path = f"{self._values}{os.sep}{key}"
        if not self._is_private and (self._is_private is False or not self._check_private()):
            return None
        try:
            stored = _read_file(path)
        except OSError:
            return None
        data = stored[_DIGEST:]
        if stored[:_DIGEST] != _digest(key, data):
            return None
        if key not in self._touched:
            self._touch(key, path)
        return data

    def _touch(self, key: str, path: str) -> None:
        """Mark the file as used now, so that it is removed last; once for each process (2 us)."""
        self._touched.add(key)
        try:
            os.utime(path)
        except OSError:
            pass  # a cache that can only be read is still a cache

    def _check_private(self) -> bool:
        """Whether only this user can write the folder: a cached result can run code."""
        if not os.path.isdir(self._values):
            return False
        self._is_private = files.is_private(self._values)
        if not self._is_private:
            self._warnings.warn("folder", f"{self._values} can be written by others; {_OTHERS}")
        return self._is_private

    def _write(self, key: str, data: bytes) -> None:
        if self._is_private is False:
            return
        path = os.path.join(self._values, key)
        try:
            if self._is_private is None:
                files.make(self._values)
                if not self._check_private():
                    return
            self._replace(path, _digest(key, data) + data)
        except OSError as error:
            self._warnings.warn(
                "write", f"results cannot be stored in {self._values} ({error}). {_UNWRITABLE}"
            )

    def _replace(self, path: str, data: bytes) -> None:
        try:
            files.write_atomically(path, data)
        except FileNotFoundError:  # the folder was removed
            files.make(self._values)
            files.write_atomically(path, data)
        self._count(len(data))

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
        files.trim(self._values, self.most_bytes)
        self._touched.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return DiskCache, (os.path.dirname(self._values), self.most_bytes)

    def __repr__(self) -> str:
        return f"DiskCache({str(self.folder)!r})"


_OTHERS = "it is not used, because a cached result can run code. Use a folder of your own."
_UNWRITABLE = "The run goes on without a cache; give it another folder, or free some space."


def _digest(key: str, data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST, key=key.encode()[:64]).digest()


def _read_file(path: str) -> bytes:
    """The whole file; 4 us less than ``open`` takes for a small one."""
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        data = os.read(file, _CHUNK)
        if len(data) < _CHUNK:
            return data
        chunks = [data]
        size = os.fstat(file).st_size
        while chunks[-1]:
            chunks.append(os.read(file, min(max(size, _CHUNK), 2**30)))
        return b"".join(chunks)
    finally:
        os.close(file)


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
    except Exception:
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
