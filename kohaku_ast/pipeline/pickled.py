"""Nodes as bytes for another process, with the pickle of the standard library."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kohaku_ast.pipeline.node import Node

_COROUTINE = 0x80  # CO_COROUTINE


def is_async(function: Callable[..., object]) -> bool:
    """Whether calling *function* makes a coroutine, as far as Python knows."""
    code = getattr(function, "__code__", None)
    if code is not None and not getattr(function, "__dict__", None):
        return bool(code.co_flags & _COROUTINE)
    import inspect

    call: Any = type(function).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def reduce_node(node: Node) -> str | tuple[Any, ...]:
    """What ``__reduce__`` returns: a reference, if the name of the function leads to this very
    node in another process too; else the function's own bytes.
    """
    found = _named(node.__dict__)
    if found is node:
        return str(node.__dict__["__qualname__"])
    if type(found) is type(node) and found.function is node.function:
        return _copy, (found, node.options())  # as bind() makes it of the decorated one
    return _rebuild, (_dump(node.function), node.options())


def _named(names: dict[str, Any]) -> Any:
    """What another process finds under the function's name."""
    found: Any = sys.modules.get(names.get("__module__") or "")
    if found is None or (found.__name__ == "__main__" and not hasattr(found, "__file__")):
        return None  # no process can import what was typed into a notebook
    for part in (names.get("__qualname__") or "<none>").split("."):
        found = getattr(found, part, None)
    return found


def _copy(node: Node, options: dict[str, Any]) -> Node:
    return type(node)(node.function, **options)


def _rebuild(function: Any, options: dict[str, Any]) -> Node:
    from kohaku_ast.pipeline.node import Node

    if isinstance(function, bytes):
        import pickle

        function = pickle.loads(function)
    if isinstance(function, Node):  # a method, read from its object: there it is a node
        function = function.function
    return Node(function, **options)


def _dump(function: Callable[..., object]) -> object:
    """*function* itself, if the standard library can pickle it, else cloudpickle's bytes."""
    import pickle

    try:
        pickle.dumps(function)
        return function
    except Exception:
        import cloudpickle  # type: ignore[import-untyped]  # it has no types

        return cloudpickle.dumps(function)
