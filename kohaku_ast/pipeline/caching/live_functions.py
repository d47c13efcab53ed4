"""What a live function is made of: its text, and the things that it reads, as they are.

What never changes about a code object is kept here for the process (``_known``): to read and parse
its source takes a hundred times longer than to ask what its names mean now.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from kohaku_ast.pipeline.caching.code_reads import (
    Chain,
    Import,
    find_chains,
    find_imports,
    find_names,
    find_texts,
)
from kohaku_ast.pipeline.caching.code_text import code_parts, text_of
from kohaku_ast.pipeline.caching.live_reads import imported, looked_up, read
from kohaku_ast.pipeline.caching.parts import Maybe, Part, Watch, content
from kohaku_ast.user_code import is_local_name, is_stdlib, library_label

_FROM_USERS = (
    FunctionType, MethodType, type, str, int, float, bool, bytes, tuple, list, dict, set, frozenset,
)  # fmt: skip


@dataclass(frozen=True)
class _Facts:
    """What never changes about a code object."""

    text: object
    chains: tuple[Chain, ...]
    imports: tuple[Import, ...]
    #: Every name that is read of something, and every text, that the code holds.
    names: frozenset[str]
    texts: tuple[str, ...]


def function_parts(function: FunctionType, watch: Watch, defaults: bool = True) -> Iterator[Part]:
    """Text, closure, globals and, unless the caller counts them by himself, *defaults*."""
    facts = _facts(function)
    _look_at(function, watch)
    watch.with_subclasses |= "__subclasses__" in facts.names
    yield "code", facts.text
    found = list(_defaults(function, watch))
    yield from found if defaults else ()
    yield from _attributes(function, watch)
    for label, part in _reads(function, facts, watch):
        yield label, part
        if "__doc__" in facts.names and isinstance(part, (FunctionType, type, ModuleType)):
            yield f"{label}.__doc__", part.__doc__


def _reads(function: FunctionType, facts: _Facts, watch: Watch) -> Iterator[Part]:
    for name, value in _closure(function, watch):
        yield f"closure {name}", value
    for chain in facts.chains:
        yield from read(chain, function.__globals__, watch)
    yield from imported(facts.imports, function.__globals__, watch)
    yield from looked_up(facts.names, facts.texts, facts.chains, function.__globals__, watch)


def library_function_parts(function: FunctionType, watch: Watch) -> Iterator[Part]:
    """Name and version, and what of its closure and defaults may be the user's."""
    module = function.__globals__.get("__name__", "")
    _look_at(function, watch)
    yield "library", library_label(module, function.__code__.co_name)
    held = [*_closure(function, watch), *_defaults(function, watch)]
    for name, value in held:
        if not isinstance(value, _FROM_USERS) and not is_local_name(type(value).__module__):
            continue
        for label, one in _items(f"closure {name}", value):
            yield label, Maybe(one)
        if isinstance(value, FunctionType) and not is_stdlib(module):
            yield f"closure {name}.__doc__", value.__doc__  # a library may make a text of it


def _items(label: str, value: Any) -> Iterator[Part]:
    """*value*, or each of the things in it: one without a fingerprint hides no other."""
    if type(value) in (tuple, list):
        yield f"{label} holds", len(value)
        for number, one in enumerate(value):
            yield f"{label}[{number}]", one
    elif type(value) is dict:
        yield f"{label} holds", len(value)
        for number, pair in enumerate(value.items()):
            yield f"{label}[{number}]", pair
    else:
        yield label, value


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
    facts = _Facts(text, find_chains(code), find_imports(code), find_names(code), find_texts(code))
    key = id(code)
    _known[key] = (weakref.ref(code, lambda _: _known.pop(key, None) and None), facts)
    return facts


def _look_at(function: FunctionType, watch: Watch) -> None:
    held = function.__code__, function.__defaults__, function.__kwdefaults__
    watch.functions.append((function, *held))


def _closure(function: FunctionType, watch: Watch) -> Iterator[Part]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        value = content(cell)
        watch.cells.append((cell, value))
        yield name, value


def _defaults(function: FunctionType, watch: Watch) -> Iterator[Part]:
    code = function.__code__
    values = function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    for name, value in zip(names, values):
        yield f"default {name}", value
    for name in sorted(function.__kwdefaults__ or {}):
        yield f"default {name}", watch.read(function.__kwdefaults__, name)


def _attributes(function: FunctionType, watch: Watch) -> Iterator[Part]:
    """What was set on the function itself: ``f.scale = 2``, for whoever goes through a list."""
    found = vars(function)
    watch.sizes.append((found, len(found)))
    for name in sorted(found):
        yield f"attribute {name}", Maybe(watch.read(found, name))
