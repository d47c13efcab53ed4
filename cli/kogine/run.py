"""``kogine run``: the command and its options."""

from __future__ import annotations

from collections.abc import Callable

import click
from kogine.command import Choice
from kogine.command_with_script import CommandWithScript, refuse_without
from kogine.options import (
    ScriptFile,
    flag,
    flow_options,
    option,
    record_options,
    search_options,
    sweep_options,
    together,
    value_options,
)
from kogine.script_command import ScriptCommand
from kogine.start import start

from kohaku_ast.errors import UsageError

FORMATS = ("table", "json", "py")

_inspect_options = together(
    flag("--inspect", group="Inspecting", help="List what can be overridden; run nothing."),
    flag("--all", group="Inspecting", help="Also derived names, imports and the rest."),
    flag(
        "--modules", group="Inspecting", help="Also settings of the local modules that it imports."
    ),
    option(
        "--format",
        group="Inspecting",
        type=Choice(FORMATS),
        show_default="table",
        help="The format of the list.",
    ),
)


@click.command(
    cls=CommandWithScript,
    usage="SCRIPT [TARGET=VALUE ...] [ARGS ...] [-- ARGS ...]",
    examples=(
        "kogine run --inspect train.py",
        "kogine run train.py lr=0.01 Args.depth=9",
        "kogine run train.py --sweep lr=0.1,0.2 --workers 2 -- --option-of-the-script 3",
    ),
)
@click.argument("script", type=ScriptFile(), required=False)
@value_options
@_inspect_options
@sweep_options
@search_options
@flow_options
@record_options
def run(command: ScriptCommand) -> Callable[[], int]:
    """Run a script with other values, as if its definitions had been edited."""
    if "inspect" in command.options:  # a user adds it to any command line: the rest is ignored
        from kogine.list_parameters import list_parameters  # completion of a run does without

        return list_parameters(command)
    for name in ("all", "modules", "format"):
        refuse_without(command, name, "--inspect")
    refuse_without(command, "backoff", "--retries")
    for name in ("minimize", "maximize", "study"):
        if name in command.options and "search" not in command.options:
            raise UsageError(f"--{name} is for a search: add --search optuna")
    return start(command)
