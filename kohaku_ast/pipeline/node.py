"""``@node``: a function as a node of a pipeline. Calling the node still calls the function."""

from __future__ import annotations

import functools
import sys
import types
from types import MappingProxyType
from typing import Any, overload

from kohaku_ast.errors import (
    PipelineError,
    PipelineTypeError,
    check_named,
    check_type,
    near,
)
from kohaku_ast.pipeline import edge_types
from kohaku_ast.pipeline.condition import read_condition
from kohaku_ast.pipeline.node_like import BY_VALUE, is_async, output_names, place_of, split
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kohaku_ast.pipeline.condition import Condition, When


@overload
def node(output_name: Callable[..., Any], /) -> Node: ...
@overload
def node(
    output_name: str | Iterable[str] | None = None,
    *,
    cache: bool = True,
    name: str | None = None,
    rename: Mapping[str, str] | None = None,
    when: When | None = None,
) -> Callable[[Callable[..., Any]], Node]: ...
@public
def node(
    output_name: Any = None,
    *,
    cache: bool = True,
    name: str | None = None,
    rename: Mapping[str, str] | None = None,
    when: When | None = None,
) -> Any:
    """Make a function a Node: ``@node(output_name="loss")``, ``@node("train_set vocab")``.

    Without *output_name* the output has the name of the function. *rename* maps parameters to
    names in the graph; *cache* False: results are never cached. *when*: the input or output whose
    truth decides whether it runs ("flag", "not flag"), or a function of its parameters.
    Raises PipelineError for ``*args``, ``**kwargs`` and names that are no identifiers.
    """
    if callable(output_name) and not isinstance(output_name, str):
        return Node(output_name, None)

    @public
    def decorate(function: Callable[..., Any]) -> Node:
        return Node(function, output_name, cache=cache, name=name, rename=rename, when=when)

    return decorate


class Node:
    """A function with named inputs and outputs. Calling it calls the function."""

    #: The decorated function.
    function: Callable[..., Any]
    #: What errors, callbacks and drawings call it.
    name: str
    #: The names that it gives to the graph.
    outputs: tuple[str, ...]
    #: The names that it takes from the graph: its parameters, less those that are bound.
    inputs: tuple[str, ...]
    #: Name of an optional input -> its default.
    defaults: Mapping[str, Any]
    #: Name of a bound input -> its value.
    bound: Mapping[str, Any]
    #: Whether its results may be cached.
    cache: bool
    #: Whether it is an ``async def``.
    is_async: bool
    #: Whether a call of the function is all that a run of the node is.
    is_direct = True
    #: All parameters of the function, in order.
    parameters: tuple[CallableParameter, ...]
    #: What decides whether it runs; None: it always does.
    when: Condition | None
    #: Whether nothing but its function is called.
    is_quiet: bool

    @public
    def __init__(
        self,
        function: Callable[..., Any],
        output_name: str | Iterable[str] | None = None,
        *,
        cache: bool = True,
        name: str | None = None,
        rename: Mapping[str, str] | None = None,
        bound: Mapping[str, Any] | None = None,
        when: When | None = None,
    ) -> None:
        if isinstance(function, Node):
            raise PipelineError(f"{function!r} is a node already; with_names() renames it.")
        if not callable(function):
            raise PipelineTypeError(f"a node is made of a function, not of {function!r}.")
        check_type(name, (str, type(None)), "the name of a node is a text", PipelineError)
        check_named(rename or {}, str, "rename is a dict of names to names", PipelineError)
        check_named(bound or {}, object, "bound is a dict of names to values", PipelineError)
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        if output_name is None:
            output_name = self.name
        self.outputs = output_names(output_name, repr(self.name))
        self.cache = cache
        self.is_async = is_async(function)
        self.parameters = tuple(callable_parameters(function, repr(self.name)))
        if rename:
            self._rename(rename)
        self.when = self._condition(when)
        self.is_quiet = self.when is None
        self._take(bound or {})

    def __kogine_parts__(self) -> Iterator[tuple[str, Any]]:
        """The parts of the node, for ``cache/code_dependencies.py``."""
        yield "function", self.function
        names = {one.parameter: one.name for one in self.parameters}
        yield "names", (sorted(names.items()), self.outputs)
        if self.when is not None:
            yield "when", (self.when.identity, sorted(self.when.reads.items()))
        yield from {**self.defaults, **self.bound}.items()

    def _rename(self, names: Mapping[str, str]) -> None:
        known = {one.parameter: one for one in self.parameters}
        for parameter, name in names.items():
            if parameter not in known:
                raise PipelineError(self._unknown(parameter, list(known), "parameter"))
            known[parameter].name = name

    def _condition(self, when: When | None) -> Condition | None:
        if when is None:
            return None
        who = repr(self.name)

        def names_of(function: Callable[..., Any]) -> list[str]:
            return [one.parameter for one in callable_parameters(function, who)]

        names = {one.parameter: one.name for one in self.parameters}
        return read_condition(when, who, names, names_of)

    def _take(self, bound: Mapping[str, Any]) -> None:
        """Split the parameters, and what the condition reads, into inputs and *bound*."""
        names = [one.name for one in self.parameters]
        self._by_name = dict(zip(names, self.parameters))
        more = [] if self.when is None else [*{*self.when.reads.values()} - {*names}]
        for name in bound:
            if name not in names and name not in more:
                raise PipelineError(self._unknown(name, [*names, *more], "input"))
        if len(self._by_name) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise PipelineError(f"node {self.name!r}: two parameters are called {twice!r}.")
        free = (
            [one for one in self.parameters if one.name not in bound]
            if bound
            else (self.parameters)
        )
        self.bound = MappingProxyType(dict(bound))
        self.inputs = tuple([one.name for one in free])
        self.inputs += tuple([name for name in more if name not in bound])
        self.defaults = MappingProxyType(
            {one.name: one.default for one in free if one.default is not REQUIRED}
        )

    def _unknown(self, name: str, names: list[str], what: str) -> str:
        found = near(name, names)
        hint = (
            f" Did you mean {found[0]!r}?" if found else f" It has: {', '.join(names) or 'none'}."
        )
        return f"node {self.name!r} ({self.where}) has no {what} {name!r}.{hint}"

    @property
    def where(self) -> str:
        """``file.py:12``, or the module of a function that has no Python code."""
        return place_of(self.function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function. *args* fill the parameters that are not bound, in order."""
        if self.bound:
            args, kwargs = self._with_bound(args, kwargs)
        return self.function(*args, **kwargs)

    def _with_bound(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        places = [one for one in self.parameters if one.kind != "keyword"]
        free = [one.parameter for one in places if one.name not in self.bound]
        bound = {
            one.parameter: self.bound[one.name] for one in self.parameters if one.name in self.bound
        }
        if len(args) > len(free) or not kwargs.keys().isdisjoint(free[: len(args)]):
            raise TypeError(f"{self!r} takes {', '.join(free) or 'nothing'} by position")
        values = {**bound, **dict(zip(free, args)), **kwargs}
        first = [
            values.pop(one.parameter, one.default) for one in places if one.kind == "positional"
        ]
        return tuple([value for value in first if value is not REQUIRED]), values

    def __get__(self, instance: object, owner: type | None = None) -> Node:
        """A node in a class body is a method, as the function would be."""
        if instance is None:
            return self
        method = self.function.__get__(instance, owner)
        names = {one.parameter: one.name for one in self.parameters[1:]}
        options = {**self.options(), "rename": names}
        return Node(method, **options)

    @public
    def bind(self, /, **values: Any) -> Node:
        """A copy that has *values* for these inputs, which it no longer takes."""
        return self._copy(bound={**self.bound, **values})

    @public
    def with_names(self, name: str | None = None, /, **names: str) -> Node:
        """A renamed copy: *name* for the node, ``old="new"`` for inputs and outputs."""
        check_type(name, (str, type(None)), "the name of a node is a text", PipelineError)
        check_named(names, str, "a new name is a text", PipelineError)
        known = [*self.inputs, *self.bound, *self.outputs]
        for old in names:
            if old not in known:
                raise PipelineError(self._unknown(old, known, "input or output"))
        return self._copy(
            output_name=tuple(names.get(output, output) for output in self.outputs),
            name=name or self.name,
            rename={one.parameter: names.get(one.name, one.name) for one in self.parameters},
            bound={names.get(old, old): value for old, value in self.bound.items()},
            when=None if self.when is None else self.when.renamed(names),
        )

    def _copy(self, **changes: Any) -> Node:
        return Node(self.function, **{**self.options(), **changes})

    def options(self) -> dict[str, Any]:
        """The arguments that make an equal node of the function."""
        return {
            "output_name": self.outputs,
            "cache": self.cache,
            "name": self.name,
            "rename": {one.parameter: one.name for one in self.parameters},
            "bound": dict(self.bound),
            "when": None if self.when is None else self.when.given,
        }

    def call(self, values: Mapping[str, Any]) -> Any:
        """Call the function with *values* of the inputs and return its result (a coroutine, if it
        is async). Inputs without a value keep their defaults.
        """
        args, kwargs = call_arguments(self.parameters, values, self.bound)
        return self.function(*args, **kwargs)

    def run(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the outputs, in their order. Raises what the function raises."""
        return split(self, self.call(values))

    def input_hint(self, name: str) -> Any:
        """The type of an input, or ``edge_types.UNKNOWN``."""
        one = self._by_name.get(name)
        return edge_types.of_parameter(self.function, one.parameter) if one else edge_types.UNKNOWN

    def output_hint(self, name: str) -> Any:
        """The type of an output, or ``edge_types.UNKNOWN``."""
        return edge_types.of_output(self.function, self.outputs.index(name), len(self.outputs))

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _reduced(self)

    def __repr__(self) -> str:
        return f"<node {self.name}({', '.join(self.inputs)}) -> {', '.join(self.outputs)}>"


#: Stands for "no default": None is one.
REQUIRED: Any = type("Required", (), {"__repr__": lambda _: "<required>"})()
_STARRED = 0x04 | 0x08  # CO_VARARGS | CO_VARKEYWORDS


class CallableParameter:
    """One parameter of a node's function."""

    __slots__ = ("default", "kind", "name", "parameter")

    def __init__(self, parameter: str, kind: str, default: object = REQUIRED) -> None:
        #: The name in the function.
        self.parameter = parameter
        #: The name in the graph.
        self.name = parameter
        #: "positional", "either" or "keyword".
        self.kind = kind
        self.default = default


def callable_parameters(function: Callable[..., object], who: str) -> list[CallableParameter]:
    """The parameters of *function* in order. Raises PipelineError for ``*args`` and ``**kwargs``,
    which have no names for the graph.
    """
    plain = type(function) is types.FunctionType and not (
        function.__dict__.keys() & {"__wrapped__", "__signature__"}
    )
    if plain and not function.__code__.co_flags & _STARRED:
        return _from_code(function)  # type: ignore[arg-type]
    return _from_signature(function, who)


def call_arguments(
    parameters: Iterable[CallableParameter],
    values: Mapping[str, Any],
    bound: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call with *values*, by their names in the graph, else with those *bound*.
    Parameters without a value keep their defaults.
    """
    args, kwargs = [], {}
    for one in parameters:
        value = values[one.name] if one.name in values else bound.get(one.name, REQUIRED)
        if one.kind == "positional":
            args.append(one.default if value is REQUIRED else value)
        elif value is not REQUIRED:
            kwargs[one.parameter] = value
    return args, kwargs


def _from_code(function: types.FunctionType) -> list[CallableParameter]:
    code, defaults = function.__code__, function.__defaults__ or ()
    count, only = code.co_argcount, code.co_posonlyargcount
    names = code.co_varnames
    first = count - len(defaults)
    found = [
        CallableParameter(
            names[at],
            "positional" if at < only else "either",
            defaults[at - first] if at >= first else REQUIRED,
        )
        for at in range(count)
    ]
    given = function.__kwdefaults__ or {}
    keywords = names[count : count + code.co_kwonlyargcount]
    return found + [
        CallableParameter(name, "keyword", given.get(name, REQUIRED)) for name in keywords
    ]


def _from_signature(function: Callable[..., object], who: str) -> list[CallableParameter]:
    import inspect

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise PipelineError(
            f"{who}: Python cannot tell the parameters of {function!r} ({error}). "
            "Wrap it in a function that names them."
        ) from error
    kinds = {0: "positional", 1: "either", 3: "keyword"}
    found = []
    for one in signature.parameters.values():
        if int(one.kind) not in kinds:
            raise PipelineError(_starred(str(one), who))
        default = REQUIRED if one.default is one.empty else one.default
        found.append(CallableParameter(one.name, kinds[int(one.kind)], default))
    return found


def _starred(parameter: str, who: str) -> str:
    return (
        f"{who}: {parameter!r} has no names that a graph could give values to. "
        "Name each parameter, or wrap the function in one that does."
    )


def _reduced(node: Node) -> str | tuple[Any, ...]:
    """What ``__reduce__`` returns: a reference, if another process finds this node by the name of
    the function; else the function's own bytes.
    """
    by_value = BY_VALUE.get()
    is_mains = node.__dict__.get("__module__") == "__main__"
    found = None if by_value and is_mains else _look_up(node.__dict__)
    if found is node:
        return str(node.__dict__["__qualname__"])
    if type(found) is type(node) and found.function is node.function:
        return _copied, (found, node.options())  # as bind() makes it of the decorated one
    # By value cloudpickle pickles the node, and so the function with what it refers to.
    return _rebuild, (node.function if by_value else _dump(node.function), node.options())


def _look_up(names: dict[str, Any]) -> Any:
    """The object that another process finds by the function's name."""
    found: Any = sys.modules.get(names.get("__module__") or "")
    if found is None or (found.__name__ == "__main__" and not hasattr(found, "__file__")):
        return None  # no process can import what was typed into a notebook
    for part in (names.get("__qualname__") or "<none>").split("."):
        found = getattr(found, part, None)
    return found


def _copied(node: Node, options: dict[str, Any]) -> Node:
    return type(node)(node.function, **options)


def _rebuild(function: Any, options: dict[str, Any]) -> Node:
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
        # Here: it imports cloudpickle, which few functions need.
        from kohaku_ast.runner.module_references import dumps_with_places

        return dumps_with_places(function)
