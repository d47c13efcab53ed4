"""``kogine config check``: whether configs fit a script, without a run of the script."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from kogine.report import printing
from kogine.script_command import ScriptCommand, load_configs, own_axes

from kohaku_ast.config.cells import is_cell, native
from kohaku_ast.config.config import Config
from kohaku_ast.config.misfits import fits
from kohaku_ast.config.text_values import TextValueError, parse_cell
from kohaku_ast.display.text import short_repr
from kohaku_ast.errors import KogineError, UnknownTarget, visible
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import find_launch, split_function
from kohaku_ast.runner.overrides import Override
from kohaku_ast.transform.find.module_targets import module_parameter
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.source import Source, decode, read_bytes
from kohaku_ast.transform.find.targets import Targets
from kohaku_ast.value_types import describe

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


@dataclass(frozen=True)
class Fit:
    """How one override of a config fits."""

    #: The target as in the config, and in full; empty in full if the script has no such parameter.
    target: str
    full: str
    #: Where its value comes from: ``cfg.py:3``.
    origin: str
    #: The value that the script gets, shortened.
    value: str
    #: The default as in the script, and its place: ``train.py:12``.
    default: str = ""
    where: str = ""
    #: Why the run would not start; empty if it does.
    problem: str = ""
    #: A likely mistake.
    warning: str = ""
    #: Whether the name is only for the config itself.
    is_own: bool = False

    @property
    def line(self) -> str:
        """The problem or warning as one line with its place; empty if there is none."""
        if self.problem:
            if self.problem.startswith(f"{self.origin}:"):
                return self.problem  # it has its place already
            return f"{self.origin}: {self.problem}"
        return f"{self.origin}: warning: {self.warning}" if self.warning else ""


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
        self.source, self.targets = _targets(source)
        self.modules: dict[str, Targets] = {}

    def fits(self, config: Config) -> list[Fit]:
        """A Fit for each override of *config*, in order; then one for a problem of all together."""
        try:
            overrides = self.binder.all_overrides(config)
            config = self.binder.settled(config)
        except KogineError as error:
            return [_wrong(Fit("", "", self.configs, ""), error)]
        found = [self.fit(one) for one in overrides]
        return [*found, *self.whole(config, {one.target for one in found if one.problem})]

    def fit(self, one: Override) -> Fit:
        """The Fit of one override by itself."""
        start = Fit(one.target, "", one.origin, shown(one.value))
        try:
            parameter, targets = self.find(one.target)
        except UnknownTarget as error:
            return replace(start, is_own=True) if one.optional else _wrong(start, error)
        except KogineError as error:
            return _wrong(start, error)
        start = replace(
            start,
            full=f"{targets[1]}{parameter.target}",
            default=parameter.default,
            where=f"{targets[0]}:{parameter.line}",
        )
        return _typed(start, one.value, parameter)

    def find(self, target: str) -> tuple[Parameter, tuple[str, str]]:
        """The parameter, its file and the start of its full target."""
        found = module_parameter(self.source, self.targets, target) or self.targets.resolve(target)
        if found.module is None:
            return found, (os.path.basename(self.launch.filename), "")
        name, path, inner = found.module
        if path not in self.modules:
            self.modules[path] = _targets(decode(read_bytes(path), path))[1]
        return self.modules[path].resolve(inner), (os.path.basename(path), f"{name}.")

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
            yield _wrong(Fit("", "", self.configs, ""), error)


def _targets(source: Source) -> tuple[Source, Targets]:
    return source, Targets(source, find_parameters(source))


def _wrong(start: Fit, error: Exception) -> Fit:
    return replace(start, problem=str(error))


def _typed(start: Fit, value: object, parameter: Parameter) -> Fit:
    default = f" (default {parameter.default})" if parameter.default else ""
    if is_cell(value):
        try:
            read = parse_cell(value, parameter.reading)
        except TextValueError as error:
            return replace(start, problem=f"{start.where}: {start.target}: {error}{default}")
        return replace(start, value=shown(read))
    if fits(value, parameter.reading):
        return start
    expected = f"expected {describe(parameter.reading)}{default}"
    got = f"got {type(value).__name__} {short_repr(value)}" if value is not None else "got None"
    return replace(start, warning=f"{start.where}: {start.target}: {expected}, {got}")


def shown(value: object) -> str:
    """*value* on one line: functions and classes by name, members of an enum as in the script."""
    class_text = getattr(value, "class_text", "") if isinstance(value, str) else ""
    if class_text:
        return f"{class_text}.{value}"
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str) and callable(value):
        return name
    return " ".join(short_repr(native(value) if is_cell(value) else value).split("\n"))


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
