"""``kogine config check``: whether configs fit a script. The script is never run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from kogine.config_fit import Fit, Fitter
from kogine.config_load import counted, first_runs, load_swept
from kogine.script_command import ScriptCommand
from kogine.source import show_syntax_error

from kohaku_ast.config.config import Config
from kohaku_ast.runner.launch import split_function

MOST = 1000
"""Runs of a sweep that are checked: it may be endless."""


def start_check(command: ScriptCommand) -> Callable[[], int]:
    """Read everything; what comes back prints all problems, and gives 1 if there are any."""
    try:
        return _report(command)
    except SyntaxError as error:  # of the script, or of a module whose settings are asked for
        status = show_syntax_error(error)
        return lambda: status


def _report(command: ScriptCommand) -> Callable[[], int]:
    script, paths = command.script, command.config_files
    name = ", ".join([*paths, *command.option("trials", ())]) or "command line"
    fitter = Fitter(script, name)
    found = load_swept(paths, command)
    runs = [fitter.fits(config) for config in first_runs(found, MOST)]
    lines = said(runs)
    targets = {one.target for fits in runs for one in fits if one.target and not one.is_own}
    wrong = {one.target for fits in runs for one in fits if one.problem}
    file = os.path.basename(split_function(script)[0])
    if wrong:
        problems = len({one.said for fits in runs for one in fits if one.problem})
        lines.append(f"{name}: {counted(problems, 'problem')} with {file}")
    else:
        runs_of = "" if isinstance(found, Config) else f"{counted(len(runs), 'run')} of "
        runs_of = f"the first {runs_of}" if len(runs) == MOST else runs_of
        fit = "fits" if len(targets) == 1 and not runs_of else "fit"
        lines.append(f"{name}: {runs_of}{counted(len(targets), 'override')} {fit} {file}")
    return lambda: _print(lines) or int(bool(wrong))


def said(runs: list[list[Fit]]) -> list[str]:
    """The problems and warnings of all runs, equal ones once."""
    return list(dict.fromkeys(one.said for fits in runs for one in fits if one.said))


def _print(lines: list[str]) -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    print("\n".join(lines))
    return 0
