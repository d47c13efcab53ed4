"""What a graph asks of a node, whoever makes it; names and values of its outputs; its pickle."""

from __future__ import annotations

import keyword
import sys
from typing import Any, Protocol

from kohaku_ast.errors import PipelineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kohaku_ast.pipeline.node import Node


class NodeLike(Protocol):
    """Anything that can stand in ``Pipeline([...])``.

    It may also have ``input_hint(name)`` and ``output_hint(name)`` (types, for the check of
    the edges), and ``cache_identity()``: a tuple of values, functions and tuples of them that its
    results depend on beside its inputs, asked for before every run with a cache. It should be
    quick, and give equal objects as long as nothing has changed; without it the node counts by
    the code of its class and by its attributes.
    """

    @property
    def name(self) -> str:
        """What errors, callbacks and drawings call it."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names that it takes from the graph."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names that it gives to the graph."""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Name of an optional input -> its default."""

    @property
    def bound(self) -> Mapping[str, Any]:
        """Name -> value of what is no input any more."""

    @property
    def cache(self) -> bool:
        """Whether its results may be cached."""

    @property
    def is_async(self) -> bool:
        """Whether it has a ``call`` that returns a coroutine."""

    @property
    def where(self) -> str:
        """``file.py:12``."""

    def run(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the outputs. *values* lacks the inputs that keep their defaults."""


def output_names(asked: str | Iterable[str], who: str) -> tuple[str, ...]:
    """The names in *asked*. Raises PipelineError for none, a repeated one, or one that no
    parameter could have.
    """
    names = tuple(asked.split() if isinstance(asked, str) else asked)
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise PipelineError(
                f"{who}: {name!r} cannot name an output: no function could have a parameter of "
                "that name."
            )
    if not names:
        raise PipelineError(f'{who}: a node needs an output: @node(output_name="...").')
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise PipelineError(f"{who}: the output {twice!r} is named twice.")
    return names


def place(filename: str, line: int) -> str:
    """``file.py:12``, relative to the working folder where the file lies in it."""
    import os

    try:
        folder = os.path.join(os.getcwd(), "")
    except OSError:  # the folder is gone
        folder = "\0"
    return f"{filename.removeprefix(folder)}:{line}"


def split(node: NodeLike, result: Any) -> tuple[Any, ...]:
    """The values of the outputs of *node*. Raises PipelineError if *result* is not one for each."""
    if len(node.outputs) == 1:
        return (result,)
    if isinstance(result, (str, bytes, dict, set, frozenset)) or not hasattr(result, "__len__"):
        raise PipelineError(_message(node, f"a {type(result).__name__}"))
    if len(result) != len(node.outputs):
        raise PipelineError(_message(node, f"{len(result)} of them"))
    return tuple(result)


def _message(node: NodeLike, got: str) -> str:
    return (
        f"node {node.name!r} ({node.where}) has {len(node.outputs)} outputs "
        f"({', '.join(node.outputs)}) and must return a tuple of as many values; it returned {got}."
    )


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
