"""Space: what a search chooses from, made of the axes of a Sweep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from kohaku_ast.config.axis import Axis
from kohaku_ast.config.cells import CellText
from kohaku_ast.config.config import Config, label_of, value_text
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.config.sweep_parts import Part
from kohaku_ast.errors import ConfigError

MOST_CHOICES = 1_000
"""Values of one finite axis: a method looks at each of them before each trial."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Dimension:
    """What is chosen of one axis: a number of its distribution, or one of its rows."""

    axis: Axis
    #: The rows of a finite axis by what they are called; empty for a distribution.
    choices: Mapping[str, tuple[object, ...]]

    @property
    def name(self) -> str:
        """Its targets, as the study writes them."""
        return ", ".join(self.axis.targets)

    @property
    def example(self) -> object:
        """One of the values that can be chosen."""
        of = self.axis.distribution
        if of is None:
            return next(iter(self.choices))
        # No end of a range: 1.0 would do for an int, and what is chosen later would not.
        return of.first if of.kind == "randint" else of.first + (of.second - of.first) * 0.618

    def __str__(self) -> str:
        return f"{self.name}={self.axis.distribution or ','.join(self.choices)}"

    def config(self, chosen: object) -> Config:
        """The Config with what was chosen: a number, or what a row is called."""
        axis, origin = self.axis, self.axis.origin
        if axis.distribution:
            row: tuple[object, ...] = (CellText(repr(chosen)),)
        else:
            row = self.choices[str(chosen)]
            if axis.row_origins:
                origin = axis.row_origins[list(self.choices).index(str(chosen))]
        origins = dict.fromkeys(axis.targets, origin)
        return Config(dict(zip(axis.targets, row)), origins=origins, varied=axis.targets)


@dataclass(frozen=True)
class Space:
    """Everything that a search chooses, and what stays as it is."""

    #: What every Config has.
    base: Config
    dimensions: tuple[Dimension, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.dimensions))

    def config(self, values: Mapping[str, object]) -> Config:
        """The Config for what was chosen: name of a dimension -> value."""
        made = self.base
        for dimension in self.dimensions:
            made = made | dimension.config(values[dimension.name])
        return made

    def example(self) -> Config:
        """One of its Configs, to see whether the script takes it."""
        return self.config({one.name: one.example for one in self.dimensions})

    def fixed(self) -> str:
        """What stays as it is, in words that are the same in every process."""
        base = self.base
        pairs = [*base.globals_dict.items(), *base.new_globals.items(), *base.kwargs.items()]
        lists = [("args", base.args), ("argv", base.argv)]
        return in_words([*sorted(pairs), *((name, value) for name, value in lists if value)])


def in_words(pairs: list[tuple[str, object]]) -> str:
    """``lr=0.1 bs=32``, whole, and without the addresses of objects."""
    return _ADDRESS.sub("", label_of(pairs, most=10_000))


def space_of(sweep: Sweep) -> Space:
    """The Space of *sweep*'s axes; raises ConfigError for what a search cannot choose from."""
    if not sweep.parts:
        raise ConfigError(
            "search: there is no axis to choose values of. Give it some: --sweep "
            "lr=loguniform:1e-5:1e-1 on the command line, Sweep(lr='uniform:0:1') in Python"
        )
    return Space(sweep.base, tuple(_dimension(part) for part in sweep.parts))


def _dimension(part: Part) -> Dimension:
    if not isinstance(part, Axis):
        raise ConfigError(
            f"search: it chooses the values of axes, and {part} in this sweep is none. Write its "
            "values as axes (a table and a zip are axes too), or run it without --search"
        )
    return Dimension(part, {} if part.distribution else _choices(part))


def _choices(axis: Axis) -> Mapping[str, tuple[object, ...]]:
    if not axis.is_settled:
        raise ConfigError(
            f"{axis.origin}: a search has to know all values of {axis.name}, and they come from an "
            "iterator. Give a list"
        )
    rows = list(islice(axis.rows(), MOST_CHOICES + 1))
    if len(rows) > MOST_CHOICES:
        raise ConfigError(
            f"{axis.origin}: {axis.name} has more than {MOST_CHOICES:,} values, each a choice that "
            "has no order for a search. Write numbers as randint:0:5000 or uniform:0:1"
        )
    choices: dict[str, tuple[object, ...]] = {}
    for row in rows:
        choices[_called(axis, row, choices)] = row
    return choices


def _called(axis: Axis, row: tuple[object, ...], taken: Mapping[str, object]) -> str:
    """What *row* is called: its value, or all of its targets; a number tells equal ones apart."""
    alone = len(row) == 1
    words = value_text(row[0]) if alone else label_of(zip(axis.targets, row), most=10_000)
    words = _ADDRESS.sub("", words)
    if words not in taken:
        return words
    return next(one for n in range(2, len(taken) + 3) if (one := f"{words} ({n})") not in taken)
