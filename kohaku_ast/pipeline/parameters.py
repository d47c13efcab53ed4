"""What a callable takes, read from its code where that is possible: it is ten times faster
than ``inspect.signature``, and a graph of a thousand nodes is built in milliseconds.
"""

from __future__ import annotations

import types

from kohaku_ast.errors import PipelineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Stands for "no default": None is one.
REQUIRED: Any = type("Required", (), {"__repr__": lambda _: "<required>"})()
_STARRED = 0x04 | 0x08  # CO_VARARGS | CO_VARKEYWORDS


class Parameter:
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


def find_parameters(function: Callable[..., object], who: str) -> list[Parameter]:
    """The parameters of *function* in order. Raises PipelineError for ``*args`` and ``**kwargs``:
    a graph cannot know what to give them.
    """
    plain = type(function) is types.FunctionType and not (
        function.__dict__.keys() & {"__wrapped__", "__signature__"}
    )
    if plain and not function.__code__.co_flags & _STARRED:
        return _from_code(function)  # type: ignore[arg-type]
    return _from_signature(function, who)


def _from_code(function: types.FunctionType) -> list[Parameter]:
    code, defaults = function.__code__, function.__defaults__ or ()
    count, only = code.co_argcount, code.co_posonlyargcount
    names = code.co_varnames
    first = count - len(defaults)
    found = [
        Parameter(
            names[at],
            "positional" if at < only else "either",
            defaults[at - first] if at >= first else REQUIRED,
        )
        for at in range(count)
    ]
    given = function.__kwdefaults__ or {}
    keywords = names[count : count + code.co_kwonlyargcount]
    return found + [Parameter(name, "keyword", given.get(name, REQUIRED)) for name in keywords]


def _from_signature(function: Callable[..., object], who: str) -> list[Parameter]:
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
        found.append(Parameter(one.name, kinds[int(one.kind)], default))
    return found


def _starred(parameter: str, who: str) -> str:
    return (
        f"{who}: {parameter!r} has no names that a graph could give values to. "
        "Name each parameter, or wrap the function in one that does."
    )
