"""Results as bytes and back, and what a cache promises."""

from __future__ import annotations

import pickle
from typing import Any, Protocol


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
