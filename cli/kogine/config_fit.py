"""Whether a config fits a script, as far as the script's text tells: nothing of it is run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kogine.config_values import shown

from kohaku_ast.config.cell_values import fits
from kohaku_ast.config.cells import is_cell
from kohaku_ast.config.config import Config
from kohaku_ast.config.text_values import TextValueError, parse_cell
from kohaku_ast.display.text import short_repr
from kohaku_ast.errors import KogineError, UnknownTarget
from kohaku_ast.runner.bind import Binder, spread
from kohaku_ast.runner.launch import find_launch, split_function
from kohaku_ast.runner.overrides import Override, of_config
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.source import Source, decode, read_bytes
from kohaku_ast.transform.find.targets import Targets, module_parameter
from kohaku_ast.value_types import describe


@dataclass(frozen=True)
class Fit:
    """How one override of a config fits."""

    #: As the config writes it, and in full; empty in full if the script has no such parameter.
    target: str
    full: str
    #: Where its value comes from: ``cfg.py:3``.
    origin: str
    #: The value as it arrives in the script, short.
    value: str
    #: The value as written in the script, and where: ``train.py:12``.
    default: str = ""
    where: str = ""
    #: Why the run would not start; empty if it would.
    problem: str = ""
    #: What may be a mistake.
    warning: str = ""
    #: Whether it is a name for the config's own use.
    is_own: bool = False

    @property
    def said(self) -> str:
        """The problem or warning as one line with its place; empty if all is well."""
        if self.problem:
            if self.problem.startswith(f"{self.origin}:"):
                return self.problem  # it says its place itself
            return f"{self.origin}: {self.problem}"
        return f"{self.origin}: warning: {self.warning}" if self.warning else ""


class Fitter:
    """Compares Configs with one script, which is read once."""

    def __init__(self, script: str, configs: str) -> None:
        """*script* may be ``train.py:main``; *configs* is the name of what is compared with it,
        for problems of no one place. Raises SyntaxError, and SourceError if there is no script.
        """
        path, entrypoint = split_function(script)
        self.launch = launch = find_launch(path)
        self.configs = configs
        self.binder = Binder(launch, entrypoint=entrypoint)
        source = decode(launch.data, launch.filename, launch.path0, launch.package)
        self.source, self.targets = _targets(source)
        self.modules: dict[str, Targets] = {}

    def fits(self, config: Config) -> list[Fit]:
        """Each override of *config*, in order; then what is wrong with it as a whole."""
        found = [self.fit(one) for one in spread(of_config(config), self.launch)]
        return [*found, *self.whole(config, {one.target for one in found if one.problem})]

    def fit(self, one: Override) -> Fit:
        """One override by itself."""
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
        """The parameter, its file and what its full target starts with."""
        found = module_parameter(self.source, self.targets, target) or self.targets.resolve(target)
        if found.module is None:
            return found, (os.path.basename(self.launch.filename), "")
        name, path, inner = found.module
        if path not in self.modules:
            self.modules[path] = _targets(decode(read_bytes(path), path))[1]
        return self.modules[path].resolve(inner), (os.path.basename(path), f"{name}.")

    def whole(self, config: Config, wrong: set[str]) -> Iterator[Fit]:
        """What all overrides together show: a parameter given twice, ``kwargs`` for no call."""
        good = {
            name: value
            for name, value in config.globals_dict.items()
            if not any(name == one or one.startswith((f"{name}.", f"{name}[")) for one in wrong)
        }
        try:
            self.binder.bind(replace(config, globals_dict=good))
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
