"""Inputs of a pipeline: text from a command line, and the items of a map."""

from __future__ import annotations

import enum
import itertools
import pathlib
import typing
from typing import Any

from kohaku_ast.config.text_values import MemberName, TextValueError, parse_cell
from kohaku_ast.errors import PipelineError, ValueMismatch, near
from kohaku_ast.pipeline import edge_types
from kohaku_ast.pipeline.graph import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.value_types import Reading


class Rows:
    """The values of the varying inputs, item by item, and those of the others."""

    __slots__ = ("_rows", "fixed", "over")

    def __init__(
        self, over: tuple[str, ...], rows: Sequence[Any], fixed: Mapping[str, Any]
    ) -> None:
        #: The inputs that vary.
        self.over = over
        #: The inputs that are the same for every item.
        self.fixed = fixed
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Any]:
        """Bare values if one input varies, else tuples."""
        return iter(self._rows)

    def values(self, index: int) -> dict[str, Any]:
        """All values of one item, by input."""
        row = self._rows[index]
        varying = {self.over[0]: row} if len(self.over) == 1 else dict(zip(self.over, row))
        return {**self.fixed, **varying}

    def part(self, start: int, stop: int) -> Rows:
        """The items from *start* up to *stop*."""
        return Rows(self.over, self._rows[start:stop], self.fixed)

    @property
    def names(self) -> tuple[str, ...]:
        """All inputs that have values."""
        return (*self.fixed, *self.over)


def make_rows(
    inputs: Mapping[str, Any],
    map_over: str | Iterable[str] | Mapping[str, str] | None,
    map_mode: str = "zip",
) -> Rows:
    """The items of ``map(inputs, map_over, map_mode)``. Raises PipelineError for names that are
    not among *inputs*, values that cannot be gone over, and unequal lengths under "zip".
    """
    check_mode(map_mode)
    renamed = over_names(map_over)
    columns = {name: _column(old, inputs) for old, name in renamed.items()}
    fixed = {name: value for name, value in inputs.items() if name not in renamed}
    _check_renamed(renamed, fixed)
    if len(columns) == 1:
        return Rows(tuple(columns), next(iter(columns.values())), fixed)
    if map_mode == "product":
        return Rows(tuple(columns), list(itertools.product(*columns.values())), fixed)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise PipelineError(
            f"map over inputs of different lengths: {shown}. Give as many values of each, or "
            'map_mode="product" for every combination.'
        )
    return Rows(tuple(columns), list(zip(*columns.values())), fixed)


def check_mode(map_mode: str) -> None:
    """Raises PipelineError for what is no *map_mode*."""
    if map_mode not in ("zip", "product"):
        raise PipelineError(f"map_mode is {map_mode!r} (expected 'zip' or 'product').")


def over_names(map_over: str | Iterable[str] | Mapping[str, str] | None) -> dict[str, str]:
    """Name among the inputs -> name in the pipeline, of what varies. Raises PipelineError."""
    if isinstance(map_over, str):
        return {map_over: map_over}
    if map_over is not None and hasattr(map_over, "items"):
        names = dict(map_over.items())
    elif map_over is None or hasattr(map_over, "__iter__"):
        names = {name: name for name in map_over or ()}
    else:
        raise PipelineError(f"map_over is {map_over!r}: give a name, or a list of names.")
    if not names:
        raise PipelineError('map needs the input that varies: map(..., map_over="...").')
    if not all(isinstance(name, str) for name in [*names, *names.values()]):
        raise PipelineError(f"map_over is {map_over!r}: give a name, or a list of names.")
    return names


def _check_renamed(renamed: Mapping[str, str], fixed: Mapping[str, Any]) -> None:
    names = list(renamed.values())
    for old, name in renamed.items():
        if name in fixed or names.count(name) > 1:
            raise PipelineError(f"map_over gives {name!r} twice: as {old!r} and by its own name.")


def _column(name: str, inputs: Mapping[str, Any]) -> Sequence[Any]:
    if name not in inputs:
        found = near(name, list(inputs))
        hint = f" Did you mean {found[0]!r}?" if found else ""
        raise PipelineError(
            f"map_over names {name!r}, which is not among the inputs "
            f"({', '.join(inputs) or 'none are given'}).{hint}"
        )
    return _listed(name, inputs[name])


def _listed(name: str, value: Any) -> list[Any]:
    if isinstance(value, (str, bytes)):
        raise PipelineError(
            f"map over {name!r} needs several values, not one {type(value).__name__}: "
            f"{value!r:.60}. Put it into a list."
        )
    try:
        found = iter(value)
    except TypeError as error:
        raise PipelineError(
            f"map over {name!r} needs several values, not one {type(value).__name__}."
        ) from error
    return list(found)


_SCALARS = (bool, int, float, complex, str, bytes)
_CONTAINERS = (list, tuple, dict, set, frozenset)
_ANY: Reading = ("any",)
_UNCLEAR = ("any", "none")


def read_input(graph: Graph, name: str, text: str) -> tuple[Any, str]:
    """The value that *text* is for the input *name* (or for an output that is given), and what is
    to be said of it: if nobody says of what type it is, it is a Python literal, else text.

    Raises ValueMismatch.
    """
    node, hint, reading = _find(graph, name)
    try:
        value = parse_cell(text, reading)
    except TextValueError as error:
        at = f" ({shown(node)} takes it)" if node is not None else ""
        raise ValueMismatch(f"{name}={text}{at}: {error}") from None
    if type(value) is MemberName:
        value = _member(value, hint)
    if reading[0] not in _UNCLEAR or node is None:
        return value, ""
    return value, (
        f"{name}={text}: {shown(node)} says no type of {name!r}; "
        f"read as the {type(value).__name__} {value!r}"
    )


def _find(graph: Graph, name: str) -> tuple[NodeLike | None, Any, Reading]:
    """Who says the most of the type of *name*, the type, and how it is read."""
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
    if producer is not None and hasattr(producer, "output_hint"):
        hint = producer.output_hint(name)
        yield producer, hint, reading_of(hint)


def _of_script(node: Any, name: str) -> Reading | None:
    """What the text of a script says of the target that *name* means in it."""
    file = getattr(node, "file", None)
    if file is None or not hasattr(node, "targets"):
        return None
    from kohaku_ast.pipeline.script_file import source_of
    from kohaku_ast.transform.find.inspection import inspect_source, with_modules

    target = node.full(node.targets[name])
    for one in with_modules(inspect_source(source_of(file.launch))).parameters:
        if target in (one.target, one.short):
            return one.reading
    return _ANY


def reading_of(hint: Any, default: Any = ...) -> Reading:
    """How a text is read for a parameter of the type *hint* (``hints.UNKNOWN``: none is said) with
    the *default* (``...``: there is none).
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
    """The member itself; the name, where only a script knows its class."""
    for kind in [hint, *typing.get_args(hint)]:
        is_enum = isinstance(kind, type) and issubclass(kind, enum.Enum)
        if is_enum and kind.__qualname__ == name.class_text:
            return kind[str(name)]
    return name
