"""What the names that a function reads mean now: globals, modules' attributes, imports."""

from __future__ import annotations

import builtins
import functools
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from kohaku_ast.pipeline.caching.code_reads import Chain, Import
from kohaku_ast.pipeline.caching.live_classes import namespace_parts
from kohaku_ast.pipeline.caching.local_imports import find_file, module_text, parents, targets
from kohaku_ast.pipeline.caching.parts import MISSING, Maybe, Part, Watch
from kohaku_ast.user_code import (
    distribution_version,
    is_local_function,
    is_local_module,
    is_local_name,
)

_BY_NAME = {"globals", "eval", "exec", "__import__", "import_module", "modules"}
"""Who reads one of these (``sys.modules``) may reach whatever has a name."""


def read(chain: Chain, namespace: dict[str, Any], watch: Watch) -> Iterator[Part]:
    """The thing that *chain* leads to: through the user's modules, no further."""
    value = watch.read(namespace, chain[0])
    if value is MISSING and chain[0] in vars(builtins):
        value = watch.read(vars(builtins), chain[0])
        if not _is_users(value) and type(value) not in (int, float, str, bool, tuple):
            return  # Python's version is in every key
    taken = 1
    while isinstance(value, ModuleType) and taken < len(chain) and is_local_module(value):
        value = _attribute(value, chain[taken], watch)
        taken += 1
    yield ".".join(chain[:taken]), value
    if taken < len(chain) and isinstance(value, (ModuleType, FunctionType)):
        yield from _set_by_user(value, chain, taken, watch)


def _attribute(module: ModuleType, name: str, watch: Watch) -> Any:
    found = watch.read(vars(module), name)
    if found is MISSING and "__getattr__" in vars(module):
        found = watch.ask(functools.partial(_lazy, module, name))
    return found


def _lazy(module: ModuleType, name: str) -> Any:
    """An attribute that a module makes when it is asked for it."""
    try:
        return getattr(module, name)
    except Exception:  # whatever the user's __getattr__ raises is raised again when the node runs
        return MISSING


def _set_by_user(owner: Any, chain: Chain, taken: int, watch: Watch) -> Iterator[Part]:
    """What was put into a library's module, or onto a function."""
    if chain[taken] not in vars(owner):
        return
    value = watch.read(vars(owner), chain[taken])
    if isinstance(owner, FunctionType) or _is_users(value):
        yield ".".join(chain[: taken + 1]), value


def _is_users(value: object) -> bool:
    if isinstance(value, FunctionType):
        return is_local_function(value)
    return isinstance(value, type) and is_local_name(value.__module__)


def imported(
    imports: tuple[Import, ...], namespace: dict[str, Any], watch: Watch
) -> Iterator[Part]:
    """What import statements inside a function load: the user's modules by their text, if they
    are not loaded yet, else as they are; libraries by their version.
    """
    package = namespace.get("__package__") or ""
    for one in imports:
        names = targets(one, package)
        for name in parents(names):
            is_read = not one.names  # ``import a.b`` gives ``a``
            yield from _module(name, watch, is_live=is_read)
        for name in names:
            yield from _module(name, watch)


def _module(name: str, watch: Watch, is_live: bool = True) -> Iterator[Part]:
    text = watch.ask(functools.partial(module_text, name))
    if text is not None:
        yield f"import {name}", text
    elif is_live and name in sys.modules and is_local_module(sys.modules[name]):
        yield f"import {name}", sys.modules[name]
    elif "." not in name and find_file(name) is None:
        yield f"import {name}", distribution_version(name)


def looked_up(
    names: frozenset[str],
    texts: tuple[str, ...],
    chains: tuple[Chain, ...],
    namespace: dict[str, Any],
    watch: Watch,
) -> Iterator[Part]:
    """For code that takes things by a name that it makes up: all that the names may be of, the
    module of the function and the user's modules whose names are written in it.
    """
    if not _takes_by_name(names, chains):
        return
    for label, part in namespace_parts(namespace, watch):
        yield label, Maybe(part)
    for text in texts:
        if all(part.isidentifier() for part in text.split(".")) and find_file(text):
            yield from _module(text, watch)


def _takes_by_name(names: frozenset[str], chains: tuple[Chain, ...]) -> bool:
    found = names & _BY_NAME
    if found == {"modules"}:  # somebody else's attribute, most of the time
        return any(chain[-2:] == ("sys", "modules") or chain == ("modules",) for chain in chains)
    return bool(found)
