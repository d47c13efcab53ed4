"""The members of an imperative pipeline: what may be one, its settings, arguments of its calls."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from kohaku_ast.errors import PipelineError, PipelineTypeError, did_you_mean
from kohaku_ast.helpers.processes import process_of
from kohaku_ast.imperative.called_object import Spread, callee_of, spread
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import NodeLike, is_node
from kohaku_ast.pipeline.pipeline import Pipeline
from kohaku_ast.pipeline.plan import Plan
from kohaku_ast.pipeline.script_node import ScriptNode

_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, functools.partial)


def can_be_called(value: Any) -> bool:
    """Whether *value* can be a member: a function, a node, a pipeline, or a class or object with
    ``__call__``.
    """
    if isinstance(value, type):
        return has_call(value)
    return isinstance(value, (*_FUNCTIONS, Pipeline)) or is_node(value) or has_call(type(value))


def has_call(kind: type) -> bool:
    """Whether objects of the class *kind* can be called."""
    return kind not in (object, type) and any("__call__" in vars(one) for one in kind.__mro__)


class Member:
    """A member with its value, as the node that runs in each of its calls. Frozen."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        #: What the user has given: an object, a function, a node or a pipeline.
        self.value = value
        self.node: NodeLike = node_of(name, value)
        self._plans: dict[tuple[str, ...], Plan] = {}

    def plan(self, given: tuple[str, ...]) -> Plan:
        """The Plan of a call with values for the inputs *given*; the keys of its results are made
        of it once.
        """
        found = self._plans.get(given)
        if found is None:
            found = self._plans[given] = Plan((self.node,), given, self.node.outputs)
        return found

    def result(self, values: Mapping[str, Any]) -> Any:
        """What a call returns that has given these outputs."""
        if len(values) == 1:
            return next(iter(values.values()))
        return dict(values) if hasattr(self.node, "pipeline") else tuple(values.values())

    def values_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The values of its inputs in a call with these arguments. Raises TypeError, as Python
        does, for others than it takes.
        """
        if isinstance(self.node, Node) and isinstance(self.node.function, Spread):
            return {"args": args, "kwargs": kwargs}
        if isinstance(self.node, Node):
            free = [one for one in self.node.parameters if one.name not in self.node.bound]
            places = [one.name for one in free if one.kind != "keyword"]
            named = {one.parameter: one.name for one in free if one.kind != "positional"}
        else:
            is_script = isinstance(self.node, ScriptNode)
            required = [one for one in self.node.inputs if one not in self.node.defaults]
            places = required if is_script else [*self.node.inputs]
            named = {one: one for one in self.node.inputs}
        found = _bound(self.name, places, named, args, kwargs)
        for name in self.node.inputs:
            if name not in found and name not in self.node.defaults:
                raise PipelineTypeError(f"{self.name}() is called without its argument {name!r}")
        return {name: found[name] for name in self.node.inputs if name in found}

    def settings(self) -> Inside:
        """Its settings, by name; those of a member inside are Inside one another."""
        if isinstance(self.value, Pipeline):
            inside = getattr(self.value, "settings", None)
            return Inside(inside() if inside is not None else self.value.bound)
        if has_call(type(self.value)) and not isinstance(
            self.value, (*_FUNCTIONS, Node, ScriptNode)
        ):
            return Inside(settings_of(self.value))
        return Inside(getattr(self.value, "bound", {}))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": {}}


def _bound(
    who: str,
    places: Sequence[str],
    named: Mapping[str, str],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> dict[str, Any]:
    if len(args) > len(places):
        raise PipelineTypeError(
            f"{who}() takes {len(places)} arguments by position "
            f"({', '.join(places) or 'none'}), and is called with {len(args)}"
        )
    found = dict(zip(places, args))
    for name, value in kwargs.items():
        if name not in named:
            hint = did_you_mean(name, named) or f" It takes: {', '.join(named) or 'none'}."
            raise PipelineTypeError(f"{who}() has no argument {name!r}.{hint}")
        if named[name] in found:
            raise PipelineTypeError(f"{who}() gets the argument {name!r} twice")
        found[named[name]] = value
    return found


# --- values --------------------------------------------------------------------------------------


def node_of(name: str, value: Any) -> Any:
    """The node that *value* is in a pipeline where it is called *name*. Raises PipelineError for
    what is none.
    """
    if isinstance(value, Pipeline):
        is_renamed = hasattr(value, "with_settings") and name not in value.inputs
        outputs = {value.outputs[0]: name} if is_renamed else None
        return value.as_node(output_mapping=outputs, name=name)
    marked = process_of(value)
    if marked is not None:
        value = Node(marked.function, **marked.options)
    if isinstance(value, (Node, ScriptNode)):
        return _named(value, name)
    if is_node(value):
        return value
    if isinstance(value, _FUNCTIONS) or not isinstance(type(value).__call__, FunctionType):
        return _named(Node(spread(value), name="_", output_name="_"), name)
    return _named(Node(spread(callee_of(value)), "_", name="_"), name)


def _named(node: Any, name: str) -> Any:
    """*node* under the name of the member. An output that was not named has that name, too."""
    if not isinstance(node, Node):
        return node.with_names(name)
    given = getattr(node.function, "__name__", "")
    output = name
    while output in [one.name for one in node.parameters]:
        output += "_"  # a graph could not tell it from the input
    is_unnamed = node.outputs in ((given,), ("_",))
    outputs = (output,) if is_unnamed else node.outputs
    return Node(node.function, **{**node.options(), "name": name, "output_name": outputs})


def made_of(value: Any, before: Any, place: str, home: str = "") -> Any:
    """The value of a member that *value* stands for: a class is called without arguments, a text
    names a class or function (in the module *home*), a dict has settings for the value *before* (a
    class, or an object). Raises PipelineError, which names the *place* (``prompt.temperature``).
    """
    if isinstance(value, str):
        value = named_object(value, place, home)
    if isinstance(value, Mapping):
        settings = dict(value)
        other = settings.pop("", before)
        if isinstance(other, str):
            other = named_object(other, place, home)
        return with_settings(other, settings, place)
    if isinstance(value, type) and has_call(value):
        return _made(value, {}, place)
    if not can_be_called(value):
        raise PipelineTypeError(
            f"{place}={value!r}: a member is a class or an object with __call__, a function, a "
            "node, a pipeline, a script(), or a dict of settings."
        )
    return value


def _made(kind: type, settings: Mapping[str, Any], place: str) -> Any:
    if hasattr(kind, "with_settings"):
        try:
            return kind(**settings)
        except PipelineError as error:
            raise type(error)(f"{place}: {error}") from None
    known = parameters_of(kind)
    for name in settings:
        if known is not None and name not in known:
            hint = did_you_mean(name, known) or f" It has: {', '.join(known) or 'none'}."
            raise PipelineError(f"{place}: {kind.__name__} has no setting {name!r}.{hint}")
    missing = [one for one, has in (known or {}).items() if not has and one not in settings]
    if missing:
        raise PipelineError(
            f"{place}: {kind.__name__} needs {', '.join(missing)}. Give an object, "
            f"{place}={kind.__name__}(...), or a dict, {place}={{{missing[0]!r}: ...}}."
        )
    return kind(**settings)


def parameters_of(kind: type) -> dict[str, bool] | None:
    """Parameter of the constructor -> whether it has a default; None if it takes any name."""
    try:
        found = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):  # a class without Python code
        return None
    if any(one.kind is one.VAR_KEYWORD for one in found):
        return None
    named = [one for one in found if one.kind is not one.VAR_POSITIONAL]
    return {one.name: one.default is not one.empty for one in named}


def with_settings(value: Any, settings: dict[str, Any], place: str) -> Any:
    """A copy of *value*, a class or an object, with *settings*. Raises PipelineError."""
    if isinstance(value, type):
        return _made(value, settings, place)
    if isinstance(value, Pipeline):
        inside = getattr(value, "with_settings", None)
        return inside(settings, place) if inside is not None else value.bind(**settings)
    if isinstance(value, (Node, ScriptNode)):
        return value.bind(**settings)
    if process_of(value) is not None or isinstance(value, _FUNCTIONS):
        return node_of(place.rpartition(".")[2], value).bind(**settings)
    if is_node(value):
        raise PipelineError(f"{place}: {value!r} takes no settings: give another node.")
    return _with_other(value, settings, place)


def _with_other(value: Any, settings: dict[str, Any], place: str) -> Any:
    kind = type(value)
    known = settings_of(value)
    for name in parameters_of(kind) or known:
        if name not in known and name not in settings:
            raise PipelineError(
                f"{place}: {kind.__name__} keeps its argument {name!r} under no attribute of that "
                f"name, so that a dict cannot leave it as it is. Give an object: "
                f"{place}={kind.__name__}(...)."
            )
    return _made(kind, {**known, **settings}, place)


def settings_of(instance: Any) -> dict[str, Any]:
    """Argument of the constructor -> its value, for those that the object has as attributes."""
    kind = type(instance)
    if dataclasses.is_dataclass(instance):
        names = [one.name for one in dataclasses.fields(instance) if one.init]
    else:
        names = [*(parameters_of(kind) or ())]
    return {name: getattr(instance, name) for name in names if hasattr(instance, name)}


def named_object(text: str, place: str, home: str = "") -> Any:
    """What ``module:name`` names, or ``name`` in the module *home*. Raises PipelineError."""
    module, _, path = (text if ":" in text else f"{home}:{text}").rpartition(":")
    try:
        found: Any = import_module(module) if path else None
        for part in path.split("."):
            found = getattr(found, part)
        return found
    except (ImportError, AttributeError, ValueError) as error:
        raise PipelineError(
            f"{place}={text!r}: there is no such class or function ({error}). Write module:name."
        ) from error


def name_of_object(value: Any) -> str | None:
    """``module:name`` of a class or function; None if that leads to another object."""
    name = f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', '')}"
    try:
        return name if named_object(name, "") is value else None
    except PipelineError:
        return None


def copied(value: Any) -> Any:
    """A copy of a default, so that two pipelines do not share what is set on it."""
    if isinstance(value, (type, *_FUNCTIONS, Pipeline)) or is_node(value):
        return value
    try:
        return copy.copy(value)
    except Exception:  # whatever an object raises that cannot be copied
        return value


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``prompt.temperature`` -> value, of settings of members in dicts."""
    for name, value in settings.items():
        if type(value) is Inside:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class Inside(dict):  # type: ignore[type-arg]
    """The settings of a member: no value that is a dict."""


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """*settings* with ``prompt.temperature`` in a dict of the member ``prompt``; the member's own
    value, if there is one as well, is under the empty name.
    """
    found: dict[str, Any] = {}
    for path, value in settings.items():
        name, _, rest = path.partition(".")
        if not rest:
            found[name] = value
            continue
        before = found.get(name, Inside())
        inside = before if isinstance(before, dict) else {"": before}
        found[name] = Inside({**inside, rest: value})
    return {
        name: Inside(nested(one)) if type(one) is Inside else one for name, one in found.items()
    }
