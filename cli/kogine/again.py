"""The command line that repeats one run of a flow."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from kogine.reader import Arguments

from kohaku_ast.config.cells import CellText
from kohaku_ast.config.config import Config
from kohaku_ast.flow.display.failures import Again
from kohaku_ast.flow.run import Run
from kohaku_ast.runner.override import Override


def again(read_: Arguments, config: Config) -> str:
    """A line with the command for the run of *config*; empty if a value of it has no text."""
    command = _of_sweep(read_, config)
    return f"\n  again: {command}" if command else ""


def again_of_sweep(read_: Arguments) -> Again:
    """The command for each run of one script; empty if a value of it has no text."""
    return lambda run: _of_sweep(read_, run.config, is_alone=run.total == 1)


def again_of_scripts(read_: Arguments) -> Again:
    """The same for several scripts that share their values: each gets its own ones."""
    return lambda run: _of_script(read_, run)


def _of_sweep(read_: Arguments, config: Config, is_alone: bool = False) -> str:
    texts = {one: _text(config.globals_dict.get(one)) for one in config.varied}
    if not (texts or is_alone):
        return ""
    words = []
    for text in read_.values.get("--config", []):
        words += ["--config", text]
    return _command(read_, read_.script, words, read_.sets, texts)


def _of_script(read_: Arguments, run: Run) -> str:
    sets = dict(read_.sets)
    targets = [*run.config.globals_dict, *sets]
    probes = [Override(one, None, "", optional=True) for one in targets]
    own = run.work.binder.full_targets(probes)
    sets = {target: text for target, text in sets.items() if target in own}
    fixed = {own[target] for target in sets}
    values = run.config.globals_dict.items()
    texts = {one: _text(value) for one, value in values if one in own and own[one] not in fixed}
    if run.config.args or run.config.kwargs or run.config.argv or run.config.new_globals:
        return ""
    return _command(read_, run.work.name, [], [*sets.items()], texts)


def _command(
    read_: Arguments,
    script: str,
    more: Sequence[str],
    sets: Sequence[tuple[str, str]],
    texts: Mapping[str, str | None],
) -> str:
    if None in texts.values():
        return ""
    words = ["kogine", "run", *(["-m"] if read_.is_module else []), script, *more]
    for option in ("--add", "--entrypoint"):
        for text in read_.values.get(option, []):
            words += [option, text]
    words += ["--as-is"] if "--as-is" in read_.flags else []
    words += [f"{target}={text}" for target, text in [*sets, *texts.items()]]
    words += ["--", *read_.argv] if read_.argv else []
    return shlex.join(words)


def _text(value: object) -> str | None:
    """What is read back as *value*."""
    if isinstance(value, CellText):
        return str(value)
    if type(value) in (bool, int, float, type(None)):
        return repr(value)
    return None
