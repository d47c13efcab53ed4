"""The configs that a command line names, as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from kogine.script_command import ScriptCommand
from kogine.sweep_of import own_axes

from kohaku_ast.config.config import Config
from kohaku_ast.config.load import load

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep

DRAWS = 20
"""How many draws stand for random axes where only their kind matters."""


def load_all(paths: Sequence[str]) -> Config | Sweep:
    """The files at *paths* as one, later ones over earlier ones."""
    merged, *others = map(load, paths)
    for other in others:
        merged = merged | other
    return merged


def load_swept(paths: Sequence[str], command: ScriptCommand) -> Config | Sweep:
    """The same, with the axes of the command line over them."""
    own = own_axes(command)
    found = load_all(paths) if paths else Config()
    return found | own if own.targets else found


def is_random(sweep: Sweep) -> bool:
    """Whether the sweep has axes that need a number of draws."""
    return any(axis.is_random for axis in sweep.axes)


def first_runs(found: Config | Sweep, most: int) -> Iterator[Config]:
    """The first Configs of *found*, at most *most*; of random axes some draws."""
    if isinstance(found, Config):
        return iter([found])
    drawn = found.draw(min(most, DRAWS), 0) if is_random(found) else found
    return islice(iter(drawn), most)


def counted(number: int, thing: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
