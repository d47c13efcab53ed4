"""Settings of imperative pipelines as the texts of a command line; and as a Config, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kohaku_ast.config.cells import is_cell, native
from kohaku_ast.config.config import Config
from kohaku_ast.errors import PATHS, PipelineError, check_type, did_you_mean
from kohaku_ast.imperative.members import Inside, flat, name_of_object, named_object, nested
from kohaku_ast.pipeline import edge_types
from kohaku_ast.pipeline.graph import Graph
from kohaku_ast.pipeline.inputs import read_input, read_typed
from kohaku_ast.pipeline.node import Node


def configured(
    found: Any, texts: Mapping[str, str], values: Mapping[str, Any]
) -> tuple[Any, dict[str, Any], dict[str, str]]:
    """The pipeline *found*, or the one of that class, with the settings in *texts* (or cells of
    data files) and in *values*; and what is there for its inputs. Raises KogineError.
    """
    texts = dict(_spread(found if isinstance(found, type) else type(found), texts))
    values = {name: one for name, one in values.items() if name not in texts}
    pipeline = instance_of(found, {**values, **texts}) if isinstance(found, type) else found
    inputs = pipeline.graph.inputs
    settings = {name: one for name, one in {**values, **texts}.items() if name not in inputs}
    for is_inside in (False, True):  # first the classes of members, then what is set in them
        part = {
            path: read_setting(pipeline, path, one) if path in texts else one
            for path, one in settings.items()
            if ("." in path) == is_inside
        }
        if part:
            changed = {**pipeline.changed, **part}
            pipeline = pipeline.with_settings(part)
            pipeline.changed = changed
    given = {name: one for name, one in values.items() if name in inputs}
    return pipeline, given, {name: one for name, one in texts.items() if name in inputs}


def instance_of(cls: Any, settings: Mapping[str, Any]) -> Any:
    """The pipeline of the class *cls*; what has no default there is among *settings*, as text or
    value. Raises KogineError.
    """
    given: dict[str, Any] = {}
    for name, value in nested(settings).items():
        slot = cls.slots.get(name)
        if slot is None or slot.has_default:
            continue
        hint, is_member = slot.hint, slot.is_member()
        if isinstance(value, Inside):
            given[name] = {one: _typed(f"{name}.{one}", hint, one, value[one]) for one in value}
        else:
            given[name] = value if is_member else _typed(name, None, name, value, hint)
    made = cls(**given)
    made.origin = cls
    return made


def _typed(path: str, kind: Any, name: str, value: Any, hint: Any = None) -> Any:
    is_text = isinstance(value, str) or is_cell(value)
    return read_typed(path, value, hint or _hint(kind, name)) if is_text and name else value


def _hint(kind: Any, name: str) -> Any:
    return edge_types.of_parameter(kind, name) if isinstance(kind, type) else edge_types.UNKNOWN


def read_setting(pipeline: Any, path: str, text: str, place: str = "") -> Any:
    """The value that *text* means for the setting *path* of *pipeline*. Raises KogineError; *place*
    is the path of the pipeline itself.
    """
    name, _, rest = path.partition(".")
    slots = type(pipeline).slots
    if name not in slots:
        known = [*pipeline.inputs, *[one for one, _ in flat(pipeline.settings())], *slots]
        hint = did_you_mean(path, known) or f" There is: {', '.join(dict.fromkeys(known))}."
        raise PipelineError(
            f"{place}{path}={text}: {pipeline.name!r} has no input and no setting {path!r}.{hint}"
        )
    member = pipeline.member(name)
    if member is None:
        return read_typed(f"{place}{path}", text, slots[name].hint, pipeline.value_of(name))
    if not rest:
        return text  # the name of a class or function
    return _of_member(member, f"{place}{name}.", rest, text)


def _of_member(member: Any, place: str, name: str, text: str) -> Any:
    node, value = member.node, member.value
    if hasattr(type(value), "slots"):
        return read_setting(value, name, text, place)
    if hasattr(node, "pipeline"):
        return read_input(node.pipeline.graph, name, text)[0]
    known = member.settings()
    if isinstance(node, Node) and value is not node and not hasattr(value, "__qualname__"):
        return read_typed(f"{place}{name}", text, _hint(type(value), name), known.get(name, ...))
    return read_input(Graph([node]), name, text)[0]


# --- as a Config ---------------------------------------------------------------------------------


def to_config(pipeline: Any) -> Config:
    """The settings of *pipeline* and of its members, by ``prompt.temperature``; a member of another
    class or function than that of *pipeline*'s class has its name, ``module:name``, too. Raises
    PipelineError for one that has no name.
    """
    found: dict[str, Any] = {}
    for name, settings in pipeline.settings().items():
        member = pipeline.member(name)
        if member is not None:
            found.update(_named(pipeline, name, member.value))
        found.update(flat({name: settings}))
    return Config(found)


def _named(pipeline: Any, name: str, value: Any) -> Iterable[tuple[str, Any]]:
    slot = type(pipeline).slots[name]
    default = slot.basis
    if value is default or _class_of(value) is _class_of(default):
        return []
    shown = name_of_object(_class_of(value))
    if shown is None:
        raise PipelineError(
            f"{name}={value!r} has no name that a config could have: define it at the top of a "
            "module."
        )
    return [(name, shown)]


def _class_of(value: Any) -> Any:
    """The class of an object, or a class or function itself."""
    if isinstance(value, Node):
        return value.function
    return value if isinstance(value, type) or hasattr(value, "__qualname__") else type(value)


def of_config(cls: Any, config: Any, options: Mapping[str, Any]) -> Any:
    """The pipeline of the class *cls* with the settings of a Config, of a dict, or of the file of a
    config. Raises KogineError.
    """
    if not isinstance(config, (Config, Mapping)):
        check_type(config, PATHS, "config is a Config, a dict or a file", PipelineError)
        config = Config.from_file(config)
    values = config.globals_dict if isinstance(config, Config) else config
    found = dict(_spread(cls, values))
    return cls(**nested({path: _read(cls, path, found) for path in found}), **options)


def _spread(cls: Any, values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """*values* with the tables of members as paths."""
    for name, value in values.items():
        slot = cls.slots.get(name)
        is_member = slot is not None and slot.is_member()
        if is_member and isinstance(value, Mapping):
            kind = _class_of(slot.basis)
            inside = _spread(kind, value) if hasattr(kind, "slots") else value.items()
            yield from ((f"{prefix}{name}.{one}", found) for one, found in inside)
        else:
            yield f"{prefix}{name}", value


def _read(cls: Any, path: str, settings: Mapping[str, Any]) -> Any:
    """The value of *path* in *settings*; that of a data file by the type of the setting."""
    value, (name, _, rest) = settings[path], path.partition(".")
    slot = cls.slots.get(name)
    if not is_cell(value) or slot is None:
        return native(value)
    if not slot.is_member():
        return read_typed(path, value, slot.hint, slot.default if slot.has_default else ...)
    if not rest:
        return str(value)
    other = settings.get(name)
    kind = _class_of(slot.basis)
    if isinstance(other, str):
        kind = named_object(other, name, cls.__module__)
    if hasattr(kind, "slots"):
        return _read(kind, rest, {rest: value})
    return read_typed(path, value, _hint(kind, rest)) if isinstance(kind, type) else native(value)
