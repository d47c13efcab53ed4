"""Components as JSON, and back: what another process needs to make them again."""

from __future__ import annotations

import dataclasses
import enum
import os
import pathlib
import sys
import types
import typing
from importlib import import_module
from typing import Any

from kohaku_ast.errors import SystemsError
from kohaku_ast.pipeline.edge_types import name_of
from kohaku_ast.systems.component import Component

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kohaku_ast.systems.engine import SystemLike

MAIN = "__system_main__"
"""The name of the file with the system as a module of a node's process: its guard does not run."""

REPORT = "kogine report "
"""The start of the line of output by which the process of a node says how it ended."""


def describe(system: SystemLike) -> dict[str, Any]:
    """*system* as JSON. Raises SystemsError for what JSON does not hold, or nobody could import."""
    return {
        "name": system.name,
        "nodes": [
            {"name": one.name, "machine": one.machine, "engine": one.engine}
            for one in system.nodes.values()
        ],
        "components": [describe_component(one) for one in system.components.values()],
        "connections": [
            [port.source.full_name, port.full_name]
            for one in system.components.values()
            for port in one.inputs.values()
            if port.source is not None
        ],
    }


def describe_component(component: Component) -> dict[str, Any]:
    """*component* as JSON, without its connections."""
    recipe = getattr(type(component), "recipe", None)
    made: dict[str, Any]
    if recipe is None:
        made = {"class": _place(type(component), component)}
    elif "function" in recipe:
        made = {**recipe, "function": _place(recipe["function"], component)}
    else:
        made = dict(recipe)
    where = f"{component.name}.config"
    config = None if component.config is None else _encoded(component.config, where)
    return {
        "name": component.name, **made, "node": component.node.name, "rate": component.rate,
        "config": config,
    }  # fmt: skip


def make_component(made: Mapping[str, Any]) -> Component:
    """The component that *made* describes."""
    given = {"name": made["name"], "rate": made["rate"]}
    if "function" in made:
        return Component.of_function(_found(made["function"]), made["outputs"], **given)
    if "script" in made:
        return Component.of_script(
            made["script"], made["outputs"], made["inputs"], name=made["name"]
        )
    kind = _found(made["class"])
    config = None if kind.Config is None else _decoded(made["config"], kind.Config)
    return kind(config=config, **given)  # type: ignore[no-any-return]


def _place(thing: Any, component: Component) -> dict[str, str]:
    """Where another process finds a class or function. Raises SystemsError if it cannot."""
    module = sys.modules.get(thing.__module__)
    found: Any = module
    for part in thing.__qualname__.split("."):
        found = getattr(found, part, None)
    if module is None or found is not thing:
        raise SystemsError(
            f"{component.name}: {thing.__qualname__} of {thing.__module__} is not found by its "
            "name, so no other process can make it: define it at module level."
        )
    place = {"module": thing.__module__, "name": thing.__qualname__}
    if thing.__module__ == "__main__":
        file = getattr(module, "__file__", None)
        if not file:
            raise SystemsError(
                f"{component.name}: {thing.__qualname__} was typed into a session: put it in a "
                "file, which another process can import."
            )
        place["file"] = os.path.abspath(file)
    return place


def _found(place: Mapping[str, str]) -> Any:
    """The class or function at *place*."""
    found: Any = _main(place["file"]) if "file" in place else import_module(place["module"])
    for part in place["name"].split("."):
        found = getattr(found, part)
    return found


def _main(file: str) -> types.ModuleType:
    """The *file* that defined the system, as a module whose ``__name__`` is not ``__main__``."""
    from importlib.util import module_from_spec, spec_from_file_location

    if MAIN not in sys.modules:
        spec = spec_from_file_location(MAIN, file)
        if spec is None or spec.loader is None:
            raise SystemsError(f"{file} cannot be imported: give it a name that ends in .py")
        module = sys.modules[MAIN] = module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[MAIN]


def check_recipe(component: Component) -> str:
    """Why *component* cannot be made in another process; "" if it can."""
    try:
        made = describe_component(component)
        if component.config is None:
            return ""
        again = _decoded(made["config"], type(component.config))
    except SystemsError as error:
        return str(error)
    for one in dataclasses.fields(component.config):
        own, other = getattr(component.config, one.name), getattr(again, one.name)
        if own != other and repr(own) != repr(other):  # nan is not equal to itself
            return (
                f"{component.name}.config.{one.name} is {own!r}, and would be {other!r} in another "
                "process: give the field a type that says what it holds."
            )
    return ""


def _encoded(value: Any, where: str) -> Any:
    """*value* as JSON. Raises SystemsError, which names *where* it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            one.name: _encoded(getattr(value, one.name), f"{where}.{one.name}")
            for one in dataclasses.fields(value)
            if one.init
        }
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        return [_encoded(one, f"{where}[{at}]") for at, one in enumerate(items)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _encoded(one, f"{where}[{key!r}]") for key, one in value.items()}
    raise SystemsError(
        f"{where} is a {type(value).__name__}, which JSON does not hold: keep numbers, texts, "
        "lists, paths or dataclasses there, and make the object in setup()."
    )


def _decoded(value: Any, hint: Any) -> Any:
    """What *value*, read from JSON, was as a *hint*."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        hints = _hints(hint)
        return hint(**{name: _decoded(one, hints.get(name, Any)) for name, one in value.items()})
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _decoded(value, args[0])
    if origin is typing.Union or origin is getattr(types, "UnionType", None):
        return _of_union(value, args)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint[value]
    if isinstance(hint, type) and issubclass(hint, pathlib.PurePath):
        return hint(value)
    return _of_items(value, origin or hint, args)


def _of_items(value: Any, kind: Any, args: tuple[Any, ...]) -> Any:
    if isinstance(value, list) and kind in (list, tuple, set, frozenset):
        each: Callable[[int], Any] = lambda at: args[0] if args else Any  # noqa: E731
        if kind is tuple and args and args[-1] is not ...:
            each = lambda at: args[at]  # noqa: E731
        return kind(_decoded(one, each(at)) for at, one in enumerate(value))
    if isinstance(value, dict) and kind is dict and len(args) == 2:
        return {key: _decoded(one, args[1]) for key, one in value.items()}
    return value


def _of_union(value: Any, kinds: tuple[Any, ...]) -> Any:
    """*value* as the first of *kinds* that gives another form of it, or as it is."""
    if value is None and type(None) in kinds:
        return None
    if type(value) in kinds:
        return value
    for kind in kinds:
        try:
            return _decoded(value, kind)
        except (KeyError, TypeError, ValueError):
            continue
    return value


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind)
    except NameError as error:
        raise SystemsError(
            f"{name_of(kind)}: {error.args[0]}: import it where the class is defined, not under "
            "TYPE_CHECKING."
        ) from error
