"""Functions whose results a library (joblib, diskcache, numba) caches on disk, keyed by the
function's text and its arguments.

Such a library does not see that a global which the function reads has another value, and returns
the old result.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from kohaku_ast.errors import SourceError
from kohaku_ast.transform.find.bindings import find_definitions
from kohaku_ast.transform.find.calls import Function, find_functions
from kohaku_ast.transform.find.modules import import_names, imported_modules
from kohaku_ast.transform.find.paths import called_name, nodes_of
from kohaku_ast.transform.find.source import Source, decode, read_bytes

_STORES = {
    "joblib.Memory": "cache",
    "diskcache.Cache": "memoize",
    "diskcache.FanoutCache": "memoize",
}
"""Class of a cache -> its method that wraps a function."""
_DECORATORS = {"cachier.cachier", "klepto.inf_cache"}


@dataclass(frozen=True)
class CachedFunction:
    """A function of the script whose results are cached on disk."""

    name: str
    line: int
    #: The globals of the script that it reads, itself or through functions that it calls.
    reads: tuple[str, ...]


def find_cached(source: Source) -> list[CachedFunction]:
    """The functions of the module whose results joblib, diskcache or the like cache."""
    tree = source.tree
    names = import_names(tree, source.package)
    stores = dict(_stores(tree, names))
    functions = find_functions(tree)
    globals_ = {one.name for one in find_definitions(tree)}
    wrapped = [*_decorated(functions, stores, names), *_called(tree, functions, stores)]
    return [
        CachedFunction(node.name, node.lineno, tuple(sorted(_reads(node, functions) & globals_)))
        for node in wrapped
    ]


def _stores(tree: ast.Module, names: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Name of each cache object of the module, and its method that wraps a function."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            method = _STORES.get(_dotted(node.value.func, names))
            for target in node.targets:
                if method and isinstance(target, ast.Name):
                    yield target.id, method


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name of *node* by the script's imports: ``joblib.Memory`` for ``Memory``."""
    first, dot, rest = ast.unparse(node).partition(".")
    return f"{names.get(first, first)}{dot}{rest}"


def _decorated(
    functions: dict[str, Function], stores: dict[str, str], names: dict[str, str]
) -> Iterator[Function]:
    for function in functions.values():
        for mark in function.decorator_list:
            decorator = mark.func if isinstance(mark, ast.Call) else mark
            if _wraps(decorator, stores) or _dotted(decorator, names) in _DECORATORS:
                yield function


def _called(
    tree: ast.Module, functions: dict[str, Function], stores: dict[str, str]
) -> Iterator[Function]:
    """The functions in calls like ``memory.cache(f)``."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Call) and _wraps(node.func, stores) and node.args:
            name = called_name(node.args[0])
            if name in functions:
                yield functions[name]


def _wraps(node: ast.expr, stores: dict[str, str]) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and stores.get(node.value.id) == node.attr
    )


def _reads(function: Function, functions: dict[str, Function]) -> set[str]:
    """The names that *function*, or a function of the module that it calls, reads."""
    read: set[str] = set()
    waiting: list[ast.AST] = [function]
    while waiting:
        for node in ast.walk(waiting.pop()):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                if node.id in functions and node.id not in read:
                    waiting.append(functions[node.id])
                read.add(node.id)
    return read


def stale_notes(source: Source, targets: Collection[str]) -> list[str]:
    """A sentence for each cached function that reads one of the overridden *targets*."""
    notes = []
    for one in find_cached(source):
        for target in targets:
            first = target.partition(".")[0].partition("[")[0].partition("(")[0]
            if first in one.reads or first == one.name:
                where = source.line_words(one.line)
                notes.append(
                    f"override {target!r} is read by {one.name}() ({where}), whose results are "
                    "cached on disk without it: the result for another value may be returned"
                )
    return notes


def uses_numba(source: Source) -> bool:
    """Whether the script, or a local module that it imports, imports numba."""
    return any(map(_imports_numba, _texts(source)))


_COMPILERS = re.compile(r"\b(numba|njit|_dynamo)\b")
_TORCH, _COMPILE = (
    re.compile(r"\btorch\b"),
    re.compile(r"(?<!\bre)\.(compile|export)\(|torch\.compile"),
)


def compiles_bytecode(source: Source) -> bool:
    """Whether the script, or a local module that it imports, may hand a function to a compiler
    (numba, torch) that reads its bytecode.
    """
    texts = [one.text for one in _texts(source)]
    return any(map(_COMPILERS.search, texts)) or (
        any(map(_TORCH.search, texts)) and any(map(_COMPILE.search, texts))
    )


def _texts(source: Source) -> Iterator[Source]:
    """The script and each local module that it imports, if Python can read it."""
    yield source
    for module in imported_modules(source):
        try:
            found = decode(read_bytes(module.path), module.path)
            found.tree  # noqa: B018  # raises SyntaxError
        except (SourceError, SyntaxError):
            continue
        yield found


def _imports_numba(source: Source) -> bool:
    names = import_names(source.tree).values()
    return any(name.partition(".")[0] == "numba" for name in names)
