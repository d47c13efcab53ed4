"""The problems of a config that is open in an editor, each with its place and what may be meant."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from kohaku_ast.config.cells import CellMap
from kohaku_ast.config.python_file import refuse_mistyped
from kohaku_ast.config.template import data_literal, is_bare, key_text, quoted
from kohaku_ast.errors import ConfigError
from kohaku_ast.files import read_input
from kohaku_ast.lsp.config_script import ScriptOf, may_be_config, read_parts, script_of
from kohaku_ast.lsp.document_text import UNKNOWN, ConfigParts, Part, Span, format_of
from kohaku_ast.lsp.known_scripts import KnownScript, KnownScripts
from kohaku_ast.runner.fitting import Fit
from kohaku_ast.runner.overrides import Override, has_inner

MOST_PROBLEMS = 100
"""The number of problems: more of them have one reason, such as another script."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong in a config."""

    span: Span
    message: str
    #: ``error``, ``warning`` or ``information``.
    severity: str = "error"
    #: The texts that may be meant in place of *span*.
    instead: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """An override in a config, or an axis, with its place in the text."""

    part: Part
    #: The target as the config writes it, with the names of the tables around it.
    target: str
    #: What the tables around it give of the target: ``Args.``.
    above: str
    #: Whether the value is a list of values for one run each.
    is_axis: bool = False

    @property
    def given(self) -> list[Part]:
        """The parts with the values for the target: one, or those of an axis that are written
        one by one.
        """
        value = self.part.value
        if not self.is_axis:
            return [self.part]
        is_list = isinstance(value, list) and len(value) == len(self.part.inner)
        return self.part.inner if is_list else []


class OpenConfig:
    """One version of a config, and its script."""

    def __init__(self, path: str, text: str, scripts: KnownScripts) -> None:
        self.path, self.text, self.scripts = path, text, scripts
        self.form = format_of(path)
        self.parts = ConfigParts()
        self.script: ScriptOf | None = None
        self._is_read = False
        self.find_script()

    def find_script(self) -> None:
        """Find the script again: the project may name another one now. Of a file that is no config
        no more is read: it may be long.
        """
        if not self._is_read and may_be_config(self.path, self.text):
            self.parts, self._is_read = read_parts(self.text, self.path), True
        self.script = script_of(self.path, self.text, self.parts) if self._is_read else None

    @property
    def known(self) -> KnownScript | None:
        """The script, in its last version that could be parsed."""
        if self.script is None or not self.script.path:
            return None
        return self.scripts.get(self.script.path).script

    def entries(self) -> Iterator[Entry]:
        """The overrides and axes in the config, in the order of the text."""
        for part in self.parts.parts:
            if part.key == "_overrides":
                yield from self._spread(part.inner, "")
            elif part.key == "_sweep":
                for one in part.inner:
                    if one.key and not one.key.startswith("__") and "," not in one.key:
                        yield Entry(one, one.key, "", is_axis=True)
            elif not part.key.startswith("_"):
                yield from self._spread([part], "")

    def _spread(self, parts: Sequence[Part], above: str) -> Iterator[Entry]:
        """The entries of *parts*; those in a table of targets, as a run spreads it."""
        known = self.known
        parameters = known.targets.targets.parameters if known else {}
        for one in parts:
            target = f"{above}{one.key}"
            if isinstance(one.value, CellMap) and has_inner(target, parameters):
                yield from self._spread(one.inner, f"{target}.")
            elif one.key:
                yield Entry(one, target, above)

    # --- what is wrong ---------------------------------------------------------------------------

    def problems(self) -> list[Problem]:
        """What is wrong in it; nothing of a file of which nobody says that it is a config."""
        if self.script is None:
            return []
        if self.parts.error:
            severity = "information" if self.parts.error.startswith("not checked") else "error"
            return [Problem(self.parts.error_span, self.parts.error, severity)]
        found = [*self._of_reserved_names(), *self._of_script(self.script)]
        known = self.known
        if known is not None:
            each = (one for entry in self.entries() for one in self._of_entry(entry, known))
            found += islice(each, MOST_PROBLEMS)
            found += self._of_twice(known) if len(found) < MOST_PROBLEMS else ()
        return found

    def _of_reserved_names(self) -> Iterator[Problem]:
        """Private names that resemble a reserved one."""
        for part in self.parts.parts:
            if part.key.startswith("_") and part.key not in self.parts.read:
                try:
                    refuse_mistyped({part.key} - {"_base"}, self.path)
                except ConfigError as error:
                    message = str(error).removeprefix(f"{self.path}: ")
                    yield Problem(part.key_span, message)

    def _of_script(self, script: ScriptOf) -> Iterator[Problem]:
        """A script that cannot be read."""
        span = script.part.value_span if script.part else Span(0, 0)
        if not script.path:
            yield Problem(span, "_script is the path of the config's script")
            return
        found = self.scripts.get(script.path)
        name = os.path.basename(script.path)
        if found.error and found.line:
            rest = "checked against its last version" if found.script else "not checked"
            message = f"{name}:{found.line}: {found.error}: the config is {rest}"
            yield Problem(span, message, "warning")
        elif found.error:
            yield Problem(span, found.error)

    def _of_entry(self, entry: Entry, known: KnownScript) -> Iterator[Problem]:
        fit = self.fit(entry, UNKNOWN, known)
        if not fit.full:
            if fit.problem and not (fit.is_unknown and self._may_lack(entry.target)):
                yield self._unknown(entry, fit)
            return
        for part in entry.given:
            if part.value is not UNKNOWN and not self._is_composed(part):
                fit = self.fit(entry, part.value, known)
                if fit.problem or fit.warning:
                    yield self._misfit(part, fit)

    def fit(self, entry: Entry, value: object, known: KnownScript) -> Fit:
        """How *value* fits the target of *entry*."""
        is_own = entry.target in self.parts.read
        return known.targets.fit(Override(entry.target, value, self.path, optional=is_own))

    def _may_lack(self, target: str) -> bool:
        """Whether the script may lack *target*: Hydra, or a base of the config, may use it."""
        return self.parts.is_composed or target in names_read_by_bases(self.path, self.parts, 9)

    def _is_composed(self, part: Part) -> bool:
        """Whether only Hydra knows the value of *part*."""
        return self.parts.is_composed and any(mark in str(part.value) for mark in ("${", "???"))

    def _unknown(self, entry: Entry, fit: Fit) -> Problem:
        inside = [one.removeprefix(entry.above) for one in fit.near if one.startswith(entry.above)]
        texts = [self.key(entry.part, one) for one in inside]
        return Problem(entry.part.key_span, fit.problem, instead=tuple(filter(None, texts)))

    def key(self, part: Part, target: str) -> str:
        """*target* as it is written in the place of *part*; empty if it cannot stand there."""
        if part.is_name:
            return target if is_bare(target) else ""
        return quoted(target) if self.form == "py" else key_text(target, self.form)

    def _misfit(self, part: Part, fit: Fit) -> Problem:
        span = part.value_span
        if span.start == span.end:
            span = part.key_span
        words = tuple(value_word(one, self.form) for one in fit.near)
        severity = "error" if fit.problem else "warning"
        return Problem(span, fit.problem or fit.warning, severity, words)

    def _of_twice(self, known: KnownScript) -> Iterator[Problem]:
        """Two targets of one parameter."""
        seen: dict[str, Entry] = {}
        for entry in self.entries():
            full = self.fit(entry, UNKNOWN, known).full
            first = seen.setdefault(full, entry) if full else entry
            is_twice = first is not entry and first.is_axis == entry.is_axis
            if is_twice and first.target != entry.target:
                names = f"{first.target!r} and {entry.target!r}"
                message = f"{full!r} is given twice ({names}). Give one value, or sweep both."
                yield Problem(entry.part.key_span, message)


def value_word(text: str, form: str) -> str:
    """The word *text* as a value of a file of *form*."""
    if form == "py":
        return repr(text)
    return key_text(text, form) if form == "yaml" else data_literal(text, form)


def names_read_by_bases(path: str, parts: ConfigParts, depth: int) -> set[str]:
    """The names that the configs at the bases of *path* read: a run sets them there."""
    found: set[str] = set()
    for base in parts.bases if depth else ():
        if isinstance(base.value, str):
            file = os.path.join(os.path.dirname(path), base.value)
            try:
                text = read_input(file).decode("utf-8", "replace")
            except OSError:
                continue  # the run says so
            inner = read_parts(text, file)
            found |= {*inner.read, *names_read_by_bases(file, inner, depth - 1)}
    return found
