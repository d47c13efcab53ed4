"""The command line that repeats one run of a sweep."""

from __future__ import annotations

import shlex

from kogine.reader import Arguments

from kohaku_ast.config.cells import CellText
from kohaku_ast.config.config import Config


def again(read_: Arguments, config: Config) -> str:
    """A line with the command for the run of *config*; empty if a value of it has no text."""
    command = command_of(read_, config)
    return f"\n  again: {command}" if command else ""


def command_of(read_: Arguments, config: Config) -> str:
    """The command for the run of *config*; empty if a value of it has no text."""
    texts = {one: _text(config.globals_dict.get(one)) for one in config.varied}
    if not texts or None in texts.values():
        return ""
    words = ["kogine", "run", *(["-m"] if read_.is_module else []), read_.script]
    for option in ("--config", "--add", "--entrypoint"):
        for text in read_.values.get(option, []):
            words += [option, text]
    words += ["--as-is"] if "--as-is" in read_.flags else []
    words += [f"{target}={text}" for target, text in read_.sets]
    words += [f"{target}={text}" for target, text in texts.items()]
    words += ["--", *read_.argv] if read_.argv else []
    return shlex.join(words)


def _text(value: object) -> str | None:
    """What is read back as *value*."""
    if isinstance(value, CellText):
        return str(value)
    if type(value) in (bool, int, float, type(None)):
        return repr(value)
    return None
