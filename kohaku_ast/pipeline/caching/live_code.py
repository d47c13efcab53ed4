"""What a live function or class is made of: its text, and the things that it reads, as they are.

What never changes about a code object is kept here for the process (``_known``): to read and parse
its source takes a hundred times longer than to ask what its names mean now.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Protocol

from kohaku_ast.pipeline.caching.code_reads import Chain, find_chains, find_imports
from kohaku_ast.pipeline.caching.code_text import code_parts, text_of
from kohaku_ast.pipeline.caching.live_classes import class_parts, module_parts
from kohaku_ast.pipeline.caching.local_code import (
    is_local_function,
    is_local_module,
    is_local_name,
    library_label,
)
from kohaku_ast.pipeline.caching.local_imports import module_names, module_text
from kohaku_ast.pipeline.caching.parts import MISSING, Maybe, Part, Watch, content
from kohaku_ast.pipeline.node import Node


class Parts(Protocol):
    """A node that is no function says so what it computes."""

    def cache_identity(self) -> tuple[Any, ...]:
        """Values, functions, nodes and tuples of them, that its results depend on."""


def is_followed(thing: object) -> bool:
    """Whether *thing* counts by its parts: the user's functions, classes, modules; nodes."""
    if isinstance(thing, FunctionType):
        # A library's decorator gives a function of its own, with the user's in its closure.
        return thing.__closure__ is not None or is_local_function(thing)
    if isinstance(thing, type):
        return is_local_name(thing.__module__)
    if isinstance(thing, ModuleType):
        return is_local_module(thing)
    return isinstance(thing, Node) or callable(getattr(type(thing), "cache_identity", None))


def parts_of(thing: Any, watch: Watch) -> Iterator[Part]:
    """The parts of what :func:`is_followed`; *watch* learns where they were found."""
    if isinstance(thing, FunctionType) and not is_local_function(thing):
        yield from _library_parts(thing, watch)
    elif isinstance(thing, FunctionType):
        yield from function_parts(thing, watch)
    elif isinstance(thing, type):
        yield from class_parts(thing, watch)
    elif isinstance(thing, ModuleType):
        yield from module_parts(thing, watch)
    elif isinstance(thing, Node):
        yield "function", thing.function
        names = {one.parameter: one.name for one in thing.parameters}
        yield "names", (sorted(names.items()), thing.outputs)
        yield from {**thing.defaults, **thing.bound}.items()
    else:
        yield from _flat(thing.cache_identity(), "")


def _flat(parts: tuple[Any, ...], label: str) -> Iterator[Part]:
    for number, part in enumerate(parts):
        if isinstance(part, tuple):
            yield "(", len(part)
            yield from _flat(part, f"{label}{number}.")
        else:
            yield f"{label}{number}", part


def function_parts(function: FunctionType, watch: Watch, defaults: bool = True) -> Iterator[Part]:
    """Text, closure, globals and, unless the caller counts them by himself, *defaults*."""
    code = function.__code__
    watch.functions.append((function, code, function.__defaults__))
    facts = _facts(function)
    yield "code", facts.text
    if defaults:
        yield from _defaults(function, watch)
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        value = content(cell)
        watch.cells.append((cell, value))
        yield f"closure {name}", value
    for chain in facts.chains:
        yield from _read(chain, function, watch)
    yield from _imported(facts, function)


def _library_parts(function: FunctionType, watch: Watch) -> Iterator[Part]:
    """Name and version, and what of its closure may be the user's."""
    watch.functions.append((function, function.__code__, function.__defaults__))
    yield (
        "library",
        library_label(function.__globals__.get("__name__", ""), function.__code__.co_name),
    )
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        value = content(cell)
        watch.cells.append((cell, value))
        if isinstance(value, _FROM_USERS) or is_followed(type(value)):
            yield f"closure {name}", Maybe(value)


_FROM_USERS = (
    FunctionType, MethodType, type, str, int, float, bool, bytes, tuple, list, dict, set, frozenset,
)  # fmt: skip


@dataclass(frozen=True)
class _Facts:
    """What never changes about a code object."""

    text: object
    chains: tuple[Chain, ...]
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]


#: By the identity of the code object, as long as it lives: its source is read and parsed once.
_known: dict[int, tuple[weakref.ref[CodeType], _Facts]] = {}


def _facts(function: FunctionType) -> _Facts:
    code = function.__code__
    known = _known.get(id(code))
    if known is not None and known[0]() is code:
        return known[1]
    text: object = text_of(function)
    if text is None:
        text = code_parts(code)
    facts = _Facts(text, find_chains(code), find_imports(code))
    key = id(code)
    _known[key] = (weakref.ref(code, lambda _: _known.pop(key, None) and None), facts)
    return facts


def _defaults(function: FunctionType, watch: Watch) -> Iterator[Part]:
    code = function.__code__
    values = function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    for name, value in zip(names, values):
        yield f"default {name}", value
    for name, value in sorted((function.__kwdefaults__ or {}).items()):
        watch.names.append((function.__kwdefaults__, name, value))
        yield f"default {name}", value


def _read(chain: Chain, function: FunctionType, watch: Watch) -> Iterator[Part]:
    """The thing that *chain* leads to: through the user's modules, no further."""
    namespace: Any = function.__globals__
    if chain[0] not in namespace and hasattr(sys.modules["builtins"], chain[0]):
        watch.names.append((namespace, chain[0], MISSING))
        return  # a builtin: Python's version is in every key
    value = namespace.get(chain[0], MISSING)
    watch.names.append((namespace, chain[0], value))
    taken = 1
    while isinstance(value, ModuleType) and taken < len(chain) and is_local_module(value):
        module = value
        value = getattr(module, chain[taken], MISSING)  # a lazy module fills itself by this
        watch.names.append((vars(module), chain[taken], vars(module).get(chain[taken], MISSING)))
        taken += 1
    yield ".".join(chain[:taken]), value
    if isinstance(value, FunctionType) and taken < len(chain) and chain[taken] in vars(value):
        found = vars(value)[chain[taken]]
        watch.names.append((vars(value), chain[taken], found))
        yield ".".join(chain[: taken + 1]), found


def _imported(facts: _Facts, function: FunctionType) -> Iterator[Part]:
    package = function.__globals__.get("__package__") or ""
    for level, module, names in facts.imports:
        for name in module_names(level, module, names, package):
            text = module_text(name)
            if text is not None:
                yield f"import {name}", text
            elif name in sys.modules:
                yield f"import {name}", sys.modules[name]
