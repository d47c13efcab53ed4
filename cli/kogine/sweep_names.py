"""Parameters that a sweep calls by two names: what stands above takes the axis below away.

A run for each value of an axis that has no effect would be the same run again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from kogine.script_command import ScriptCommand

from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import DuplicateTarget
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.overrides import Override
from kohaku_ast.runner.prepare import place_of


def settle_names(whole: Sweep, own: Sweep, command: ScriptCommand, binder: Binder | None) -> Sweep:
    """*whole* without the axes that something above them gives a value to.

    *own* are the axes of the command line; *binder* is that of the one script, None if there are
    several. Raises DuplicateTarget if the command line says two things of one parameter.
    """
    sets = [one.target for one in command.overrides]
    over = [target for axis in whole.axes for target in axis.over.globals_dict]
    full = _full_names([*whole.targets, *over, *sets], binder)
    _refuse_twice(own, command, full)
    gone = list(_meant(whole.targets, {full.get(name, name) for name in sets}, full))
    gone += _under_a_value(whole, full)
    gone += _under_an_axis(whole, full)
    return whole.without(*gone) if gone else whole


def _full_names(names: list[str], binder: Binder | None) -> Mapping[str, str]:
    """What each of *names* means in full. The script is asked only if two may mean the same."""
    by_name = {name: name for name in names}
    if binder is None or len({_last_word(name) for name in by_name}) == len(by_name):
        return by_name
    return binder.full_targets([Override(name, None, "", optional=True) for name in by_name])


def _last_word(target: str) -> str:
    """``depth`` of ``Args.depth``, ``main(depth)`` and ``--depth``."""
    return re.split(r"\W", target.lstrip("-").replace("-", "_").rstrip(")]\"'"))[-1]


def _refuse_twice(own: Sweep, command: ScriptCommand, full: Mapping[str, str]) -> None:
    """One command line must not say two things of a parameter."""
    typed = [one for one in command.overrides if one.target in full]
    said = {full[one.target]: f"{one.target}={one.value}" for one in typed}
    for target in own.targets:
        meant = full.get(target, target)
        if meant in said:
            raise DuplicateTarget(
                f"command line: {target!r} is given twice, as an axis and as {said[meant]}: "
                "take away one of them"
            )
        said[meant] = f"the axis {target!r}"


def _under_a_value(whole: Sweep, full: Mapping[str, str]) -> Iterator[str]:
    for axis in whole.axes:
        above = {full.get(name, name) for name in axis.over.globals_dict}
        yield from _meant(axis.targets, above, full)


def _under_an_axis(whole: Sweep, full: Mapping[str, str]) -> Iterator[str]:
    """Of axes that multiply the later one is above; one file must not say two things, and what
    it says is left for the error.
    """
    for number, part in enumerate(whole.parts):
        later = [axis for other in whole.parts[number + 1 :] for axis in other.axes]
        for axis in part.axes:
            place = place_of(axis.origin)
            above = {
                full.get(name, name)
                for other in later
                if not place or place_of(other.origin) != place
                for name in other.targets
            }
            yield from _meant(axis.targets, above, full)


def _meant(targets: Iterable[str], above: set[str], full: Mapping[str, str]) -> Iterator[str]:
    return (target for target in targets if full.get(target, target) in above)
