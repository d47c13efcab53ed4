"""The command line that repeats one run of a flow, and no other one."""

from __future__ import annotations

import ast
import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TypeAlias

from kogine.script_command import ScriptCommand
from kogine.sort_words import accepted_by

from kohaku_ast.config.cells import CellText, native
from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.config.text_values import find_commas
from kohaku_ast.errors import KogineError
from kohaku_ast.flow.failures import Again
from kohaku_ast.flow.run import Run
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.overrides import COMMAND_LINE, Override
from kohaku_ast.store.identity import identity

_ORIGIN = "command line"


def again_of_sweep(command: ScriptCommand) -> Again:
    """Gives the command for each run of one script; empty if no command line says what it was."""
    files = command.config_files

    def again(run: Run) -> str:
        # Files that say more than this one run are left out: its values are written instead.
        alone = files if _is_one(run.work.configs, run.config) else ()
        return command_of(run.work.binder, run.config, alone)

    return again


def again_of_scripts(run: Run) -> str:
    """The same where config files are shared by several scripts, or where a file has the flow."""
    return command_of(run.work.binder, run.config)


def command_of(binder: Binder, config: Config, files: Sequence[str] = ()) -> str:
    """The command that runs the script of *binder* with *config*; empty if there is none.

    *files* say what does not vary in *config*; without them all of it has to be written out.
    """
    if binder.launch.shown == "<stdin>":
        return ""
    for read, as_is in ((text_of, binder.as_is), (own_text_of, binder.as_is), (own_text_of, True)):
        try:
            said = _said(binder, config, files, read, as_is)
            if said and (_is_plain(config, files) or _is_same(binder, config, said)):
                return shlex.join(said.words(binder))
        except (KogineError, SyntaxError, ValueError):
            pass  # as an override of a command line it would be refused
    return ""


def _is_one(sweep: object, config: Config) -> bool:
    """Whether *sweep* is nothing but *config*, once what varies in that is given."""
    values = {one: config.globals_dict[one] for one in config.varied if one in config.globals_dict}
    return isinstance(sweep, Sweep) and (sweep | Config(values)).size == 1


@dataclass(frozen=True)
class _Said:
    """What the command line says of the values."""

    files: Sequence[str]
    sets: Sequence[tuple[str, str]]
    added: Sequence[str]
    argv: Sequence[str]
    as_is: bool
    #: What the files say.
    rest: Config

    def words(self, binder: Binder) -> list[str]:
        launch = binder.launch
        module = getattr(launch, "module", "__main__")
        is_module = module != "__main__"
        script = [*(["-m"] if is_module else []), launch.shown]
        ours = [word for file in self.files for word in ("--config", file)]
        ours += [word for text in self.added for word in ("--add", text)]
        ours += ["--entrypoint", binder.entrypoint] if binder.entrypoint else []
        words = ["kogine", "run", *(["--as-is"] if self.as_is else [])]
        words += [*ours, *script] if _has_one(script[-1], is_module, ours) else [*script, *ours]
        for target, text in self.sets:
            words += ["--set"] if target.startswith("-") else []
            words.append(f"{target}={text}")
        return words + (["--", *self.argv] if self.argv else [])


def _has_one(script: str, is_module: bool, words: Sequence[str]) -> bool:
    """Whether an option among *words* would be the script's own if it stood behind the script."""
    if not words:
        return False
    accepted = accepted_by([script], is_module, is_unfinished=True)
    return any(accepted.find(word) for word in words if word.startswith("-"))


def _said(
    binder: Binder, config: Config, files: Sequence[str], read: Read, as_is: bool
) -> _Said | None:
    """None if a value has no text."""
    own: Sequence[str] = binder.launch.argv[1:]
    sets = [(one.target, str(one.value)) for one in binder.overrides if not one.optional]
    if files:
        texts = _texts(config.globals_dict, config.varied, read)
        left = {k: v for k, v in config.globals_dict.items() if k not in config.varied}
        rest, added, argv = replace(config, globals_dict=left), [*binder.added], own
    else:
        texts = _texts(config.globals_dict, _in_force(binder, config), read)
        new = _texts(config.new_globals, config.new_globals, own_text_of)
        if new is None or config.args or config.kwargs:
            return None
        added = [*binder.added, *(f"{name}={text}" for name, text in new.items())]
        rest, argv = Config(), own or config.argv
    if texts is None:
        return None
    return _Said(files, [*sets, *texts.items()], added, argv, as_is, rest)


def _texts(values: Mapping[str, object], names: Iterable[str], read: Read) -> dict[str, str] | None:
    texts = {name: read(values[name]) for name in names if name in values}
    found = {name: text for name, text in texts.items() if text is not None}
    return found if len(found) == len(texts) else None


def _in_force(binder: Binder, config: Config) -> list[str]:
    """The targets of *config* that the script has and that nothing above it sets."""
    sets = [one.target for one in binder.overrides]
    if not sets and not config.optional:
        return [*config.globals_dict]
    probes = [Override(one, None, "", optional=True) for one in (*config.globals_dict, *sets)]
    full = binder.full_targets(probes)
    above = {full[one] for one in sets if one in full}
    return [one for one in config.globals_dict if one in full and full[one] not in above]


def _is_plain(config: Config, files: Sequence[str]) -> bool:
    """Whether every value that is written is one that was written like that before."""
    values, origins = config.globals_dict, config.origins
    names = config.varied if files else (*values, *config.new_globals)
    return all(is_sure(values.get(one), origins.get(one, "")) for one in names)


def _is_same(binder: Binder, config: Config, said: _Said) -> bool:
    """Whether the command line makes the same run."""
    sets = [Override(*one, _ORIGIN, COMMAND_LINE, is_text=True) for one in said.sets]
    made = Binder(
        binder.launch, sets, binder.entrypoint, added=said.added, capture=binder.capture,
        as_is=said.as_is,
    )  # fmt: skip
    made.programs = binder.programs  # what is compiled serves both
    bound = made.bind(said.rest)
    bound.argv[1:] = said.argv or bound.argv[1:]
    return _identity(bound) == _identity(binder.bind(config))


def _identity(bound: Bound) -> str:
    return identity(bound, os.getcwd())


_LONGEST = 1000


Read: TypeAlias = Callable[[object], "str | None"]
"""Gives what most likely is read back as a value; None if nothing is."""


def text_of(value: object) -> str | None:
    """As it was written, if it was, and if it can be shown on a terminal."""
    is_written = isinstance(value, CellText) and value.isprintable()
    return str(value) if is_written else own_text_of(value)


def own_text_of(value: object) -> str | None:
    """As Python writes it, text without quotes where it needs none."""
    value = native(value)
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, str):
        text = value if _is_bare(value) else repr(value)
    elif value is None or type(value) in (bool, int, float):
        text = repr(value)
    else:
        text = repr(value) if _is_literal(value) else ""
    return text if text and len(text) <= _LONGEST else None


def is_sure(value: object, origin: str) -> bool:
    """Whether the text of *value* was given as such: it need not be tried."""
    return isinstance(value, CellText) and value.isprintable() and origin == "command line"


def _is_bare(text: str) -> bool:
    """Whether *text* is itself without quotes, for who expects text and for who expects nothing."""
    if not text.isprintable() or not text.strip() or find_commas(text) or text[0] in "'\"":
        return False
    return not _is_literal_text(text)


def _is_literal(value: object) -> bool:
    plain = (list, tuple, dict, set, frozenset, bytes, complex)
    return type(value) in plain and _is_literal_text(repr(value))


def _is_literal_text(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False
    return True
