"""The iterables of an axis: their size, and whether they can be iterated more than once.

A Sweep walks its inner axes again and again, so values of an iterator are stored or refused.

State of this process: ``_begun``, the iterators that somebody reads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence, Set, Sized
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from kohaku_ast.errors import ConfigError


class Values(ABC):
    """An iterable that knows its size and whether it can be iterated again."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The number of values; None if it is not known before iterating."""

    @property
    @abstractmethod
    def is_one_shot(self) -> bool:
        """Whether it can be iterated only once."""

    @abstractmethod
    def __iter__(self) -> Iterator[object]: ...


@dataclass(frozen=True, eq=False)
class Once(Values):
    """The values of an iterator, which gives them once.

    Raises ConfigError when it is iterated a second time: it would silently give nothing.
    """

    iterator: Iterator[object]
    #: Its name and place for that message: ``cfg.py: the axis 'lr'``.
    what: str

    @property
    def size(self) -> None:
        return None

    @property
    def is_one_shot(self) -> bool:
        return True

    def __iter__(self) -> Iterator[object]:
        # Another Script may have it too, or the caller has read the generator.
        is_begun = any(one.iterator is self.iterator for one in _begun)
        if is_begun or getattr(self.iterator, "gi_frame", self) is None:
            raise ConfigError(
                f"{self.what} is used up: an iterator gives its values once. Give a list, or a "
                "function that makes the iterator, to run it again"
            )
        _begun.add(self)
        return self.iterator


_begun: WeakSet[Once] = WeakSet()  # they are being iterated, or have been


class Remembered(Values):
    """The values of another iterable, stored as they come, so that it can be iterated again."""

    def __init__(self, values: Iterable[object]) -> None:
        self._values = values
        self._source: Iterator[object] | None = None
        self._seen: list[object] = []

    @property
    def size(self) -> int | None:
        return size_of(self._values)

    @property
    def is_one_shot(self) -> bool:
        return False

    def __iter__(self) -> Generator[object, object, None]:
        place, sent = 0, None
        while place < len(self._seen) or self._read_on(sent):
            sent = yield self._seen[place]
            place += 1

    def _read_on(self, sent: object) -> bool:
        if self._source is None:
            self._source = iter(self._values)
        try:
            self._seen.append(advance(self._source, sent))
        except StopIteration:
            return False
        return True


def advance(source: Iterator[Any], sent: object) -> Any:
    """The next value of *source*; a generator gets *sent* as the value of its ``yield``."""
    inner: object = source
    while (delegate := getattr(inner, "gi_yieldfrom", None)) is not None:
        inner = delegate
    if sent is None or not hasattr(inner, "send"):  # `yield from [...]` takes no value
        return next(source)
    return source.send(sent)  # type: ignore[attr-defined]


def is_one_shot(values: object) -> bool:
    """Whether *values* can be iterated only once."""
    return isinstance(values, Values) and values.is_one_shot


def size_of(values: object) -> int | None:
    """How many values there are; None if it is not known before iterating."""
    if isinstance(values, Values):
        return values.size
    return len(values) if isinstance(values, Sized) else None


def settle(values: Iterable[object], what: str) -> Iterable[object]:
    """*values* protected from later changes: lists are copied, arrays become their rows.

    A set is sorted: its own order differs from process to process.
    """
    if hasattr(values, "ndim") and hasattr(values, "tolist"):
        rows = values.tolist() if values.ndim == 1 else values
        return tuple(rows)
    if isinstance(values, Set) and not isinstance(values, Sequence):
        return tuple(_sorted(values))
    if isinstance(values, (range, tuple)):
        return values
    if isinstance(values, Collection) and not hasattr(values, "__getitem__"):
        return tuple(values)
    if isinstance(values, list):
        return tuple(values)
    return Once(iter(values), what) if iter(values) is values else values


def _sorted(values: Set[Any]) -> list[object]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)
