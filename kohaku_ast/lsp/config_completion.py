"""What can be typed at the cursor of a config: targets of its script, and values of a target."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from kohaku_ast.config.config_files import ENDINGS
from kohaku_ast.config.listed_values import listed_values
from kohaku_ast.config.python_file import RESERVED
from kohaku_ast.config.template import data_literal, is_bare, key_text, quoted
from kohaku_ast.config.text_values import MemberName, TextValueError, parse_value
from kohaku_ast.errors import KogineError
from kohaku_ast.lsp.config_problems import OpenConfig, value_word
from kohaku_ast.lsp.config_script import SCRIPT
from kohaku_ast.lsp.document_text import Span
from kohaku_ast.lsp.flow_scan import unquoted
from kohaku_ast.lsp.known_scripts import KnownScript
from kohaku_ast.lsp.typed_place import TypedPlace, typed_place
from kohaku_ast.runner.overrides import has_inner
from kohaku_ast.runner.script import one_line, type_text
from kohaku_ast.transform.find.parameters import Parameter

MOST = 200
"""The number of suggestions: with more letters there are others."""
_SEPARATORS = {"yaml": ": ", "toml": " = ", "json": ": ", "py": ": "}
_SPECIAL = {
    SCRIPT: "the script that this config is for, from the folder of the config",
    "_overrides": "targets that are no names, with their values",
    "_sweep": "axes: targets with a value for each run",
    "_args": "positional arguments for the call that the guard makes",
    "_kwargs": "keyword arguments for the call that the guard makes",
    "_argv": "the arguments of the script",
    "_metadata": "notes for the record",
    "_outputs": "globals whose last values are results",
    "_inputs": "files that the script reads",
    "_artifacts": "files that the record keeps",
}


@dataclass(frozen=True)
class Suggestion:
    """One text that can be typed."""

    label: str
    #: What takes the place of *span*.
    text: str
    span: Span
    #: ``target``, ``table``, ``value``, ``reserved`` or ``file``.
    kind: str
    #: Its type and its default, or what it is.
    detail: str = ""
    help: str = ""
    #: Smaller ones come first.
    rank: int = 0
    #: What the editor compares with the text that is typed.
    filter: str = ""


def suggestions(config: OpenConfig, cursor: int) -> list[Suggestion]:
    """What can be typed at *cursor* of *config*."""
    place = typed_place(config.text, cursor, config.form)
    if place is None:
        return []
    found = _Suggester(config, place)
    items = found.targets() if place.target is None else found.values(place.target)
    return list(islice(dict.fromkeys(items), MOST))


class _Suggester:
    """Makes the suggestions for one place."""

    def __init__(self, config: OpenConfig, place: TypedPlace) -> None:
        self.config, self.place, self.form = config, place, config.form
        self.quote = place.typed[:1] if place.typed[:1] in ("'", '"') else ""

    def suggest(self, label: str, text: str, kind: str, **more: object) -> Suggestion:
        """A suggestion for the place."""
        shown = f"{self.quote}{label}"
        return Suggestion(label, text, self.place.span, kind, filter=shown, **more)  # type: ignore[arg-type]

    # --- targets ---------------------------------------------------------------------------------

    def targets(self) -> Iterator[Suggestion]:
        """The targets, and at the top of the config the reserved names."""
        known = self.config.known
        if self.place.is_header:
            yield from self.tables(known) if known else ()
            return
        given = self.given(known) if known else set()
        typed = unquoted(self.place.typed).lower()
        found = [
            (one.is_setting, name.lower().startswith(typed), name, one)
            for name, one in (self.named(known) if known else ())
            if one.target not in given and _fits(typed, name, one)
        ]
        found.sort(key=lambda each: (not each[0], not each[1]))
        for rank, (_, _, name, one) in enumerate(found):
            if text := self.key(name):
                yield self.suggest(name, text, "target", rank=rank, **_described(one))
        if self.place.is_top:
            yield from self.reserved()

    def given(self, known: KnownScript) -> set[str]:
        """The targets that have a value already, not those that are typed just now."""
        written = {
            entry.target
            for entry in self.config.entries()
            if entry.part.key_span.start != self.place.span.start
        }
        every = known.inspection.parameters
        return {one.target for one in every if one.target in written or one.short in written}

    def named(self, known: KnownScript) -> Iterator[tuple[str, Parameter]]:
        """The parameters with the names by which they can stand here."""
        above, typed = self.place.above, unquoted(self.place.typed)
        for one in known.inspection.parameters:
            names = [one.target] if "." in typed else [one.short, one.target]
            for name in names if not one.refused else ():
                if name.startswith(above) and name != above:
                    yield name[len(above) :], one
                    break
        for module, path in known.modules():
            if f"{above}{typed}".startswith(f"{module}."):
                for one in known.module_parameters(path):
                    if not one.refused:
                        yield f"{module}.{one.target}"[len(above) :], one

    def key(self, name: str) -> str:
        """*name* as it is written here; empty if it cannot stand here."""
        after = _SEPARATORS[self.form]
        if self.place.is_name:
            if not is_bare(name):
                return ""
            text, after = name, " = " if self.place.is_top else "="
        else:
            text = quoted(name) if self.form == "py" else key_text(name, self.form)
        return f"{text}{after}" if self.place.wants_separator else text

    def tables(self, known: KnownScript) -> Iterator[Suggestion]:
        """The classes and the like whose targets can stand in a table of their own."""
        parameters = known.targets.targets.parameters
        owners = [one.target.rpartition(".")[0] for one in known.inspection.listed()]
        for rank, owner in enumerate(dict.fromkeys(owners)):
            if owner and has_inner(owner, parameters):
                yield self.suggest(owner, owner, "table", rank=rank)
        for name in ("_overrides", "_sweep", "_kwargs", "_metadata"):
            yield self.suggest(name, name, "reserved", detail=_SPECIAL[name], rank=20_000)

    def reserved(self) -> Iterator[Suggestion]:
        names = {name: _SPECIAL[name] for name in (SCRIPT, "_overrides", "_sweep", *RESERVED)}
        if self.form != "py":
            names["_base"] = "the configs to inherit from"
        for name, what in names.items():
            if self.config.parts.reserved(name) is None:
                text = name if self.form in ("py", "yaml", "toml") else f'"{name}"'
                after = " = " if self.form == "py" else _SEPARATORS[self.form]
                text += after if self.place.wants_separator else ""
                yield self.suggest(name, text, "reserved", detail=what, rank=20_000)

    # --- values ----------------------------------------------------------------------------------

    def values(self, target: str) -> Iterator[Suggestion]:
        """The values of *target* that are known."""
        if target in (SCRIPT, "_base"):
            yield from self.files((".py", ".ipynb") if target == SCRIPT else ENDINGS)
            return
        known = self.config.known
        try:
            one = known.find(target)[0] if known else None
        except KogineError:
            return
        values = listed_values(one) if one is not None else None
        for rank, text in enumerate(values.texts if values else ()):
            shown = self.value(text, one)  # type: ignore[arg-type]
            if shown:
                detail = "default" if values and text == values.default else ""
                label = shown.strip("\"'") if self.quote else shown
                yield self.suggest(label, shown, "value", detail=detail, rank=rank)

    def value(self, text: str, one: Parameter) -> str:
        """The value that *text* is on a command line, as it is written here; empty if it cannot."""
        try:
            value = parse_value(text, one.reading)
            if self.form != "py":
                return _in_data(value, self.form)
            is_literal = (
                not isinstance(value, MemberName) and ast.literal_eval(repr(value)) == value
            )
        except (TextValueError, ValueError, SyntaxError):
            return ""
        return (quoted(value) if isinstance(value, str) else repr(value)) if is_literal else ""

    def files(self, endings: tuple[str, ...]) -> Iterator[Suggestion]:
        """The files beside the config."""
        folder, own = os.path.split(self.config.path)
        try:
            names = sorted(os.listdir(folder or "."))
        except OSError:
            return
        for name in names:
            if name.endswith(endings) and name != own:
                text = quoted(name) if self.form == "py" else data_literal(name, self.form)
                plain = self.form == "yaml" and not self.quote
                yield self.suggest(name, name if plain else text, "file")


def _fits(typed: str, name: str, one: Parameter) -> bool:
    """Whether what is *typed* may become *name*: editors find ``learning_rate`` by ``lrt``. What is
    no setting has to be meant.
    """
    if not one.is_setting:
        return bool(typed) and typed in name.lower()
    letters = iter(name.lower())
    return all(letter in letters for letter in typed)


def _in_data(value: object, form: str) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return value_word(str(value), form) if isinstance(value, str) else data_literal(value, form)


def _described(one: Parameter) -> dict[str, str]:
    default = f"= {one_line(one.default)}" if one.default else ""
    return {"detail": " ".join(filter(None, [type_text(one), default])), "help": one.help}
