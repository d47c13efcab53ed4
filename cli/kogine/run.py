"""``kogine run``: the command and its options."""

from __future__ import annotations

from collections.abc import Callable

import click
from kogine import options
from kogine.command_with_script import CommandWithScript, refuse_without
from kogine.flow_options import flow_options, record_options, search_options, sweep_options
from kogine.options import (
    File,
    ScriptFile,
    flag,
    format_options,
    option,
    together,
    value_options,
)
from kogine.script_command import ScriptCommand
from kogine.start import start

from kohaku_ast.errors import UsageError

FORMATS = (*options.FORMATS, "py")

_inspect_options = together(
    flag("--inspect", group="Inspecting", help="List what can be overridden; run nothing."),
    flag("--all", group="Inspecting", help="Also derived names, imports and the rest."),
    flag(
        "--modules", group="Inspecting", help="Also settings of the local modules that it imports."
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
@option(
    "--output",
    "-o",
    type=File(),
    metavar="OUT.ipynb",
    group="Records and output",
    help="Execute the notebook SCRIPT in a kernel and write it there; {lr} is a run's value.",
)
@format_options("Records and output", FORMATS)
def run(command: ScriptCommand) -> Callable[[], int]:
    """Run a script with other values, as if its definitions had been edited."""
    if "inspect" in command.options:  # a user adds it to any command line: the rest is ignored
        from kogine.list_parameters import list_parameters  # completion of a run does without

        return list_parameters(command)
    for name in ("all", "modules"):
        refuse_without(command, name, "--inspect")
    if command.option("format") == "py":
        raise UsageError("--format py is the format of --inspect: add it")
    refuse_without(command, "backoff", "--retries")
    for name in ("minimize", "maximize", "study"):
        if name in command.options and "search" not in command.options:
            raise UsageError(f"--{name} is for a search: add --search optuna")
    return start(command)
