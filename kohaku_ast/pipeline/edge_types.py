"""The types at the two ends of an edge: only those that certainly cannot fit are refused."""

from __future__ import annotations

import sys
import types
import typing
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


#: No hint, or one that cannot be resolved: fits everything.
UNKNOWN: Any = Any
_NUMBERS = (int, float, complex)
_UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))


def of_parameter(function: Callable[..., object], parameter: str) -> Any:
    """The type of a parameter, or UNKNOWN."""
    return _resolved(function, parameter)


def of_output(function: Callable[..., object], index: int, count: int) -> Any:
    """The type of the output at *index* of *count*, or UNKNOWN."""
    hint = _resolved(function, "return")
    if count == 1:
        return hint
    if typing.get_origin(hint) is not tuple:
        return UNKNOWN
    args = typing.get_args(hint)
    if len(args) == 2 and args[1] is ...:
        return args[0]
    return args[index] if len(args) == count else UNKNOWN


def _resolved(function: Any, name: str) -> Any:
    if isinstance(function, type):  # a class as a node returns an instance of itself
        if name == "return":
            return function
        function = function.__init__  # type: ignore[misc]
    try:
        hint = function.__annotations__.get(name, UNKNOWN)
        return _evaluated(hint, function) if isinstance(hint, str) else hint
    except Exception:  # a name under TYPE_CHECKING, a partial: no hint is no error
        return UNKNOWN


def _evaluated(hint: str, function: Any) -> Any:
    if hint == "None":
        return None
    names = function.__globals__
    if hint in names:  # most hints are one name: a hundred times faster than eval
        return names[hint]
    found = getattr(names.get("__builtins__"), hint, None)
    return found if isinstance(found, type) else eval(hint, names)


def fits(given: Any, wanted: Any) -> bool:
    """Whether a value of the type *given* could be one of the type *wanted*."""
    if given is wanted:
        return True
    given, wanted = _plain(given), _plain(wanted)
    if given is Any or wanted is Any:  # a type variable
        return True
    if typing.get_origin(wanted) in _UNIONS:
        return any(fits(given, one) for one in typing.get_args(wanted))
    if typing.get_origin(given) in _UNIONS:
        return any(fits(one, wanted) for one in typing.get_args(given))
    if typing.get_origin(given) is typing.Literal:
        return any(fits(type(one), wanted) for one in typing.get_args(given))
    if typing.get_origin(wanted) is typing.Literal:
        return any(fits(given, type(one)) for one in typing.get_args(wanted))
    given, wanted = typing.get_origin(given) or given, typing.get_origin(wanted) or wanted
    if not isinstance(given, type) or not isinstance(wanted, type):
        return True
    return _classes_fit(given, wanted)


def _plain(hint: Any) -> Any:
    """*hint* without ``Annotated`` and ``NewType``; a type variable is what it is bound to."""
    while True:
        if typing.get_origin(hint) is typing.Annotated or hasattr(hint, "__supertype__"):
            hint = getattr(hint, "__supertype__", None) or hint.__origin__
        elif isinstance(hint, typing.TypeVar):
            hint = hint.__bound__ or Any
        else:
            return type(None) if hint is None else hint


def _classes_fit(given: type, wanted: type) -> bool:
    if object in (given, wanted) or _related(given, wanted):
        return True
    if wanted in _NUMBERS:
        if given in _NUMBERS:  # type checkers take an int for a float
            return _NUMBERS.index(given) <= _NUMBERS.index(wanted)
        return any(hasattr(given, name) for name in ("__index__", "__float__"))  # numpy's
    if given.__module__ == "builtins" or given is type(None):
        return _is_duck(wanted) and wanted.__module__ not in _ABSTRACT
    return _is_duck(wanted) or _is_duck(given)


_ABSTRACT = ("collections.abc", "numbers", "os")


def _related(given: type, wanted: type) -> bool:
    try:
        return issubclass(given, wanted) or issubclass(wanted, given)
    except TypeError:  # a Protocol with attributes
        return True


def _is_duck(kind: type) -> bool:
    """Whether a class may fit *kind* without being a subclass of it."""
    if typing.is_typeddict(kind):
        return True
    return getattr(kind, "_is_protocol", False) or isinstance(kind, _abc_meta())


def _abc_meta() -> type:
    return sys.modules["abc"].ABCMeta  # type: ignore[no-any-return]  # always imported


def name_of(hint: Any) -> str:
    """*hint* as in source code."""
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__qualname__
    return str(hint).replace("typing.", "")
