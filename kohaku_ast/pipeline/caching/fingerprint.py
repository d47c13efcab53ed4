"""What a value is, as a digest: the same in every process, different for what differs.

Types count (``1``, ``True``, ``1.0`` and ``"1"`` differ), and so does the order of dicts; that of
sets does not. Of the user's functions and classes the code counts, with what it reads.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from kohaku_ast.pipeline.caching.live_code import is_followed, parts_of
from kohaku_ast.pipeline.caching.parts import MISSING, Maybe, Settled, Watch

_LONG = 96
"""Longer text and bytes count by their digest."""
_DEEPEST_SETS = 8
"""Sets in sets; objects in sets that refer to each other would otherwise take exponential time."""


class Unhashable(Exception):  # noqa: N818  # it says what the value is
    """A value holds something of which it cannot be told whether it is the same next time."""

    def __init__(self, value: object, reason: str = "") -> None:
        kind = type(value)
        self.type_name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        self.reason = reason
        super().__init__(f"{self.type_name}{reason and ': ' + reason}")


Refer = Callable[[Any], bytes]
"""What stands for a function, class, module or node of the user's that a value holds."""


def fingerprint(value: object, refer: Refer | None = None) -> bytes:
    """A digest of *value*. Raises Unhashable."""
    return blake2b(written(value, refer), digest_size=16).digest()


def written(value: object, refer: Refer | None = None) -> bytes:
    """*value* without ambiguity; short for plain values. Code in it is written as what *refer*
    gives for it, else in full. Raises Unhashable.
    """
    kind = type(value)
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    writer = Writer(refer)
    try:
        writer.write(value)
        writer.follow()
    except RecursionError:
        raise Unhashable(value, "nested too deep") from None
    except Unhashable:
        raise
    except Exception as error:  # the value's own __reduce__, __getstate__, properties
        raise Unhashable(value, f"{type(error).__name__}: {error}") from error
    return writer.done()


def is_plain(value: object) -> bool:
    """Whether *value* can never change: as long as it is the same object, it is the same value."""
    if type(value) in (tuple, frozenset):
        return all(is_plain(one) for one in value)  # type: ignore[attr-defined]  # it is one
    return type(value) in _PLAIN


class Writer:
    """Writes one value. What can change is numbered when it is first met: cycles end, and two
    names of one list are not two lists.
    """

    def __init__(self, refer: Refer | None = None, sets: int = 0) -> None:
        self._parts: list[bytes] = []
        self.put = self._parts.append
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []  # an id means something only as long as its object lives
        self._followed: list[Any] = []
        self._refer = refer
        self.sets = sets

    def done(self) -> bytes:
        """All that was written, or its digest if that is shorter."""
        return _short(b"#", b"".join(self._parts))

    def write(self, value: Any) -> None:
        """Write *value*, or that it was met before."""
        kind = type(value)
        plain = _PLAIN.get(kind)
        if plain is not None:
            self.put(plain(value))
        elif kind is tuple:
            self._items(b"(", value)
        elif kind is Settled:
            self.write(value.value)
        elif kind is Maybe:
            self._try(value.value)
        elif not self.is_known(value):
            container = _CONTAINERS.get(kind)
            if container is not None:
                container(self, value)
            elif is_followed(value):
                self._write_code(value)
            else:
                _write_object(self, value)

    def _write_code(self, value: Any) -> None:
        if self._refer is not None:
            found = self._refer(value)
            self.put(b"F%d:" % len(found) + found)
        else:
            self.put(b"F")
            self._followed.append(value)

    def _try(self, value: object) -> None:
        """Write *value*, or if that cannot be done a mark in its place."""
        parts, known, followed = len(self._parts), len(self._alive), len(self._followed)
        try:
            self.write(value)
        except Unhashable:
            del self._parts[parts:], self._alive[known:], self._followed[followed:]
            self._numbers = {key: one for key, one in self._numbers.items() if one < known}
            self.put(b"?")

    def is_known(self, value: object) -> bool:
        """Whether *value* was met before; its number is written then, and given to it else."""
        number = self._numbers.setdefault(id(value), len(self._numbers))
        if number < len(self._alive):
            self.put(b"@%d;" % number)
            return True
        self._alive.append(value)
        return False

    def follow(self) -> None:
        """Write the parts of the functions and classes that were met, and those that they read."""
        watch = Watch()
        for thing in self._followed:  # grows on the way
            self.put(b"{")
            for label, part in parts_of(thing, watch):
                self.put(_text(label))
                self.write(part)

    def _items(self, mark: bytes, values: Any) -> None:
        self.put(b"%s%d;" % (mark, len(values)))
        for one in values:
            plain = _PLAIN.get(type(one))  # here too: a call saved is a third of the time
            if plain is not None:
                self.put(plain(one))
            else:
                self.write(one)

    def write_list(self, value: list[Any]) -> None:
        """In order."""
        self._items(b"[", value)

    def write_dict(self, value: Any, mark: bytes = b"D") -> None:
        """In order: a program can see it."""
        self.put(b"%s%d;" % (mark, len(value)))
        for pair in value.items():
            for one in pair:
                plain = _PLAIN.get(type(one))
                if plain is not None:
                    self.put(plain(one))
                else:
                    self.write(one)

    def write_set(self, value: Any) -> None:
        """Each item on its own, sorted: the order of a set differs from process to process.

        Code in it is written in full: what ``refer`` gives may count those that were met before.
        """
        if self.sets >= _DEEPEST_SETS:
            raise Unhashable(value, "sets of objects that hold sets")
        items = []
        for one in value:
            writer = Writer(sets=self.sets + 1)
            writer.write(one)
            writer.follow()
            items.append(writer.done())
        self.put(b"S%d;" % len(items))
        for item in sorted(items):
            self.put(b"%d:" % len(item) + item)


def _short(mark: bytes, data: bytes) -> bytes:
    if len(data) <= _LONG:
        return data
    return mark + blake2b(data, digest_size=16).digest()


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"s%d:" % len(data) + (data if len(data) <= _LONG else _short(b"", data))


def _bytes(value: bytes) -> bytes:
    return b"b%d:" % len(value) + _short(b"", value)


def _float(value: float) -> bytes:
    if value != value:
        return b"fnan....."
    return b"f" + struct.pack("<d", value)


_PLAIN: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N",
    bool: lambda value: b"T" if value else b"t",
    int: lambda value: b"i%x;" % value,
    float: _float,
    complex: lambda value: b"c" + _float(value.real) + _float(value.imag),
    str: _text,
    bytes: _bytes,
    type(Ellipsis): lambda _: b".",
    type(NotImplemented): lambda _: b"!",
    type(MISSING): lambda _: b"?",
}


def _write_object(writer: Writer, value: Any) -> None:
    from kohaku_ast.pipeline.caching.objects import write_object

    write_object(writer, value)


def _write_frozenset(writer: Writer, value: Any) -> None:
    writer.put(b"z")
    writer.write_set(value)


_CONTAINERS: dict[type, Callable[[Writer, Any], None]] = {
    list: Writer.write_list,
    dict: Writer.write_dict,
    MappingProxyType: lambda writer, value: writer.write_dict(value, b"P"),
    set: Writer.write_set,
    frozenset: _write_frozenset,
    bytearray: lambda writer, value: writer.put(b"B" + _bytes(bytes(value))),
}
