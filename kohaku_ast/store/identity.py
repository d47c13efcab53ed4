"""Identity of a run: equal for the same program with the same values, in every process.

Pickles are not equal: they hold sets in the order of this process, and of a class or function in a
config file its line numbers, its file and a random mark.
"""

from __future__ import annotations

import copyreg
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import cached_property
from hashlib import blake2b, sha256
from pathlib import Path, PurePath
from types import (
    CodeType,
    FunctionType,
    GenericAlias,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from kohaku_ast.runner.bind import Bound
from kohaku_ast.store.own_modules import own_modules, text_hash
from kohaku_ast.user_code import is_local_module
from kohaku_ast.value_types import core


def identity(bound: Bound, folder: str) -> str:
    """32 hexadecimal digits, with paths relative to *folder*.

    Not part of it: index, label, origins, environment, metadata but for ``repeat``. With a value
    without stable content (an open file) it equals no other identity.
    """
    content = (
        program_hash(bound, folder),
        sorted(_values(bound).items()),
        sorted(bound.names.items()),
        list(bound.argv[1:]),
        sorted(call_arguments(bound).items()),
        *_through_calls(bound),
        *_repeat(bound),
    )
    try:
        return fingerprint(content).hex()
    except UnstableError:
        return os.urandom(16).hex()


def _repeat(bound: Bound) -> list[tuple[str, object]]:
    """The number that tells a run from others with the same values; empty for most runs."""
    metadata = bound.config.metadata if bound.config else {}
    return [("repeat", metadata["repeat"])] if "repeat" in metadata else []


def without_content(bound: Bound) -> tuple[str, str] | None:
    """The target of a value without stable content, and the reason; None if all are stable."""
    for target, value in {**_values(bound), **bound.names, **call_arguments(bound)}.items():
        try:
            fingerprint(value)
        except UnstableError as error:
            return target, str(error)
    return None


def script_hash(bound: Bound) -> str:
    """The SHA-256 of the script's bytes, as ``sha256sum`` prints it."""
    return _sha256(bound.launch.data)


@functools.lru_cache(64)
def _sha256(data: bytes) -> str:
    return sha256(data).hexdigest()


def program_hash(bound: Bound, folder: str) -> str:
    """The hash of the program: script, its path from *folder*, entrypoint, and the texts of the
    user's own modules that it imports.
    """
    launch = bound.launch
    overridden = {name: text_hash(file) for name, (file, _) in bound.prepared.modules.items()}
    modules = sorted({**own_modules(launch), **overridden}.items())
    return _program_hash(
        _path_from(folder, launch.filename),
        getattr(launch, "module", None),
        bound.program.entry_name,
        script_hash(bound),
        tuple(modules),
    )


@functools.lru_cache(64)
def _program_hash(*parts: object) -> str:
    """The hash of *parts*, the last of them pairs of a dict; cached: a sweep repeats it."""
    return fingerprint((*parts[:-1], dict(parts[-1]))).hex()  # type: ignore[call-overload]


def call_arguments(bound: Bound) -> dict[str, object]:
    """Target -> argument that the Config passes to the entrypoint. In a call of the guard such an
    argument is an ordinary value.
    """
    name, config = bound.program.entry_name, bound.config
    if not name or config is None:
        return {}
    found = {f"{name}(#{number})": value for number, value in enumerate(config.args)}
    above = bound.prepared.given.values
    named = {f"{name}({key})": value for key, value in config.kwargs.items()}
    return found | {target: value for target, value in named.items() if target not in above}


def _through_calls(bound: Bound) -> list[tuple[str, str]]:
    """The targets whose value goes through the call that makes the default, and that call."""
    pairs = [
        (prefix + one.target, core(one.reading))
        for prefix, _, given in bound.prepared.every()
        for one in given.program.meant
        if one
    ]
    return sorted((name, "".join(reading[2:])) for name, reading in pairs if reading[0] == "call")


def _values(bound: Bound) -> dict[str, object]:
    values = {
        prefix + target: value
        for prefix, _, given in bound.prepared.every()
        for target, value in given.values.items()
    }
    later = bound.prepared.later
    # Apart from each other: a text is read as the type that the module has there.
    late = {one.target: (one.is_text, one.value) for one in later.overrides} if later else {}
    return values | late


@functools.lru_cache(64)
def _path_from(folder: str, filename: str) -> str:
    if filename.startswith("<"):
        return filename
    try:
        return os.path.relpath(filename, folder)
    except ValueError:  # another drive
        return filename


class UnstableError(Exception):
    """A value has no content that is equal in another process: a lock, an open file."""


def fingerprint(value: object) -> bytes:
    """The fingerprint of *value*. Raises UnstableError."""
    try:
        return _Walk().of(value)
    except UnstableError:
        raise
    except Exception as error:  # any error of the code of a class
        raise UnstableError(f"{type(value).__qualname__}: {error}") from error


_POSITION_NAMES = {
    "__dict__", "__weakref__", "__module__", "__doc__", "__firstlineno__", "__annotations_cache__",
    "__static_attributes__", "_abc_impl",
}  # fmt: skip
_WRITTEN_BY_PICKLE = {"__slotnames__"}
"""copyreg writes it to a class when an object of the class is pickled."""
_CODE = (
    "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_code", "co_names",
    "co_varnames", "co_freevars", "co_cellvars", "co_consts",
)  # fmt: skip


def of_function(function: FunctionType) -> Iterator[object]:
    """The parts that determine what it does, the globals that it reads among them."""
    if _is_installed(function):
        yield from (function.__module__, function.__qualname__)
        return
    yield function.__code__
    yield function.__defaults__
    yield function.__kwdefaults__
    yield [_content(cell) for cell in function.__closure__ or ()]
    known = function.__globals__
    yield {name: known[name] for name in sorted(_names(function.__code__)) if name in known}
    yield dict(function.__dict__)
    yield _annotations(function)


def of_code(code: CodeType) -> Iterator[object]:
    """All of it except file and lines."""
    for name in _CODE:
        yield getattr(code, name)
    yield getattr(code, "co_exceptiontable", b"")


def of_class(kind: type, is_pickled: bool = False) -> Iterator[object]:
    """Its bases and the names of its body. For a class without objects in the value it must not
    matter whether any was pickled before; with *is_pickled* it is written in each process.
    """
    yield kind.__qualname__
    if _is_installed(kind):
        yield kind.__module__
        return
    yield from (type(kind), kind.__bases__)
    slots = (MemberDescriptorType, GetSetDescriptorType)
    hidden = _POSITION_NAMES if is_pickled else _POSITION_NAMES | _WRITTEN_BY_PICKLE
    for name, value in sorted(vars(kind).items()):
        if name not in hidden and not isinstance(value, slots):
            yield from (name, value)


def of_module(module: ModuleType) -> Iterator[object]:
    """Its name, and its text if it is not installed."""
    yield module.__name__
    file = getattr(module, "__file__", None)
    if file and is_local_module(module):
        yield Path(file).read_bytes()


def of_global(found: Any, name: str) -> Iterator[object]:
    """An object that pickle stores by name. Raises TypeError if the name leads elsewhere."""
    yield name
    module = _module_of(found, name)
    if hasattr(found, "__wrapped__") and (module is None or is_local_module(module)):
        yield dict(vars(found))  # functools.lru_cache
    elif module:
        yield module.__name__
    else:
        raise TypeError(f"{name}: known by its name only")


def _is_installed(found: Any) -> bool:
    """Whether module and name identify it: it belongs to a library, which nobody edits."""
    module = _module_of(found, found.__qualname__)
    return module is not None and not is_local_module(module)


def _module_of(found: Any, name: str) -> ModuleType | None:
    """The imported module that has *found* under *name*; None if there is none."""
    # numpy.add has no __module__, but its type has.
    module = sys.modules.get(getattr(found, "__module__", None) or type(found).__module__)
    if module is None or module.__name__ == "__main__":
        return None
    place: object = module
    for step in name.split("."):
        place = getattr(place, step, None)
    return module if place is found else None


def _annotations(function: FunctionType) -> dict[str, object]:
    """Its annotations: some libraries read them to choose arguments."""
    try:
        return dict(function.__annotations__)
    except Exception:  # Python 3.14 evaluates them here
        return {}


def _names(code: CodeType) -> set[str]:
    inner = [_names(one) for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*inner)


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return "<empty cell>"


_SCALARS = (type(None), bool, float, complex, type(Ellipsis))
_NO_REFERENCE = 1 << 60
_OF_SETS = (set.__reduce__, frozenset.__reduce__)


class _Fingerprinted(NamedTuple):
    """The fingerprint of a value that may contain itself."""

    #: Held here, so that no other object gets its id.
    value: object
    made: bytes
    #: The depth of the outermost value that it refers to; ``_NO_REFERENCE`` if it refers to none.
    highest: int
    #: The ids of the values in a cycle with it.
    cycle: frozenset[int]


class _ClassOfObject(NamedTuple):
    """In place of the class of an object among the parts that pickle stores."""

    kind: type


_NEW_OBJECT = (copyreg.__newobj__, copyreg.__newobj_ex__)  # type: ignore[attr-defined]
"""What calls the class of an object, its first argument."""


class _Walk:
    """The computation of one fingerprint."""

    def __init__(self) -> None:
        self.known: dict[int, _Fingerprinted] = {}
        self.above: dict[int, int] = {}
        #: The depth of the outermost value that the values visited since refer to.
        self.highest = _NO_REFERENCE
        #: The ids of known values that refer to an outer one.
        self.open: list[int] = []
        #: The ids of the classes that are visited as those of objects.
        self.pickled: set[int] = set()
        #: Such classes and their fingerprints, by their ids.
        self.classes: dict[int, tuple[type, bytes]] = {}

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
        if kind is _ClassOfObject:
            return self._of_class(value.kind)
        return self._of_container(value)

    def _of_class(self, kind: type) -> bytes:
        """The fingerprint of *kind* as the class of an object. It has an entry of its own, so that
        it does not matter whether *kind* stands elsewhere in the value, too.
        """
        if id(kind) in self.classes:
            return self.classes[id(kind)][1]
        if id(kind) in self.above:
            return self._of_container(kind)
        alone = self.known.pop(id(kind), None)
        self.pickled.add(id(kind))
        made = self._of_container(kind)
        self.pickled.discard(id(kind))
        found = self.known.pop(id(kind))
        if found.highest == _NO_REFERENCE:
            self.classes[id(kind)] = kind, made
        if alone is not None:
            self.known[id(kind)] = alone
        return made

    def _of_container(self, value: object) -> bytes:
        """The fingerprint of a value that may contain itself."""
        found = self.known.get(id(value))
        if found is not None and found.cycle.isdisjoint(self.above):
            self.highest = min(self.highest, found.highest)
            return found.made
        depth = self.above.get(id(value))
        if depth is not None:
            self.highest = min(self.highest, depth)
            return f"above:{len(self.above) - depth}".encode()
        return self._enter(value, len(self.above), len(self.open))

    def _enter(self, value: object, depth: int, count: int) -> bytes:
        before, self.highest = self.highest, _NO_REFERENCE
        self.above[id(value)] = depth
        made = self._fingerprint(value)
        del self.above[id(value)]
        cycle = frozenset(self.open[count:])
        if self.highest < depth:
            self.open.append(id(value))
            cycle = frozenset()
        else:
            # Its parts are visited again if they are reached another way, such as through a set,
            # whose order differs in every process.
            self.highest = _NO_REFERENCE
            del self.open[count:]
            for one in cycle:
                self.known.pop(one, None)
        self.known[id(value)] = _Fingerprinted(value, made, self.highest, cycle)
        self.highest = min(before, self.highest)
        return made

    def _fingerprint(self, value: Any) -> bytes:
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
        if id(value) in self.pickled:
            return self._all("type", of_class(value, is_pickled=True))
        for known, parts in _CODE_KINDS.items():
            if isinstance(value, known):
                return self._all(known.__name__, parts(value))
        return self._reduced(value)

    def _all(self, name: str, parts: Iterable[object]) -> bytes:
        return _joined(name, map(self.of, parts))

    def _reduced(self, value: object) -> bytes:
        """By the parts that pickle would store."""
        reduce = copyreg.dispatch_table.get(type(value))
        found = reduce(value) if reduce else value.__reduce_ex__(4)
        if isinstance(found, str):
            return self._all("global", of_global(value, found))
        made, args, state, items, pairs = (*found, *[None] * 5)[:5]
        if made in _NEW_OBJECT:
            args = (_ClassOfObject(args[0]), *args[1:])
        if isinstance(value, (set, frozenset)) and type(value).__reduce__ in _OF_SETS:
            args = tuple(map(frozenset, args))  # else a list, in the order of this process
        return self._all("object", (made, args, state, list(items or ()), list(pairs or ())))


_CODE_KINDS: dict[type, Callable[[Any], Iterable[object]]] = {
    FunctionType: of_function,
    CodeType: of_code,
    GenericAlias: lambda found: (found.__origin__, found.__args__),  # in 3.10 a type, too
    type: of_class,
    ModuleType: of_module,
    staticmethod: lambda found: (found.__func__,),
    classmethod: lambda found: (found.__func__,),
    property: lambda found: (found.fget, found.fset, found.fdel),
    cached_property: lambda found: (found.func, found.attrname),  # its lock belongs to this process
    TypeVar: lambda found: (found.__name__, found.__bound__, found.__constraints__),
    ParamSpec: lambda found: (found.__name__, found.__bound__),
    # Their contents belong to others: a cache such as that of functools.singledispatch.
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
