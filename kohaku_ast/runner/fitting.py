"""Whether overrides fit a script, without a run of the script and without a Program of it: for
``kogine config check``, and for the editors that show a config.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from kohaku_ast.config.cells import is_cell, native
from kohaku_ast.config.misfits import fits, near_word
from kohaku_ast.config.text_values import TextValueError, parse_cell
from kohaku_ast.display.text import short_repr
from kohaku_ast.errors import KogineError, UnknownTarget
from kohaku_ast.runner.overrides import Override
from kohaku_ast.transform.find.module_targets import module_parameter, with_modules
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.source import Source, decode, read_bytes
from kohaku_ast.transform.find.targets import Targets
from kohaku_ast.value_types import describe


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
    #: Whether the script has no such parameter, and the config no use for it.
    is_unknown: bool = False
    #: What may be meant: targets in place of an unknown one, a word in place of a wrong value.
    near: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The problem or warning as one line with its place; empty if there is none."""
        if self.problem:
            if self.problem.startswith(f"{self.origin}:"):
                return self.problem  # it has its place already
            return f"{self.origin}: {self.problem}"
        return f"{self.origin}: warning: {self.warning}" if self.warning else ""


class ScriptTargets:
    """The targets of one script, and of the modules that it imports; each file is read once."""

    def __init__(self, source: Source) -> None:
        """Raises SyntaxError if *source* cannot be parsed."""
        self.source = source
        self.targets = Targets(source, find_parameters(source))
        #: Path of a module -> its targets.
        self.modules: dict[str, Targets] = {}
        #: Target -> what it means, or why it means nothing: near names take their time.
        self.found: dict[str, tuple[Parameter, str, str] | KogineError] = {}

    def find(self, target: str) -> tuple[Parameter, str, str]:
        """The parameter, the path of its file and the start of its full target.

        Raises UnknownTarget, AmbiguousTarget or RefusedTarget.
        """
        if target not in self.found:
            try:
                self.found[target] = self._find(target)
            except KogineError as error:
                self.found[target] = error
        found = self.found[target]
        if isinstance(found, KogineError):
            raise found.with_traceback(None)
        return found

    def _find(self, target: str) -> tuple[Parameter, str, str]:
        found = module_parameter(self.source, self.targets, target)
        found = found or self._own(target)
        if found.module is None or not found.module[1]:
            return found, self.source.filename, ""
        name, path, inner = found.module
        if path not in self.modules:
            source = decode(read_bytes(path), path)
            self.modules[path] = Targets(source, find_parameters(source))
        return self.modules[path].resolve(inner), path, f"{name}."

    def _own(self, target: str) -> Parameter:
        try:
            return self.targets.resolve(target)
        except UnknownTarget as error:
            raise with_modules(error, self.targets, target) from None

    def fit(self, one: Override) -> Fit:
        """The Fit of one override by itself."""
        start = Fit(one.target, "", one.origin, shown(one.value))
        try:
            parameter, path, module = self.find(one.target)
        except UnknownTarget as error:
            if one.optional:
                return replace(start, is_own=True)
            return replace(start, problem=str(error), near=error.near, is_unknown=True)
        except KogineError as error:
            return replace(start, problem=str(error))
        start = replace(
            start,
            full=f"{module}{parameter.target}",
            default=parameter.default,
            where=f"{os.path.basename(path)}:{parameter.line}",
        )
        return _typed(start, one.value, parameter)


def _typed(start: Fit, value: object, parameter: Parameter) -> Fit:
    default = f" (default {parameter.default})" if parameter.default else ""
    if is_cell(value):
        try:
            read = parse_cell(value, parameter.reading)
        except TextValueError as error:
            near = near_word(str(value), parameter.reading)
            return replace(
                start,
                problem=f"{start.where}: {start.target}: {error}{default}",
                near=(near,) if near else (),
            )
        return replace(start, value=shown(read))
    if fits(value, parameter.reading):
        return start
    expected = f"expected {describe(parameter.reading)}{default}"
    got = f"got {type(value).__name__} {short_repr(value)}" if value is not None else "got None"
    near = near_word(value, parameter.reading) if isinstance(value, str) else ""
    warning = f"{start.where}: {start.target}: {expected}, {got}"
    return replace(start, warning=warning, near=(near,) if near else ())


def shown(value: object) -> str:
    """*value* on one line: functions and classes by name, members of an enum as in the script."""
    class_text = getattr(value, "class_text", "") if isinstance(value, str) else ""
    if class_text:
        return f"{class_text}.{value}"
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str) and callable(value):
        return name
    return " ".join(short_repr(native(value) if is_cell(value) else value).split("\n"))
