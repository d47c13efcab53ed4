"""``kogine config``: show, check, write, compare and convert config files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
from kogine.command import Command, Group
from kogine.command_with_script import CommandWithScript, chosen_format
from kogine.flow_options import axis_options
from kogine.options import (
    ConfigFile,
    File,
    ScriptFile,
    Whole,
    configs,
    flag,
    format_options,
    hidden_assignments,
    option,
    output_options,
)
from kogine.report import Output
from kogine.script_command import ScriptCommand, is_assignment

from kohaku_ast.errors import UsageError

config = Group(
    "config",
    what="config command",
    help="Show, check, write, compare and convert config files.",
    examples=("kogine config show cfg.py", "kogine config init train.py -o cfg.py"),
    places={
        "show": ("kogine.config:show", "Show each value and where it comes from, or the runs."),
        "check": (
            "kogine.config:check",
            "Check configs against a script; status 1 on problems.",
        ),
        "init": ("kogine.config:init", "Write a config to edit, with a script's values."),
        "diff": ("kogine.config:diff", "Show where two configs differ; status 1 if they do."),
        "migrate": (
            "kogine.config:migrate",
            "Convert options, YAML or another tool's config.",
        ),
    },
)


class _FilesCommand(Command):
    """A command with files as operands; the error for a wrong number of them has the usage."""

    def __init__(
        self, *args: Any, least: int = 1, most: int = 1, takes_values: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.least, self.most, self.takes_values = least, most, takes_values

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        count = sum(not self.takes_values or not is_assignment(one) for one in ctx.params["files"])
        if not (self.least <= count <= self.most or ctx.resilient_parsing):
            what = {0: "no file given", 1: "one file given"}.get(count, f"{count} files given")
            raise UsageError(f"{what}: {ctx.command_path} {self.usage}")
        return rest


@click.command(
    cls=_FilesCommand,
    usage="CONFIG ... [TARGET=VALUE ...]",
    most=100,
    takes_values=True,
    examples=(
        "kogine config show cfg.py",
        "kogine config show base.yaml cfg.py --script train.py",
        "kogine config show conf/config.yaml db=mysql",
    ),
)
@click.argument("files", type=ConfigFile(), nargs=-1)
@option(
    "--script",
    group="Options",
    type=ScriptFile(),
    default="",
    help="Also show the default of each target in this script, and whether the value fits.",
)
@option(
    "-n",
    "most",
    group="Options",
    type=Whole(0),
    default=20,
    show_default=True,
    help="Show at most N runs of a sweep.",
)
@format_options("Options")
def show(files: tuple[str, ...], script: str, most: int, **form: Any) -> Callable[[], int]:
    """Show each value of a config and where it comes from; of a sweep, its runs."""
    from kogine.config_show import start_show

    return start_show(files, script, most, is_json(form))


def is_json(form: Mapping[str, Any]) -> bool:
    """Whether ``--format json`` or ``--json`` is among the values of options."""
    return chosen_format(form) == "json"


@click.command(
    cls=CommandWithScript,
    usage="SCRIPT",
    runs=False,
    examples=(
        "kogine config check train.py --config cfg.py",
        "kogine config check train.py --sweep lr=0.1,0.2 --trials trials.csv",
    ),
)
@click.argument("script", type=ScriptFile(), required=False)
@hidden_assignments
@configs
@axis_options
@format_options("Output")
def check(command: ScriptCommand) -> Callable[[], int]:
    """Check configs against a script without running the script; status 1 if they do not fit."""
    if command.overrides:
        raise UsageError(
            f"{command.overrides[0].target}=...: a value is checked where it is given: kogine "
            "transform SCRIPT TARGET=VALUE"
        )
    if not command.options.keys() & {"config", "sweep", "trials"}:
        raise UsageError("no config given: kogine config check SCRIPT --config CONFIG")
    from kogine.config_check import start_check

    return start_check(command)


@click.command(
    cls=_FilesCommand,
    usage="SCRIPT",
    examples=(
        "kogine config init train.py",
        "kogine config init train.py --all -o cfg.py",
        "kogine config init train.py -i -o cfg.yaml",
    ),
)
@click.argument("files", type=ScriptFile(), nargs=-1)
@output_options
@flag(
    "--all",
    "everything",
    group="Options",
    help="Also derived names, imports and the rest, commented out.",
)
@flag(
    "-i",
    "--interactive",
    "asks",
    group="Options",
    help="Ask for each value on the terminal, and check it as it is typed.",
)
def init(
    files: tuple[str, ...], output: str | None, force: bool, everything: bool, asks: bool
) -> Callable[[], int]:
    """Write a config to edit, with the values and comments of a script."""
    if asks:
        from kogine.config_builder import start_builder

        return start_builder(files[0], output or "", force, everything)
    from kogine.config_write import start_init  # completion does without

    return start_init(files[0], Output(output, force), everything)


@click.command(
    cls=_FilesCommand,
    usage="CONFIG CONFIG",
    least=2,
    most=2,
    examples=("kogine config diff a.py b.py", "kogine config diff base.yaml cfg.py"),
)
@click.argument("files", type=ConfigFile(), nargs=-1)
@format_options("Options")
def diff(files: tuple[str, ...], **form: Any) -> Callable[[], int]:
    """Show where two configs differ; status 1 if they do."""
    from kogine.config_show import start_diff

    return start_diff(files, is_json(form))


@click.command(
    cls=_FilesCommand,
    usage="FILE",
    examples=(
        "kogine config migrate conf/config.yaml --script train.py -o cfg.py",
        "kogine config migrate train_argparse.py",
    ),
)
@click.argument("files", type=File(), nargs=-1)
@option(
    "--script",
    group="Options",
    type=ScriptFile(),
    default="",
    help="The script whose definitions the config is for.",
)
@output_options
def migrate(
    files: tuple[str, ...], script: str, output: str | None, force: bool
) -> Callable[[], int]:
    """Convert a script's options, or a YAML, Hydra or KohakuEngine config, into a config."""
    from kogine.config_write import start_migrate  # completion does without

    return start_migrate(files[0], script, Output(output, force))
