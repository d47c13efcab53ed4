"""The protocol of a node, and what all kinds of nodes share: names and values of outputs, calls.

State of a context: ``BY_VALUE``.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Protocol

from kohaku_ast.errors import (
    PipelineError,
    PipelineTypeError,
    check_type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


BY_VALUE: ContextVar[bool] = ContextVar("kogine-by-value", default=False)
"""Whether nodes and values are pickled for a process that does not have this one's ``__main__``:
its functions and classes go with them.
"""


class NodeLike(Protocol):
    """Anything that can stand in ``Pipeline([...])``.

    It may also have ``input_hint(name)`` and ``output_hint(name)`` (types, for the check of
    the edges), and ``cache_identity()``: a tuple of values, functions and tuples of them that its
    results depend on besides its inputs. Every run with a cache calls it, so it should be quick,
    and return equal objects as long as nothing has changed. Without it the key has the code of
    the node's class and its attributes. ``when`` is its Condition, or None; what that reads is
    among the inputs.
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
        """Name -> value of the inputs that are bound."""

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
        """The values of the outputs. Inputs that are not in *values* keep their defaults."""


class Recipe:
    """A value of which nodes get what it makes: a Permanence."""

    __slots__ = ()
    #: What makes it.
    factory: Any
    #: The Identity of that, for keys of a cache; None before the first one.
    identity: Any


_OF_NODES = ("inputs", "outputs", "defaults", "run")


def is_node(one: object) -> bool:
    """Whether *one* has what every node has."""
    return all(hasattr(one, name) for name in _OF_NODES)


def output_names(wanted: str | Iterable[str], who: str) -> tuple[str, ...]:
    """The names in *wanted*. Raises PipelineError if there is none, one is repeated, or one is no
    name for a parameter.
    """
    check_type(wanted, Iterable, f"{who}: an output is named by a text", PipelineError)
    names = tuple(wanted.split() if isinstance(wanted, str) else wanted)
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            kind = PipelineError if isinstance(name, str) else PipelineTypeError
            raise kind(
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
    """``file.py:12``, relative to the working folder if the file is in it."""
    import os

    try:
        folder = os.path.join(os.getcwd(), "")
    except OSError:  # the folder is gone
        folder = "\0"
    return f"{filename.removeprefix(folder)}:{line}"


def place_of(function: Any) -> str:
    """``file.py:12``, or the module of a *function* that has no Python code."""
    import inspect

    function = inspect.unwrap(function)
    function = getattr(function, "func", function)  # functools.partial
    call: Any = type(function).__call__
    code = getattr(function, "__code__", None) or getattr(call, "__code__", None)
    if code is None:
        return str(getattr(function, "__module__", None) or "builtins")
    return place(code.co_filename, code.co_firstlineno)


def split(node: NodeLike, result: Any) -> tuple[Any, ...]:
    """The values of the outputs of *node*. Raises PipelineError if *result* is not one for each."""
    if len(node.outputs) == 1:
        return (result,)
    if isinstance(result, (str, bytes, dict, set, frozenset)) or not hasattr(result, "__len__"):
        raise PipelineTypeError(_message(node, f"a {type(result).__name__}"))
    if len(result) != len(node.outputs):
        raise PipelineError(_message(node, f"{len(result)} of them"))
    return tuple(result)


def _message(node: NodeLike, got: str) -> str:
    return (
        f"node {node.name!r} ({node.where}) has {len(node.outputs)} outputs "
        f"({', '.join(node.outputs)}) and must return a tuple of as many values; it returned {got}."
    )


def is_iterator(value: Any) -> bool:
    """Whether *value* can be read only once: a generator, ``map``, ``zip``, a file for reading.
    An object whose own ``__iter__`` does something may start anew each time.
    """
    kind = type(value)
    start = getattr(kind, "__iter__" if hasattr(kind, "__next__") else "__aiter__", None)
    if start is None or not (hasattr(kind, "__next__") or hasattr(kind, "__anext__")):
        return False
    code = getattr(start, "__code__", None)
    if code is not None and code.co_names:
        return False
    return not callable(getattr(kind, "writable", None)) or _is_read_only(value)


def _is_read_only(file: Any) -> bool:
    """Whether a file is open for reading alone: nodes may share one that they write to."""
    try:
        return not file.writable()
    except ValueError:  # it is closed
        return False


def check_readers(name: str, value: Any, nodes: Iterable[NodeLike], is_asked: bool) -> None:
    """Raise PipelineError if *value*, which several of *nodes* read, can be read only once.
    *is_asked*: the caller of the run wants it, too.
    """
    if not is_iterator(value):
        return
    nodes = list(nodes)
    giver = [f" of node {one.name!r} ({one.where})" for one in nodes if name in one.outputs]
    readers = [f"{one.name!r} ({one.where})" for one in nodes if name in one.inputs]
    readers += ["the caller of run"] if is_asked else []
    raise PipelineError(
        f"{name!r}{giver[0] if giver else ''} is a {type(value).__name__}, which can be read only "
        f"once, and {' and '.join(readers)} read it. {'Return' if giver else 'Give'} a list."
    )


_COROUTINE = 0x80  # CO_COROUTINE


def is_async(function: Callable[..., object]) -> bool:
    """Whether a call of *function* returns a coroutine, as far as Python knows."""
    code = getattr(function, "__code__", None)
    if code is not None and not getattr(function, "__dict__", None):
        return bool(code.co_flags & _COROUTINE)
    import inspect

    call: Any = type(function).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


async def call_async(node: NodeLike, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of the outputs of an async *node*."""
    result = node.call(values)  # type: ignore[attr-defined]  # is_async says that it has it
    return split(node, await result if hasattr(result, "__await__") else result)


def run_async(node: NodeLike, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same, run in an event loop of its own."""
    import asyncio
    import contextvars
    import threading

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(call_async(node, values))
    outcome: list[Any] = []

    def inside() -> None:
        try:
            outcome.append((asyncio.run(call_async(node, values)), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(inside,))
    thread.start()
    thread.join()
    found, error = outcome[0]
    if error is not None:
        raise error
    return found  # type: ignore[no-any-return]


def pickled(value: Any) -> bytes:
    """*value* for another process: pickled by the standard library, or with the code of its
    functions and classes if that cannot be, or BY_VALUE says so. Raises what pickling it raises.
    """
    import pickle  # here: a plain run does without

    if not BY_VALUE.get():
        try:
            return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        except Exception:  # a lambda, a class of a notebook; else it is raised below
            pass
    # Here: it imports cloudpickle, which few values need.
    from kohaku_ast.runner.module_references import dumps_with_places

    return dumps_with_places(value)
