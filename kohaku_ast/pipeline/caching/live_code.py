"""What a live thing is made of: functions, classes and modules of the user's, and nodes."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, Protocol

from kohaku_ast.pipeline.caching.live_classes import class_parts, module_parts
from kohaku_ast.pipeline.caching.live_functions import function_parts, library_function_parts
from kohaku_ast.pipeline.caching.parts import Part, Watch
from kohaku_ast.pipeline.node import Node
from kohaku_ast.user_code import (
    is_library_class,
    is_library_function,
    is_local_function,
    is_local_module,
)


class Parts(Protocol):
    """A node that is no function says so what it computes."""

    def cache_identity(self) -> tuple[Any, ...]:
        """Values, functions, nodes and tuples of them, that its results depend on. It is asked
        for by every run, before anything runs. A pair of text and bytes is a digest of what the
        text says, which is what ``explain_cache`` calls it.
        """


def is_followed(thing: object) -> bool:
    """Whether *thing* counts by its parts: the user's functions, classes, modules; nodes; and
    what a library makes for the user: a function around his own, a class.
    """
    if isinstance(thing, FunctionType):
        return not is_library_function(thing)
    if isinstance(thing, type):
        return not is_library_class(thing)
    if isinstance(thing, ModuleType):
        return is_local_module(thing)
    return isinstance(thing, Node) or callable(getattr(type(thing), "cache_identity", None))


def parts_of(thing: Any, watch: Watch) -> Iterator[Part]:
    """The parts of what :func:`is_followed`; *watch* learns where they were found."""
    if isinstance(thing, FunctionType) and not is_local_function(thing):
        yield from library_function_parts(thing, watch)
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
        kind = type(thing)
        yield "type", kind if is_followed(kind) else f"{kind.__module__}.{kind.__qualname__}"
        yield from _flat(watch.ask(thing.cache_identity), "")


def _flat(parts: tuple[Any, ...], label: str) -> Iterator[Part]:
    for number, part in enumerate(parts):
        if isinstance(part, tuple) and [type(one) for one in part] == [str, bytes]:
            yield part  # a digest, and what it is of
        elif isinstance(part, tuple):
            yield f"{label}{number}.length", len(part)
            yield from _flat(part, f"{label}{number}.")
        else:
            yield f"{label}{number}", part
