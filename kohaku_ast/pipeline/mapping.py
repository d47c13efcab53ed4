"""The values that a run or a map is given, and the items of a map: which inputs vary."""

from __future__ import annotations

import itertools
import operator
from typing import Any

from kohaku_ast.errors import (
    PipelineError,
    PipelineTypeError,
    check_type,
    near,
)
from kohaku_ast.pipeline.node_like import is_iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from kohaku_ast.pipeline.plan import Plan


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
        """The items: values if one input varies, else tuples."""
        return iter(self._rows)

    def values(self, index: int) -> dict[str, Any]:
        """All values of one item, by input."""
        row = self._rows[index]
        varying = {self.over[0]: row} if len(self.over) == 1 else dict(zip(self.over, row))
        return {**self.fixed, **varying}

    def given(self) -> dict[str, Any]:
        """All values by input; of one that varies, the list of its values."""
        columns = [self._rows] if len(self.over) == 1 else zip(*self._rows)
        return {**self.fixed, **dict(zip(self.over, map(list, columns)))}

    def filled(self, fixed: Mapping[str, Any]) -> Rows:
        """The same items with other values for the inputs that are the same for all."""
        return self if fixed is self.fixed else Rows(self.over, self._rows, fixed)

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
    not in *inputs*, values that are not iterable, and unequal lengths with "zip".
    """
    check_mode(map_mode)
    renamed = over_names(map_over)
    columns = {name: _column(old, inputs) for old, name in renamed.items()}
    fixed = {name: value for name, value in inputs.items() if name not in renamed}
    _check_renamed(renamed, fixed)
    if len(columns) == 1:
        return Rows(tuple(columns), next(iter(columns.values())), fixed)
    if map_mode == "product":
        rows = list(itertools.product(*columns.values()))
        for name, column in columns.items():
            for value in column if len(rows) > len(column) else ():
                _check_repeated(name, value, len(rows) // len(column))
        return Rows(tuple(columns), rows, fixed)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise PipelineError(
            f"map over inputs of different lengths: {shown}. Give as many values of each, or "
            'map_mode="product" for every combination.'
        )
    return Rows(tuple(columns), list(zip(*columns.values())), fixed)


_PROGRESS = "progress"
_BOUND = operator.attrgetter("bound")


def check_items(plan: Plan, rows: Rows) -> None:
    """Raise PipelineError if several items of *rows* would read one iterator: the first one would
    leave nothing for the others.
    """
    if len(rows) < 2:
        return
    for values in (rows.fixed, *map(_BOUND, plan.nodes)):
        for name, value in values.items():
            _check_repeated(name, value, len(rows))


def _check_repeated(name: str, value: Any, items: int) -> None:
    if is_iterator(value):
        raise PipelineError(
            f"{name!r} is a {type(value).__name__}, which can be read only once, and {items} items "
            "would read it. Give a list."
        )


def check_mode(map_mode: str) -> None:
    """Raise PipelineError for an unknown *map_mode*."""
    check_type(map_mode, str, "map_mode is 'zip' or 'product'", PipelineError)
    if map_mode not in ("zip", "product"):
        raise PipelineError(f"map_mode is {map_mode!r} (expected 'zip' or 'product').")


def over_names(map_over: str | Iterable[str] | Mapping[str, str] | None) -> dict[str, str]:
    """Name in the inputs -> name in the pipeline, of the inputs that vary. Raises PipelineError."""
    if isinstance(map_over, str):
        return {map_over: map_over}
    if map_over is not None and hasattr(map_over, "items"):
        names = dict(map_over.items())
    elif map_over is None or hasattr(map_over, "__iter__"):
        names = {name: name for name in map_over or ()}
    else:
        raise PipelineTypeError(f"map_over is {map_over!r}: give a name, or a list of names.")
    if not names:
        raise PipelineError('map needs the input that varies: map(..., map_over="...").')
    if not all(isinstance(name, str) for name in [*names, *names.values()]):
        raise PipelineTypeError(f"map_over is {map_over!r}: give a name, or a list of names.")
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
        raise PipelineTypeError(
            f"map over {name!r} needs several values, not one {type(value).__name__}: "
            f"{value!r:.60}. Put it into a list."
        )
    try:
        found = iter(value)
    except TypeError as error:
        raise PipelineTypeError(
            f"map over {name!r} needs several values, not one {type(value).__name__}."
        ) from error
    return list(found)


def merged(inputs: Mapping[str, Any] | None, named: dict[str, Any]) -> dict[str, Any]:
    """The values in *inputs* and those given as keywords."""
    if inputs is None:
        return named
    if not hasattr(inputs, "keys"):
        raise PipelineTypeError(
            f"inputs is a {type(inputs).__name__}: give a dict, or the values by name."
        )
    both = [name for name in named if name in inputs]
    if both:
        raise PipelineError(f"the input {both[0]!r} is given twice: in the dict and by name.")
    return {**inputs, **named}


def checked_on_error(on_error: str) -> str:
    """*on_error*. Raises PipelineError if it is neither "raise" nor "keep"."""
    check_type(on_error, str, "on_error is 'raise' or 'keep'", PipelineError)
    if on_error not in ("raise", "keep"):
        raise PipelineError(f"on_error is {on_error!r} (expected 'raise' or 'keep').")
    return on_error


def checked_progress(progress: Any, names: Collection[str], named: dict[str, Any]) -> bool | None:
    """*progress*; of a pipeline with an input of that name among *names* it is a value for it.
    Raises PipelineError for what is no bool.
    """
    if progress is not None and _PROGRESS in names:
        named[_PROGRESS] = progress
        return None
    check_type(progress, (bool, type(None)), "progress is True, False or None", PipelineError)
    return progress  # type: ignore[no-any-return]


def checked_names(output_name: str | Collection[str] | None) -> str | tuple[str, ...] | None:
    """*output_name* in a hashable form. Raises PipelineError if it is no name or list of names."""
    if output_name is None or isinstance(output_name, str):
        return output_name
    names = tuple(output_name) if hasattr(output_name, "__iter__") else None
    if names is not None and all(isinstance(name, str) for name in names):
        return names
    raise PipelineTypeError(f"output_name is {output_name!r}: give a name, or a list of names.")
