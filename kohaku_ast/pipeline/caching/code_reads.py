"""The names outside of itself that a code object reads."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

Chain = tuple[str, ...]
"""A name and the attributes that follow it: ``("helpers", "scale")``."""


class Import(NamedTuple):
    """``from ..module import name, name``; no names for ``import module``."""

    level: int
    module: str
    names: tuple[str, ...]


_NAMES = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
_BETWEEN = {"CACHE", "EXTENDED_ARG", "PUSH_NULL", "NOP"}


def find_chains(code: CodeType) -> tuple[Chain, ...]:
    """Every chain that *code* reads, and the code inside of it, sorted."""
    return tuple(sorted({chain for inner in walk(code) for chain in _chains(inner)}))


def find_imports(code: CodeType) -> tuple[Import, ...]:
    """Every import statement inside *code*, sorted."""
    return tuple(sorted({one for inner in walk(code) for one in _imports(inner)}))


def find_names(code: CodeType) -> frozenset[str]:
    """Every name of a global or an attribute that stands in *code*, wherever it is read from."""
    return frozenset(name for inner in walk(code) for name in inner.co_names)


def find_texts(code: CodeType) -> tuple[str, ...]:
    """Every text that stands in *code*, sorted."""
    found = {one for inner in walk(code) for one in inner.co_consts if type(one) is str}
    return tuple(sorted(found))


def walk(code: CodeType) -> Iterator[CodeType]:
    """*code* and every code object inside of it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from walk(constant)


def _chains(code: CodeType) -> Iterator[Chain]:
    import dis  # only where a function is seen for the first time

    chain: list[str] = []
    for one in dis.get_instructions(code):
        if one.opname in _BETWEEN:
            continue
        if one.opname in _ATTRIBUTES and chain:
            chain.append(one.argval)
            continue
        if chain:
            yield tuple(chain)
        chain = [one.argval] if one.opname in _NAMES else []


def _imports(code: CodeType) -> Iterator[Import]:
    import dis

    before: list[object] = [0, None]  # the level and the names lie on the stack
    for one in dis.get_instructions(code):
        if one.opname == "IMPORT_NAME":
            level, names = before[-2:]
            yield Import(
                level if isinstance(level, int) else 0,
                one.argval,
                names if isinstance(names, tuple) else (),
            )
        elif one.opname not in _BETWEEN:
            before = [before[-1], one.argval]
