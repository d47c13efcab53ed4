"""Fingerprint: equal for values of equal content, in every process that runs the same Python.

Pickles are not: they hold sets in the order of this process, and for a class or function of a
config file its line numbers, its file and a random mark.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterable
from enum import Enum
from hashlib import blake2b
from pathlib import PurePath
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

from kohaku_ast.store import fingerprint_code as code

_SCALARS = (type(None), bool, float, complex, type(Ellipsis))


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


class _Walk:
    """One fingerprint being taken."""

    def __init__(self) -> None:
        #: By id, with the value, so that no other one gets its id meanwhile.
        self.known: dict[int, tuple[object, bytes]] = {}
        self.above: dict[int, int] = {}

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
        if found is not None:
            return found[1]
        if id(value) in self.above:
            return f"above:{len(self.above) - self.above[id(value)]}".encode()
        self.above[id(value)] = len(self.above)
        made = self._made(value)
        del self.above[id(value)]
        self.known[id(value)] = value, made
        return made

    def _made(self, value: Any) -> bytes:
        kind = type(value)
        if kind in (list, tuple):
            return self._all(kind.__name__, value)
        if kind in (set, frozenset):
            return _joined(kind.__name__, sorted(map(self.of, value)))
        if kind in (dict, MappingProxyType):
            return self._all("dict", (one for item in value.items() for one in item))
        if isinstance(value, PurePath):
            return self._all("path", (kind.__name__, str(value)))
        if isinstance(value, Enum):
            return self._all("enum", (kind.__qualname__, value.name, value.value))
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
        return self._all("object", (made, args, state, list(items or ()), list(pairs or ())))


_CODE: dict[type, Callable[[Any], Iterable[object]]] = {
    FunctionType: code.of_function,
    CodeType: code.of_code,
    type: code.of_class,
    ModuleType: code.of_module,
    staticmethod: lambda found: (found.__func__,),
    classmethod: lambda found: (found.__func__,),
    property: lambda found: (found.fget, found.fset, found.fdel),
}


def _joined(name: str, parts: Iterable[bytes]) -> bytes:
    digest = blake2b(name.encode(), digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
