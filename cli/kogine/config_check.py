"""``kogine config check``: whether configs fit a script, without a run of the script."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from kogine.report import printing
from kogine.script_command import ScriptCommand, load_configs, own_axes

from kohaku_ast.config.config import Config
from kohaku_ast.errors import KogineError, visible
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.fitting import Fit, ScriptTargets
from kohaku_ast.runner.launch import find_launch, split_function
from kohaku_ast.transform.find.source import decode

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep


JSON_VERSION = 1
MOST = 1000
"""The number of runs of a sweep that are checked: a sweep may be endless."""


def start_check(command: ScriptCommand) -> Callable[[], int]:
    """Compare the configs with the script; the result prints all problems, and gives 1 if there
    are any. Raises SyntaxError, of the script or of a module of it that has a target.
    """
    script, paths = command.script, command.config_files
    name = ", ".join([*paths, *command.option("trials", ())]) or "command line"
    fitter = Fitter(script, name)
    found = _load_with_axes(command)
    runs = [fitter.fits(config) for config in first_runs(found, MOST)]
    if "json" in command.options:
        return lambda: _print_json(script, paths, runs)
    lines = problems_of(runs)
    targets = {one.target for fits in runs for one in fits if one.target and not one.is_own}
    wrong = {one.target for fits in runs for one in fits if one.problem}
    file = os.path.basename(split_function(script)[0])
    if wrong:
        problems = len({one.line for fits in runs for one in fits if one.problem})
        lines.append(f"{name}: {counted(problems, 'problem')} with {file}")
    else:
        runs_of = "" if isinstance(found, Config) else f"{counted(len(runs), 'run')} of "
        runs_of = f"the first {runs_of}" if len(runs) == MOST else runs_of
        fit = "fits" if len(targets) == 1 and not runs_of else "fit"
        lines.append(f"{name}: {runs_of}{counted(len(targets), 'override')} {fit} {file}")
    return lambda: _print(lines) or int(bool(wrong))


@printing
def _print_json(script: str, paths: Sequence[str], runs: list[list[Fit]]) -> int:
    import json

    found = list(dict.fromkeys(one for fits in runs for one in fits))
    document = {
        "version": JSON_VERSION,
        "script": script,
        "configs": [*paths],
        "runs": len(runs),
        "fits": [fit_json(one) for one in found],
    }
    print(json.dumps(document, indent=2))
    return int(any(one.problem for one in found))


def fit_json(one: Fit) -> dict[str, object]:
    """How one override fits a script."""
    return {
        "target": one.target,
        "full": one.full,
        "value": one.value,
        "from": one.origin,
        "default": one.default,
        "at": one.where,
        "problem": one.problem,
        "warning": one.warning,
    }


def problems_of(runs: list[list[Fit]]) -> list[str]:
    """The problems and warnings of all runs, equal ones once."""
    return list(dict.fromkeys(one.line for fits in runs for one in fits if one.line))


@printing
def _print(lines: list[str]) -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    print(visible("\n".join(lines)))
    return 0


class Fitter:
    """Checks Configs against one script, which is read once."""

    def __init__(self, script: str, configs: str) -> None:
        """*script* can be ``train.py:main``; *configs* is the place of problems that have no other
        one. Raises SyntaxError, and SourceError if the script cannot be read.
        """
        path, entrypoint = split_function(script)
        self.launch = launch = find_launch(path)
        self.configs = configs
        self.binder = Binder(launch, entrypoint=entrypoint)
        source = decode(launch.data, launch.filename, launch.path0, launch.package)
        self.targets = ScriptTargets(source)

    def fits(self, config: Config) -> list[Fit]:
        """A Fit for each override of *config*, in order; then one for a problem of all together."""
        try:
            overrides = self.binder.all_overrides(config)
            config = self.binder.settled(config)
        except KogineError as error:
            return [self._wrong(error)]
        found = [self.targets.fit(one) for one in overrides]
        return [*found, *self.whole(config, {one.target for one in found if one.problem})]

    def whole(self, config: Config, wrong: set[str]) -> Iterator[Fit]:
        """A problem of all overrides together: a parameter given twice, ``kwargs`` for no call."""
        fitting = {
            name: value
            for name, value in config.globals_dict.items()
            if not any(name == one or one.startswith((f"{name}.", f"{name}[")) for one in wrong)
        }
        try:
            self.binder.bind(replace(config, globals_dict=fitting))
        except KogineError as error:
            yield self._wrong(error)

    def _wrong(self, error: KogineError) -> Fit:
        """The Fit for a problem of all overrides together."""
        return Fit("", "", self.configs, "", problem=str(error))


DRAWS = 20
"""The number of draws that are checked or shown of random axes."""


def _load_with_axes(command: ScriptCommand) -> Config | Sweep:
    """The config files of *command*, with the axes of the command line over them."""
    axes = own_axes(command)
    found = load_configs(command.config_files) or Config()
    return found | axes if axes.targets else found


def first_runs(found: Config | Sweep, most: int) -> Iterator[Config]:
    """The first Configs of *found*, at most *most*; with random axes, DRAWS draws."""
    if isinstance(found, Config):
        return iter([found])
    drawn = found.draw(min(most, DRAWS), 0) if found.is_random else found
    return islice(iter(drawn), most)


def counted(number: int, thing: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
