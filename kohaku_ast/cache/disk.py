"""Results on disk: one file a key, no index, any number of processes at once."""

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
"""The folder is measured when this part of its limit has been written by one process."""


class DiskCache:
    """Keeps the results of nodes in *folder*, which is made when the first one is stored.

    With *most_bytes*, what was not used for longest goes when the files are larger together; with
    several writing processes they may be larger for a moment, by a sixteenth for each. A damaged
    file is no result, and is replaced. A folder that cannot be written is a slow run, and one
    CacheWarning.
    """

    def __init__(self, folder: str | os.PathLike[str], most_bytes: int | None = 10 * 2**30) -> None:
        if most_bytes is not None and (not isinstance(most_bytes, int) or most_bytes <= 0):
            raise PipelineError(f"most_bytes is {most_bytes!r}; it must be more than 0, or None.")
        #: The folder that was asked for; the files lie in ``values`` in it.
        self.folder = Path(folder)
        self.most_bytes = most_bytes
        self._start()

    def _start(self) -> None:
        self._values = os.path.join(os.path.abspath(self.folder), "values")
        self._warnings = WarnOnce()
        self._lock = threading.Lock()
        self._is_private: bool | None = None  # not asked yet
        self._unmeasured: int | None = None  # bytes written since; None: never measured
        self._touched: set[str] = set()

    def load(self, key: str) -> Hit | None:
        """The result kept under *key*, read anew; None if there is none that is whole."""
        data = self._read(key)
        return None if data is None else loads(data)

    def store(self, key: str, value: Any) -> None:
        """Keep *value* under *key*; until then a reader finds what was there before. Raises
        NotKept for one that cannot be pickled, or is larger than all results may be.
        """
        data = dumps(value)
        if self.most_bytes is not None and len(data) > self.most_bytes:
            raise too_large(len(data))
        self._write(key, data)

    def load_note(self, name: str) -> bytes | None:
        """What :meth:`store_note` kept."""
        return self._read(f"note-{name}")

    def store_note(self, name: str, data: bytes) -> None:
        """Keep *data*, that ``explain_cache`` compares with, as results are kept."""
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
        """Used now, so the last to go: said to the file system once a process (2 us)."""
        self._touched.add(key)
        try:
            os.utime(path)
        except OSError:
            pass  # a cache that can only be read is still a cache

    def _check_private(self) -> bool:
        """Whether what is read from the folder was written by this user: it can run code."""
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
                "write", f"results cannot be kept in {self._values} ({error}). {_UNWRITABLE}"
            )

    def _replace(self, path: str, data: bytes) -> None:
        try:
            files.write_atomically(path, data)
        except FileNotFoundError:  # somebody removed the folder
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


_OTHERS = "it is not used, because a kept result can run code. Take a folder of your own."
_UNWRITABLE = "The run goes on without; give the cache another folder, or make room."


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
    """A result that was kept. It may be None, so it is not the result itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Hit({self.value!r})"


class Cache(Protocol):
    """Keeps results under keys. A cache that fails is a slow run, no error."""

    def load(self, key: str) -> Hit | None:
        """The result kept under *key*, a copy of its own; None if there is none."""

    def store(self, key: str, value: Any) -> None:
        """Keep *value*, as it is now, under *key*. Raises NotKept if it cannot be kept."""


class NotKept(Exception):  # noqa: N818  # says what happened, not that somebody erred
    """A result cannot be pickled, or is too large: why, and what can be done."""


def dumps(value: Any) -> bytes:
    """*value* pickled; by cloudpickle if pickle cannot. Raises NotKept."""
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:
        return _cloudpickled(value, error)


def _cloudpickled(value: Any, first: Exception) -> bytes:
    import cloudpickle  # type: ignore[import-untyped]  # only for lambdas, local classes

    try:
        data: bytes = cloudpickle.dumps(value, protocol=5)
    except Exception as error:
        raise NotKept(
            f"a {type(value).__name__}, which cannot be pickled ({first}). Return plain data from "
            "the node, or give it cache=False."
        ) from error
    return data


def too_large(size: int) -> NotKept:
    """The error about a result of *size* bytes."""
    return NotKept(f"it has {size} bytes, more than the cache may hold. Raise its most_bytes.")


def loads(data: bytes) -> Hit | None:
    """The value anew; None if it cannot be made any more: its class is gone, or has changed."""
    try:
        return Hit(pickle.loads(data))
    except Exception:
        return None


_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class WarnOnce:
    """Sentences that were said. Each is said once by one of these, to whichever thread is first."""

    def __init__(self) -> None:
        self._warnings: set[str] = set()

    def warn(self, about: str, message: str) -> None:
        """Warn with *message*, unless something was said *about* this before."""
        if about not in self._warnings:
            self._warnings.add(about)
            warnings.warn(message, CacheWarning, stacklevel=_level())


def _level() -> int:
    """How many frames up the first one is that is not ours."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    return level
