"""The command line that repeats one run of a flow, and only this run."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TypeAlias

from kogine.script_arguments import accepted_by
from kogine.script_command import ScriptCommand

from kohaku_ast.config.cells import CellText, find_commas, native, word_value
from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import KogineError
from kohaku_ast.flow.failures import Again
from kohaku_ast.flow.run import Run
from kohaku_ast.flow.settings import REPEAT
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.overrides import COMMAND_LINE, Override
from kohaku_ast.store.identity import identity

_ORIGIN = "command line"


def repeat_command_of_sweep(command: ScriptCommand) -> Again:
    """A function that gives the command for each run of one script; empty if no command line can
    repeat it.
    """
    files = command.config_files

    def again(run: Run) -> str:
        # Files that describe more than this run are left out: its values are written instead.
        usable = files if _is_one(run.work.configs, run.config) else ()
        return repeat_command(run.work.binder, run.config, usable)

    return again


def resume_command(command: ScriptCommand, seed: object) -> str:
    """The command that runs what an interrupted flow has left; *seed* is that of its draws."""
    head, words = command.words
    options = [] if _RESUMING & command.options.keys() else ["--resume"]
    options += [] if seed is None or "seed" in command.options else ["--seed", str(seed)]
    return shlex.join([*head.split(), *options, *words])


_RESUMING = {"resume", "retry_failed"}


def command_of_count(command: ScriptCommand, n: int) -> str:
    """*command* with ``-n`` *n*, for a search, whose study goes on by itself; empty for none."""
    head, typed = command.words
    words = [*typed]
    end = words.index("--") if "--" in words else len(words)
    counts = [at for at in range(end) if re.fullmatch(r"-n\d*", words[at])]
    # Behind the script it may be an option of the script: then ours is before it.
    script = words.index(command.script)
    for at in [at for at in counts if at < script] or counts:
        is_alone = words[at] == "-n"
        words[at + is_alone] = str(n) if is_alone else f"-n{n}"
    return shlex.join([*head.split(), *words]) if n > 0 else ""


def repeat_command_of_run(run: Run) -> str:
    """The same, if several scripts share the config files, or a file defines the flow."""
    return repeat_command(run.work.binder, run.config)


def repeat_command(binder: Binder, config: Config, files: Sequence[str] = ()) -> str:
    """The command that runs the script of *binder* with *config*; empty if there is none.

    *files* have the values that do not vary in *config*; without them, all values are written.
    """
    if binder.launch.shown == "<stdin>":
        return ""
    before, config = _without_repeat(config)
    for read, as_is in ((text_of, binder.as_is), (own_text_of, binder.as_is), (own_text_of, True)):
        try:
            line = _command_line(binder, config, files, read, as_is)
            if line and (_is_plain(config, files) or _is_same(binder, config, line)):
                return before + shlex.join(line.words(binder))
        except (KogineError, SyntaxError, ValueError):
            pass  # the command line would refuse it
    return ""


def _without_repeat(config: Config) -> tuple[str, Config]:
    """``KOGINE_REPEAT=1 `` if *config* is one of its repeats; and the Config that they share."""
    if "repeat" not in config.metadata:
        return "", config
    left = {name: one for name, one in config.metadata.items() if name != "repeat"}
    return f"{REPEAT}={config.metadata['repeat']} ", replace(config, metadata=left)


def _is_one(sweep: object, config: Config) -> bool:
    """Whether *sweep* has only the run *config*, once the values that vary in it are given."""
    values = {one: config.globals_dict[one] for one in config.varied if one in config.globals_dict}
    return isinstance(sweep, Sweep) and (sweep | Config(values)).size == 1


@dataclass(frozen=True)
class _CommandLine:
    """The values of a run, as words of a command line."""

    files: Sequence[str]
    sets: Sequence[tuple[str, str]]
    added: Sequence[str]
    argv: Sequence[str]
    as_is: bool
    #: The values that are in the files.
    of_files: Config

    def words(self, binder: Binder) -> list[str]:
        launch = binder.launch
        module = getattr(launch, "module", "__main__")
        is_module = module != "__main__"
        script = [*(["-m"] if is_module else []), launch.shown]
        ours = [word for file in self.files for word in ("--config", file)]
        ours += [word for text in self.added for word in ("--add", text)]
        ours += ["--entrypoint", binder.entrypoint] if binder.entrypoint else []
        words = ["kogine", "run", *(["--as-is"] if self.as_is else [])]
        words += [*ours, *script] if _has_option(script[-1], is_module, ours) else [*script, *ours]
        for target, text in self.sets:
            words += ["--set"] if target.startswith("-") else []
            words.append(f"{target}={text}")
        return words + (["--", *self.argv] if self.argv else [])


def _has_option(script: str, is_module: bool, words: Sequence[str]) -> bool:
    """Whether the script has an option among *words*, which would be its own after its name."""
    if not words:
        return False
    accepted = accepted_by([script], is_module, is_unfinished=True)
    return any(accepted.find(word) for word in words if word.startswith("-"))


def _command_line(
    binder: Binder, config: Config, files: Sequence[str], read: Read, as_is: bool
) -> _CommandLine | None:
    """None if a value has no text."""
    own: Sequence[str] = binder.launch.argv[1:]
    sets = [(one.target, str(one.value)) for one in binder.overrides if not one.optional]
    if files:
        texts = _texts(config.globals_dict, config.varied, read)
        left = {k: v for k, v in config.globals_dict.items() if k not in config.varied}
        of_files, added, argv = replace(config, globals_dict=left), [*binder.added], own
    else:
        texts = _texts(config.globals_dict, _in_force(binder, config), read)
        new = _texts(config.new_globals, config.new_globals, own_text_of)
        if new is None or config.args or config.kwargs:
            return None
        added = [*binder.added, *(f"{name}={text}" for name, text in new.items())]
        of_files, argv = Config(), own or config.argv
    if texts is None:
        return None
    return _CommandLine(files, [*sets, *texts.items()], added, argv, as_is, of_files)


def _texts(values: Mapping[str, object], names: Iterable[str], read: Read) -> dict[str, str] | None:
    texts = {name: read(values[name]) for name in names if name in values}
    found = {name: text for name, text in texts.items() if text is not None}
    return found if len(found) == len(texts) else None


def _in_force(binder: Binder, config: Config) -> list[str]:
    """The targets of *config* that the script has and that the command line does not set."""
    sets = [one.target for one in binder.overrides]
    if not sets and not config.optional:
        return [*config.globals_dict]
    probes = [Override(one, None, "", optional=True) for one in (*config.globals_dict, *sets)]
    full = binder.full_targets(probes)
    above = {full[one] for one in sets if one in full}
    return [one for one in config.globals_dict if one in full and full[one] not in above]


def _is_plain(config: Config, files: Sequence[str]) -> bool:
    """Whether each value was given as the text that is written: it is read as the same value."""
    values, origins = config.globals_dict, config.origins
    names = config.varied if files else (*values, *config.new_globals)
    return all(_was_typed(values.get(one), origins.get(one, "")) for one in names)


def _is_same(binder: Binder, config: Config, line: _CommandLine) -> bool:
    """Whether *line* gives the same run as *config*."""
    sets = [Override(*one, _ORIGIN, COMMAND_LINE, is_text=True) for one in line.sets]
    other = Binder(
        binder.launch, sets, binder.entrypoint, added=line.added, capture=binder.capture,
        as_is=line.as_is,
    )  # fmt: skip
    other.programs = binder.programs  # both use the same compiled Programs
    bound = other.bind(line.of_files)
    bound.argv[1:] = line.argv or bound.argv[1:]
    folder = os.getcwd()
    return identity(bound, folder) == identity(binder.bind(config), folder)


_LONGEST = 1000
"""Characters of a value that is written into a command line."""

Read: TypeAlias = Callable[[object], "str | None"]
"""Gives the text that is most likely read back as a value; None if there is none."""


def text_of(value: object) -> str | None:
    """The text as the user wrote it, if a terminal can show it; else as ``own_text_of``."""
    is_written = isinstance(value, CellText) and value.isprintable()
    return str(value) if is_written else own_text_of(value)


def own_text_of(value: object) -> str | None:
    """The text as Python writes it, a str without quotes if it needs none."""
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


def _was_typed(value: object, origin: str) -> bool:
    """Whether the user typed the text of *value*: it is read back as the same value."""
    return isinstance(value, CellText) and value.isprintable() and origin == "command line"


def _is_bare(text: str) -> bool:
    """Whether *text* without quotes is read as itself, with and without a type."""
    if not text.isprintable() or not text.strip() or find_commas(text) or text[0] in "'\"":
        return False
    return not (_is_literal_text(text) or word_value(text)[0])


def _is_literal(value: object) -> bool:
    plain = (list, tuple, dict, set, frozenset, bytes, complex)
    return type(value) in plain and _is_literal_text(repr(value))


def _is_literal_text(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False
    return True
