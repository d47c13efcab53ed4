"""Fingerprint: equal for values of equal content, in every process that runs the same Python.

Pickles are not: they hold sets in the order of this process, and for a class or function of a
config file its line numbers, its file and a random mark.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterable
from enum import Enum
from functools import cached_property
from hashlib import blake2b
from pathlib import PurePath
from types import CodeType, FunctionType, GenericAlias, MappingProxyType, ModuleType
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from kohaku_ast.store import fingerprint_code as code

_SCALARS = (type(None), bool, float, complex, type(Ellipsis))
_NOWHERE = 1 << 60
_OF_SETS = (set.__reduce__, frozenset.__reduce__)


class UnstableError(Exception):
    """A value has no content that another process could find again: a lock, an open file."""


def fingerprint(value: object) -> bytes:
    """The fingerprint of *value*; raises UnstableError."""
    try:
        return _Walk().of(value)
    except UnstableError:
        raise
    except Exception as error:  # whatever a class does when it is asked for its content
        raise UnstableError(f"{type(value).__qualname__}: {error}") from error


class _Known(NamedTuple):
    """What is known of a value that may hold itself."""

    #: Kept, so that no other one gets its id meanwhile.
    value: object
    made: bytes
    #: How far above it refers; ``_NOWHERE`` if it does not.
    highest: int
    #: Ids of what it is in a cycle with.
    cycle: frozenset[int]


class _Walk:
    """One fingerprint being taken."""

    def __init__(self) -> None:
        self.known: dict[int, _Known] = {}
        self.above: dict[int, int] = {}
        #: How far above the values refer that have been looked at since.
        self.highest = _NOWHERE
        #: Ids of known values that refer above.
        self.open: list[int] = []

    def of(self, value: Any) -> bytes:
        kind = type(value)
        if kind in _SCALARS:
            return f"{kind.__name__}:{value!r}".encode()
        if kind is int:
            return b"int:" + hex(value).encode()  # decimal digits are limited
        if kind is str:
            return _joined("str", [value.encode("utf-8", "surrogatepass")])
        if kind is bytes:
            return _joined("bytes", [value])
        return self._inner(value)

    def _inner(self, value: object) -> bytes:
        """Of what may hold itself."""
        found = self.known.get(id(value))
        if found is not None and found.cycle.isdisjoint(self.above):
            self.highest = min(self.highest, found.highest)
            return found.made
        depth = self.above.get(id(value))
        if depth is not None:
            self.highest = min(self.highest, depth)
            return f"above:{len(self.above) - depth}".encode()
        return self._entered(value, len(self.above), len(self.open))

    def _entered(self, value: object, depth: int, count: int) -> bytes:
        before, self.highest = self.highest, _NOWHERE
        self.above[id(value)] = depth
        made = self._made(value)
        del self.above[id(value)]
        cycle = frozenset(self.open[count:])
        if self.highest < depth:
            self.open.append(id(value))
            cycle = frozenset()
        else:
            # Its parts are found anew by whoever comes to them another way, as by way of a set,
            # which has an order of its own in every process.
            self.highest = _NOWHERE
            del self.open[count:]
            for one in cycle:
                self.known.pop(one, None)
        self.known[id(value)] = _Known(value, made, self.highest, cycle)
        self.highest = min(before, self.highest)
        return made

    def _made(self, value: Any) -> bytes:
        kind = type(value)
        if kind in (list, tuple):
            return self._all(kind.__name__, value)
        if kind in (set, frozenset):
            return _joined(kind.__name__, sorted(map(self.of, value)))
        if kind in (dict, MappingProxyType):
            return self._all(kind.__name__, (one for item in value.items() for one in item))
        if isinstance(value, PurePath):
            return self._all("path", (kind.__name__, str(value)))
        if isinstance(value, Enum):
            return self._all("enum", (kind, value.name, value.value))
        for known, parts in _CODE.items():
            if isinstance(value, known):
                return self._all(known.__name__, parts(value))
        return self._reduced(value)

    def _all(self, name: str, parts: Iterable[object]) -> bytes:
        return _joined(name, map(self.of, parts))

    def _reduced(self, value: object) -> bytes:
        """By what pickle would keep of it."""
        reduce = copyreg.dispatch_table.get(type(value))
        found = reduce(value) if reduce else value.__reduce_ex__(4)
        if isinstance(found, str):
            return self._all("global", code.of_global(value, found))
        made, args, state, items, pairs = (*found, *[None] * 5)[:5]
        if isinstance(value, (set, frozenset)) and type(value).__reduce__ in _OF_SETS:
            args = tuple(map(frozenset, args))  # else a list, in the order of this process
        return self._all("object", (made, args, state, list(items or ()), list(pairs or ())))


_CODE: dict[type, Callable[[Any], Iterable[object]]] = {
    FunctionType: code.of_function,
    CodeType: code.of_code,
    GenericAlias: lambda found: (found.__origin__, found.__args__),  # on 3.10 a type, too
    type: code.of_class,
    ModuleType: code.of_module,
    staticmethod: lambda found: (found.__func__,),
    classmethod: lambda found: (found.__func__,),
    property: lambda found: (found.fget, found.fset, found.fdel),
    cached_property: lambda found: (found.func, found.attrname),  # the lock is this process's
    TypeVar: lambda found: (found.__name__, found.__bound__, found.__constraints__),
    ParamSpec: lambda found: (found.__name__, found.__bound__),
    # What they hold lives elsewhere: a cache, as that of functools.singledispatch.
    WeakKeyDictionary: lambda found: (),
    WeakValueDictionary: lambda found: (),
    WeakSet: lambda found: (),
}


def _joined(name: str, parts: Iterable[bytes]) -> bytes:
    digest = blake2b(name.encode(), digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
