"""The identity of code: one digest of a function and of all that it reads, part by part.

State of this process: the identities of classes, by ``id``, since a class may be equal to another
one, or have no hash. A value that each of a thousand runs gets is read a thousand times, its class
once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import PurePath
from types import FunctionType, ModuleType
from typing import Any

from kohaku_ast.cache.change_detector import ChangeDetector, OptionalPart, Part, ReadOnce
from kohaku_ast.cache.code_dependencies import function_parts, is_followed, parts_of, subclass_parts
from kohaku_ast.cache.fingerprint import Refer, Unhashable, encoded, fingerprint, is_plain
from kohaku_ast.cache.hidden_parts import hidden_parts

Value = tuple[Any, bytes, "Refer | None"]
"""A value that can change in place, its digest, and the encoder of the code in it."""


@dataclass(frozen=True)
class Identity:
    """A digest of what a node computes, and the parts that went into it."""

    digest: bytes
    #: "function: part" -> digest, in the order of the search.
    facts: dict[str, bytes]
    #: Watches the parts that cannot change in place.
    detector: ChangeDetector
    #: The parts that can.
    values: list[Value]
    #: The code that was read. It stays alive here, so that no other object gets its ``id``.
    code: list[Any]

    def holds(self) -> bool:
        """Whether nothing has changed."""
        if not self.detector.holds():
            return False
        return are_same(self.values)


class Unidentified(Exception):  # noqa: N818  # it says what happened
    """A node reads *part*, which has no fingerprint; *cause* says why."""

    def __init__(self, part: str, cause: Unhashable) -> None:
        self.part = part
        self.cause = cause
        super().__init__(f"{part}: {cause}")


def identify(root: Any, defaults: bool = False) -> Identity:
    """The Identity of a function, or of a node that is no function. Raises Unidentified.

    Without *defaults*, those of *root* do not count: it depends on the inputs if they are used.
    """
    return _Search(defaults).run(root)


def are_same(values: Iterable[Value]) -> bool:
    """Whether none of *values* has changed in place."""
    try:
        return all(fingerprint(value, refer) == digest for value, digest, refer in values)
    except Unhashable:
        return False


def _address(thing: object) -> bytes:
    """The ``id`` of code that a ChangeDetector watches: it need not be read again."""
    return b"%x" % id(thing)


_LASTING = (ModuleType, type, FunctionType, PurePath, re.Pattern, ReadOnce)
"""Types whose objects cannot change in place: libraries' modules, functions and classes."""


_NAMES_OF_CODE = {"code", "class", "type", "library", "module"}
"""Parts that are texts about code: none of them can be the name of a module for it."""


class _Search:
    """One search through all that a function reads."""

    def __init__(self, defaults: bool) -> None:
        self.defaults = defaults
        self.detector = ChangeDetector()
        self.values: list[Value] = []
        self.followed: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.facts: dict[str, bytes] = {}
        self.hidden: set[str] = set()
        #: How many were followed, and searched for subclasses.
        self.done = self.checked = 0

    def run(self, root: Any) -> Identity:
        if is_followed(root):
            self._refer(root)
        else:
            self._add("function", root)
        while self.done < len(self.followed) or self._add_hidden():
            self._follow(root)
        text = b"".join(
            label.encode("utf-8", "replace") + b"=%d:" % len(digest) + digest
            for label, digest in self.facts.items()
        )
        return Identity(
            blake2b(text, digest_size=16).digest(),
            self.facts,
            self.detector,
            self.values,
            self.followed,
        )

    def _follow(self, root: Any) -> None:
        """Add the parts of all that is referred to, which grows on the way."""
        while self.done < len(self.followed):
            self._add_all(self.followed[self.done], lambda thing: self._parts(thing, root))
            self.done += 1
            while self.detector.with_subclasses and self.checked < self.done == len(self.followed):
                self._add_all(
                    self.followed[self.checked], lambda one: subclass_parts(one, self.detector)
                )
                self.checked += 1

    def _add_hidden(self) -> bool:
        """Add what no name leads to; whether there was more of it than before."""
        before = len(self.hidden)
        for label, parts in hidden_parts(self.followed, self.detector):
            if label not in self.hidden:
                self.hidden.add(label)
                for name, part in parts():
                    self._add(name, part)
        return len(self.hidden) > before

    def _parts(self, thing: Any, root: Any) -> Iterator[Part]:
        if thing is root and isinstance(thing, FunctionType):
            return function_parts(thing, self.detector, self.defaults)
        return parts_of(thing, self.detector)

    def _add_all(self, thing: Any, parts: Callable[[Any], Iterator[Part]]) -> None:
        name = vars(thing).get("__name__", "") if isinstance(thing, ModuleType) else _name(thing)
        try:
            for label, part in parts(thing):
                self._add(f"{name}: {label}", part)
        except Unidentified:
            raise
        except Exception as error:  # whatever the user's own metaclass, descriptor, module raises
            raise Unidentified(
                name, Unhashable(thing, f"{type(error).__name__}: {error}")
            ) from error

    def _add(self, label: str, part: Any) -> None:
        if label.rpartition(": ")[2] not in _NAMES_OF_CODE:
            self.detector.reads.note(part)
        while label in self.facts:
            label += "'"  # two functions of one name
        try:
            self.facts[label] = self._fact(part)
        except Unhashable as error:
            raise Unidentified(label, error) from None
        except RecursionError:
            raise Unidentified(label, Unhashable(part, "nested too deep")) from None

    def _fact(self, part: Any) -> bytes:
        if type(part) is OptionalPart:
            return self._optional(part.value)
        if is_followed(part):
            return self._refer(part)
        if is_plain(part):
            return encoded(part)
        digest = fingerprint(part, self._refer)
        if not isinstance(part, _LASTING):
            self.values.append((part, fingerprint(part, _address), _address))
        return digest

    def _optional(self, part: Any) -> bytes:
        """The digest of a part, or a mark if it has no fingerprint. Code in it counts, too."""
        if is_followed(part):
            return self._refer(part)
        try:
            digest = fingerprint(part)
        except Unhashable:
            return b"?"
        if not (is_plain(part) or isinstance(part, _LASTING)):
            self.values.append((part, digest, None))
        return digest

    def _refer(self, thing: Any) -> bytes:
        number = self.numbers.setdefault(id(thing), len(self.numbers))
        if number == len(self.followed):
            self.followed.append(thing)
        return b"&%d" % number


def _name(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", type(thing).__name__))


_MOST_CLASSES = 256
"""Classes that are kept alive. Functions are not: their closures may hold large objects."""
_class_identities: dict[int, tuple[type, Identity]] = {}


def digest_of_code(thing: Any) -> bytes:
    """The digest of a function, class, module or node. Raises Unhashable."""
    if not isinstance(thing, type):
        return _identity(thing).digest
    cached = _class_identities.get(id(thing))
    if cached is None or cached[0] is not thing or not cached[1].holds():
        if len(_class_identities) >= _MOST_CLASSES:
            _class_identities.clear()
        cached = _class_identities[id(thing)] = thing, _identity(thing)
    return cached[1].digest


def _identity(thing: Any) -> Identity:
    try:
        return identify(thing, defaults=True)
    except Unidentified as error:
        raise error.cause from None
