"""Inputs of a pipeline as text, as a command line has them: the value of each, by its type."""

from __future__ import annotations

import enum
import pathlib
import typing
from typing import Any

from kohaku_ast.config.text_values import MemberName, TextValueError, parse_cell
from kohaku_ast.errors import ValueMismatch
from kohaku_ast.pipeline import edge_types
from kohaku_ast.pipeline.graph import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.value_types import Reading


_SCALARS = (bool, int, float, complex, str, bytes)
_CONTAINERS = (list, tuple, dict, set, frozenset)
_ANY: Reading = ("any",)
_UNCLEAR = ("any", "none")
_FLAG: Reading = ("union", ("bool",), _ANY)  # "no" is false


def read_input(graph: Graph, name: str, text: str) -> tuple[Any, str]:
    """The value that *text* means for the input *name* (or for an output that is given), and a
    note if no node has a type for it: then it is a Python literal if possible, else text.

    Raises ValueMismatch.
    """
    node, hint, reading = _find(graph, name)
    at = f" ({shown(node)} takes it)" if node is not None else ""
    value = _parsed(f"{name}={text}{at}", text, hint, reading)
    if reading[0] not in _UNCLEAR or node is None:
        return value, ""
    return value, (
        f"{name}={text}: {shown(node)} says no type of {name!r}; "
        f"read as the {type(value).__name__} {value!r}"
    )


def read_typed(name: str, text: str, hint: Any, default: Any = ...) -> Any:
    """The value that *text* means for *name*, by its type *hint* or else that of its *default*.
    Raises ValueMismatch.
    """
    return _parsed(f"{name}={text}", text, hint, reading_of(hint, default))


def _parsed(who: str, text: str, hint: Any, reading: Reading) -> Any:
    try:
        value = parse_cell(text, reading)
    except TextValueError as error:
        raise ValueMismatch(f"{who}: {error}") from None
    return _member(value, hint) if type(value) is MemberName else value


def _find(graph: Graph, name: str) -> tuple[NodeLike | None, Any, Reading]:
    """The node with the clearest type of *name*, the type, and how text is read for it."""
    first = None
    for node, hint, reading in _type_sources(graph, name):
        if reading[0] not in _UNCLEAR:
            return node, hint, reading
        first = first or (node, hint, reading)
    return first or (None, edge_types.UNKNOWN, _ANY)


def _type_sources(graph: Graph, name: str) -> Iterator[tuple[NodeLike, Any, Reading]]:
    producer: Any = graph.producers.get(name)
    readers: list[Any] = [node for node in graph.nodes if name in node.inputs]
    for node in readers:
        reading = _of_script(node, name)
        if reading is not None:
            yield node, edge_types.UNKNOWN, reading
            continue
        hint = node.input_hint(name) if hasattr(node, "input_hint") else edge_types.UNKNOWN
        mapped = name in getattr(node, "map_over", ())
        yield node, hint, _ANY if mapped else reading_of(hint, node.defaults.get(name, ...))
    for node in readers:
        when = getattr(node, "when", None)
        if when is not None and name in when.reads.values():
            yield node, edge_types.UNKNOWN, _FLAG
    if producer is not None and hasattr(producer, "output_hint"):
        hint = producer.output_hint(name)
        yield producer, hint, reading_of(hint)


def _of_script(node: Any, name: str) -> Reading | None:
    """How a value is read for the target that *name* means in a script, by the script's text."""
    file = getattr(node, "file", None)
    if file is None or name not in getattr(node, "targets", ()):
        return None
    from kohaku_ast.pipeline.script_file import source_of
    from kohaku_ast.transform.find.inspection import inspect_source, with_modules

    target = node.full(node.targets[name])
    for one in with_modules(inspect_source(source_of(file.launch))).parameters:
        if target in (one.target, one.short):
            return one.reading
    return _ANY


def reading_of(hint: Any, default: Any = ...) -> Reading:
    """How text is read for a parameter with the type *hint* (``edge_types.UNKNOWN``: it has none)
    and the *default* (``...``: it has none).
    """
    if hint is edge_types.UNKNOWN:
        return _ANY if default is ... else _of_type(type(default))
    reading = _of_type(hint)
    if default is None and reading[0] not in ("optional", *_UNCLEAR):
        return ("optional", reading)
    return reading


def _of_type(hint: Any) -> Reading:
    hint = edge_types._plain(hint)
    origin = typing.get_origin(hint)
    if origin in edge_types._UNIONS:
        return _of_union(typing.get_args(hint))
    if origin is typing.Literal:
        return ("literal", typing.get_args(hint))
    kind = origin or hint
    if kind is type(None):
        return ("none",)
    if kind in _SCALARS or kind in _CONTAINERS:
        return (kind.__name__,)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ("enum", kind.__qualname__, tuple(kind.__members__))
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return ("path", f"pathlib.{kind.__name__}") if hasattr(pathlib, kind.__name__) else _ANY
    return _ANY


def _of_union(kinds: tuple[Any, ...]) -> Reading:
    inner = [_of_type(one) for one in kinds if one is not type(None)]
    if any(one[0] in _UNCLEAR for one in inner):
        return _ANY
    reading: Reading = inner[0] if len(inner) == 1 else ("union", *inner)
    return ("optional", reading) if len(inner) < len(kinds) else reading


def _member(name: MemberName, hint: Any) -> Any:
    """The member of an enum; its name, if only a script knows the class."""
    for kind in [hint, *typing.get_args(hint)]:
        is_enum = isinstance(kind, type) and issubclass(kind, enum.Enum)
        if is_enum and kind.__qualname__ == name.class_text:
            return kind[str(name)]
    return name
