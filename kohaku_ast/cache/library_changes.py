"""What the user's code has put into libraries: attributes of their classes and modules, entries of
their registries. No name in the code of a node need lead to it: ``frame.acc``, ``copy.copy(x)``.

State of this process: the changes that were found, until more modules are loaded or classes and
functions registered.
"""

from __future__ import annotations

import builtins
import functools
import re
import sys
from abc import get_cache_token
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import is_
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from kohaku_ast.cache.change_detector import MISSING
from kohaku_ast.user_code import (
    held_by,
    home_of,
    is_a,
    is_library_class,
    is_local_function,
    is_local_module,
    is_local_name,
    is_made_by_python,
    name_of,
)


@dataclass(frozen=True)
class LibraryChange:
    """An attribute of a library's class or module, or a registry of a library, with its value."""

    #: The top-level package of the owner.
    package: str
    #: The name of the attribute; empty for a registry, which belongs to every name.
    name: str
    #: How an explanation calls it.
    label: str
    #: Reads the value as it is now.
    read: Callable[[], Any]

    def is_reached(self, names: set[str], packages: set[str]) -> bool:
        """Whether code that has *names* and uses *packages* may depend on it. An operator needs no
        name, the library may call its own methods, and every library may copy or pickle.
        """
        special = self.name.startswith("__") and self.name.endswith("__")
        return special or self.name in names or self.package in (*packages, "copyreg")


def library_changes() -> tuple[LibraryChange, ...]:
    """All changes, sorted: the same object as long as there are no others. They are searched for
    (in 20 ms with pandas) when a module was loaded, something was registered, a notebook has run a
    cell.
    """
    main = sys.modules.get("__main__")
    held = held_by(main)
    is_file = main is None or not str(held.get("__file__", "<")).startswith("<")
    cells = 0 if is_file else len(held)  # a cell adds names
    registered = get_cache_token(), sum(map(len, _registries))
    state = len(sys.modules), cells, registered
    if _found.get("state") != state:
        changes = {one.label: one for one in _search()}
        if [one.label for one in _found.get("changes", ())] != sorted(changes):
            _found["changes"] = tuple([one for _, one in sorted(changes.items())])
        _found["state"] = state
    return _found.get("changes", ())  # type: ignore[no-any-return]


_found: dict[str, Any] = {}
_registries: list[Any] = []
"""The tables of all generic functions of libraries, with entries of the user's or without."""


def _search() -> Iterator[LibraryChange]:
    _registries.clear()
    yield from _of_classes()
    yield from _of_texts()
    yield from _of_functions()
    for module, name in _TABLES:
        table = held_by(sys.modules.get(module)).get(name)
        if table is not None:
            yield _change(module, "", f"{module}.{name}", functools.partial(_own_entries, table))


_TABLES = (
    ("copyreg", "dispatch_table"), ("shutil", "_ARCHIVE_FORMATS"), ("shutil", "_UNPACK_FORMATS"),
    ("sqlite3", "adapters"), ("sqlite3", "converters"),
)  # fmt: skip
"""Tables of the standard library that functions like ``copyreg.pickle`` write."""


def _change(module: str, name: str, label: str, read: Callable[[], Any]) -> LibraryChange:
    return LibraryChange(module.partition(".")[0], name, label, read)


def _own_entries(table: Any) -> tuple[tuple[str, Any], ...]:
    """The entries of a table that hold a function or class of the user's, sorted by key. Every run
    asks: as long as the table holds the same objects it gets the same tuple, in 1 us.
    """
    items = (*table, *table.values())
    seen = _tables.get(id(table))
    if seen is not None and len(seen[0]) == len(items) and all(map(is_, seen[0], items)):
        return seen[1]
    found = [(_key_text(key), value) for key, value in list(table.items()) if _is_own(value)]
    entries = tuple(sorted(found, key=lambda one: one[0]))
    _tables[id(table)] = items, entries
    return entries


#: By the ``id`` of a table: what it held, and the entries of the user's in there.
_tables: dict[int, tuple[tuple[Any, ...], tuple[tuple[str, Any], ...]]] = {}


def _key_text(key: Any) -> str:
    try:
        return f"{home_of(key)}.{name_of(key)}" if is_a(key, type) else repr(key)
    except Exception:  # its own repr raises
        return f"{home_of(type(key))}.{name_of(type(key))}"


def _is_own(value: Any, depth: int = 2) -> bool:
    """Whether *value* is a function, a class or an object of the user's, or holds one."""
    if is_a(value, FunctionType):
        # A named tuple's own functions belong to a module that does not exist, as Cython's do.
        return is_local_function(value) and value.__module__ in sys.modules
    kind = type(value)
    module = home_of(value if is_a(value, type) else kind)
    if module != "builtins" and module in sys.modules and is_local_name(module):
        return True
    if is_a(value, type) or not depth:
        return False
    if kind is property:
        return any(_is_own(one, 0) for one in (value.fget, value.fset, value.fdel))
    if kind in (staticmethod, classmethod):
        return _is_own(value.__func__, depth - 1)
    held = value if kind in (tuple, list) else [*held_by(value).values()]
    return any(_is_own(one, depth - 1) for one in held)


_DULL = (str, int, float, bool, bytes, type(None), dict, ModuleType)
"""Types of most attributes of classes: nothing in them is looked at."""
_BUILT_IN = {"member_descriptor", "getset_descriptor", "method_descriptor", "wrapper_descriptor",
             "classmethod_descriptor", "builtin_function_or_method"}  # fmt: skip


def _of_classes() -> Iterator[LibraryChange]:
    """Functions, classes and objects of the user's that are attributes of a library's class, and
    the user's classes that are registered with an abstract one.
    """
    for cls in _library_classes():
        names = _names_of(cls)
        home, label = home_of(cls), f"{home_of(cls)}.{name_of(cls)}"
        for name, value in list(names.items()):
            kind = type(value)
            if kind in _DULL or kind.__name__ in _BUILT_IN:
                continue
            if kind is functools.singledispatchmethod:
                yield from _of_function(home, f"{label}.{name}", value.dispatcher)
            if _is_own(value):
                yield _change(home, name, f"{label}.{name}", _reader(cls, name))
        if "_abc_impl" in names and registered_with(cls):
            yield _change(home, "", f"{label} has", functools.partial(registered_with, cls))


_names_of: Callable[[type], MappingProxyType[str, Any]] = vars(type)["__dict__"].__get__
"""The attributes of a class, whatever its metaclass answers."""


def _library_classes() -> Iterator[type]:
    seen: set[int] = set()  # a class may have no hash
    waiting: list[Any] = [object]
    local: dict[str, bool] = {}
    while waiting:
        for cls in type.__subclasses__(waiting.pop()):
            if id(cls) in seen:
                continue
            seen.add(id(cls))
            waiting.append(cls)
            module = home_of(cls)
            if not module or module.partition(".")[0] == "kohaku_ast":
                continue
            if module not in local:
                # A script that ran in this process leaves classes of `__main__`: never a library's.
                local[module] = module == "__main__" or is_local_name(module)
            if not local[module] and is_made_by_python(cls):
                yield cls


def registered_with(cls: type) -> tuple[str, ...]:
    """The names of the user's classes that were registered with the abstract class *cls*."""
    import _abc  # type: ignore[import-not-found]  # of typeshed

    found = [reference() for reference in _abc._get_dump(cls)[0]]
    own = [one for one in found if one is not None and is_local_name(home_of(one))]
    return tuple(sorted(f"{home_of(one)}.{name_of(one)}" for one in own))


def _of_functions() -> Iterator[LibraryChange]:
    """Generic functions of libraries (``functools.singledispatch``) with the user's entries."""
    for home, module in list(sys.modules.items()):
        if not is_a(module, ModuleType) or is_local_module(module):
            continue
        for name, value in list(held_by(module).items()):
            if type(value) is FunctionType and value.__dict__:
                yield from _of_function(home, f"{home}.{name}", value)


def _of_function(home: str, label: str, function: FunctionType) -> Iterator[LibraryChange]:
    table = function.__dict__.get("registry")
    if type(table) in (dict, MappingProxyType):
        _registries.append(table)
        if _own_entries(table):
            yield _change(home, "", f"{label} has", functools.partial(_own_entries, table))


_STORES = (
    re.compile(r"^[ \t]*([A-Za-z_][\w.]*)\.(\w+)[ \t]*(?::[^=\n]*)?[-+*/|&]?=(?!=)", re.MULTILINE),
    re.compile(r"\bsetattr\(\s*([A-Za-z_][\w.]*)\s*,\s*['\"](\w+)['\"]"),
)
"""``Fraction.limit = 3`` and ``setattr(Fraction, "limit", 3)``: a plain value does not show who set
it, the text of the user's modules does."""


def _of_texts() -> Iterator[LibraryChange]:
    for module in list(sys.modules.values()):
        names = held_by(module)
        path = names.get("__file__")
        if type(path) is not str or not path.endswith(".py") or not is_local_module(module):
            continue
        for chain, name in _stores_in(path):
            owner = _owner(chain, names)
            if owner is None:
                continue
            if is_a(owner, ModuleType):
                label = home = str(held_by(owner).get("__name__"))
            else:
                home, label = home_of(owner), f"{home_of(owner)}.{name_of(owner)}"
            yield _change(home, name, f"{label}.{name}", _reader(owner, name))


@functools.lru_cache(maxsize=1024)
def _stores_in(path: str) -> tuple[tuple[str, str], ...]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ()
    found = {one for pattern in _STORES for one in pattern.findall(text)}
    return tuple(sorted(one for one in found if one[0] not in ("self", "cls")))


def _owner(chain: str, namespace: dict[str, Any]) -> Any:
    """The library's module or class that *chain* leads to in a module of the user's, or None."""
    first, *rest = chain.split(".")
    value: Any = namespace.get(first, vars(builtins).get(first))
    for name in rest:
        if not is_a(value, (ModuleType, type)):
            return None
        value = _held(value).get(name)
    if is_a(value, ModuleType):
        return None if is_local_module(value) else value
    return value if is_a(value, type) and is_library_class(value) else None


def _held(owner: Any) -> Any:
    """The attributes of a module or class."""
    return _names_of(owner) if is_a(owner, type) else held_by(owner)


def _reader(owner: Any, name: str) -> Callable[[], Any]:
    return functools.partial(_read, owner, name)


def _read(owner: Any, name: str) -> Any:
    return _held(owner).get(name, MISSING)
