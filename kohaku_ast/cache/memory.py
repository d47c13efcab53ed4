"""MemoryCache: results in the memory of this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from kohaku_ast.cache.disk import Hit, dumps, loads, too_large
from kohaku_ast.cache.fingerprint import is_plain
from kohaku_ast.errors import PipelineError, PipelineTypeError
from kohaku_ast.users_traceback import public


class MemoryCache:
    """Caches the results of nodes as long as the process lives, pickled: each hit is a copy.

    Beyond *most_bytes* or *most_items* the least recently used are removed. In another process
    the cache starts empty.
    """

    @public
    def __init__(self, most_bytes: int | None = 2**30, most_items: int | None = None) -> None:
        for name, most in (("most_bytes", most_bytes), ("most_items", most_items)):
            if most is not None and (not isinstance(most, int) or most <= 0):
                kind = PipelineError if isinstance(most, int) else PipelineTypeError
                raise kind(f"{name} is {most!r}; it must be more than 0, or None.")
        #: How many bytes the results may have together; None: any number.
        self.most_bytes = most_bytes
        #: How many results it may have; None: any number.
        self.most_items = most_items
        #: Key -> value and size, the least recently used first.
        self._items: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._notes: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def load(self, key: str) -> Hit | None:
        """The result stored under *key*; a copy, if it can change."""
        with self._lock:
            item = self._items.get(key)
            if item is None:
                return None
            self._items.move_to_end(key)
        kept = item[0]
        return loads(kept.data) if type(kept) is _Pickled else Hit(kept)

    def store(self, key: str, value: Any) -> None:
        """Store *value*, as it is now, under *key*. Raises NotCacheable as DiskCache does."""
        if is_plain(value):
            self._put(key, value, 64 + (len(value) if isinstance(value, (str, bytes)) else 0))
            return
        data = dumps(value)
        self._put(key, _Pickled(data), len(data))

    def load_note(self, name: str) -> bytes | None:
        """The data that :meth:`store_note` stored."""
        return self._notes.get(name)

    def store_note(self, name: str, data: bytes) -> None:
        """Store *data*, which ``explain_cache`` compares with."""
        self._notes[name] = data

    def clear(self) -> None:
        """Remove every result."""
        with self._lock:
            self._items.clear()
            self._bytes = 0

    def _put(self, key: str, kept: Any, size: int) -> None:
        with self._lock:
            _, before = self._items.pop(key, (None, 0))
            self._bytes -= before
            if self.most_bytes is not None and size > self.most_bytes:
                raise too_large(size)  # it would push out all others, and then itself
            self._items[key] = (kept, size)
            self._bytes += size
            while self._is_full() and self._items:
                _, (_, gone) = self._items.popitem(last=False)
                self._bytes -= gone

    def _is_full(self) -> bool:
        if self.most_items is not None and len(self._items) > self.most_items:
            return True
        return self.most_bytes is not None and self._bytes > self.most_bytes

    def __len__(self) -> int:
        return len(self._items)

    def __reduce__(self) -> tuple[Any, ...]:
        return MemoryCache, (self.most_bytes, self.most_items)

    def __repr__(self) -> str:
        return f"MemoryCache({len(self._items)} results, {self._bytes} bytes)"


class _Pickled:
    """The pickled bytes of a value; a result may be bytes itself."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data
