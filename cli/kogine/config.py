"""``kogine config``: show, check, write, compare and convert config files."""

from __future__ import annotations

import ast
import os
import shlex
import sys
from collections.abc import Callable
from typing import Any

import click
from kogine.command import Choice, Command, Group
from kogine.command_with_script import CommandWithScript
from kogine.option_types import ConfigFile, File, ScriptFile, Whole
from kogine.options import (
    axis_options,
    configs,
    flag,
    hidden_assignments,
    option,
    output_options,
)
from kogine.report import Output
from kogine.script_command import ScriptCommand, inspect_script

from kohaku_ast.config.template import config_text
from kohaku_ast.errors import UsageError
from kohaku_ast.migrate.migration import Migrated
from kohaku_ast.transform.find.inspection import Inspection
from kohaku_ast.transform.find.options import find_options
from kohaku_ast.transform.find.source import Source, decode, read_bytes

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

    def __init__(self, *args: Any, least: int = 1, most: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.least, self.most = least, most

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        count = len(ctx.params["files"])
        if not (self.least <= count <= self.most or ctx.resilient_parsing):
            what = {0: "no file given", 1: "one file given"}.get(count, f"{count} files given")
            raise UsageError(f"{what}: {ctx.command_path} {self.usage}")
        return rest


@click.command(
    cls=_FilesCommand,
    usage="CONFIG ...",
    most=100,
    examples=("kogine config show cfg.py", "kogine config show base.yaml cfg.py --script train.py"),
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
@option(
    "--format",
    "form",
    group="Options",
    type=Choice(("table", "json")),
    default="table",
    show_default=True,
    help="The format of the output.",
)
def show(files: tuple[str, ...], script: str, most: int, form: str) -> Callable[[], int]:
    """Show each value of a config and where it comes from; of a sweep, its runs."""
    from kogine.config_show import start_show

    return start_show(files, script, most, form)


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
    examples=("kogine config init train.py", "kogine config init train.py --all -o cfg.py"),
)
@click.argument("files", type=ScriptFile(), nargs=-1)
@output_options
@flag(
    "--all",
    "everything",
    group="Options",
    help="Also derived names, imports and the rest, commented out.",
)
def init(
    files: tuple[str, ...], output: str | None, force: bool, everything: bool
) -> Callable[[], int]:
    """Write a config to edit, with the values and comments of a script."""
    return start_init(files[0], Output(output, force), everything)


@click.command(
    cls=_FilesCommand,
    usage="CONFIG CONFIG",
    least=2,
    most=2,
    examples=("kogine config diff a.py b.py", "kogine config diff base.yaml cfg.py"),
)
@click.argument("files", type=ConfigFile(), nargs=-1)
def diff(files: tuple[str, ...]) -> Callable[[], int]:
    """Show where two configs differ; status 1 if they do."""
    from kogine.config_show import start_diff

    return start_diff(files)


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
    return start_migrate(files[0], script, Output(output, force))


def start_init(script: str, output: Output, everything: bool) -> Callable[[], int]:
    """Write the config; the result prints it if there is no file to write. Raises SyntaxError."""
    found = inspect_script(script)
    name = shlex.quote(output.path) if output.path else "THIS_FILE"
    listed = found.listed(everything)
    text = config_text(found, listed, shlex.quote(script), name)
    return output.deliver(_encoded(text), script)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


_YAML = (".yaml", ".yml", ".json")


def start_migrate(file: str, script_name: str, output: Output) -> Callable[[], int]:
    """Write the config; the result prints it if there is no file to write, and gives 1 if something
    was not carried over. Raises SyntaxError.
    """
    script = inspect_script(script_name) if script_name else None
    migrated = _migrated(file, script)
    deliver = output.deliver(_encoded(migrated.with_heading(file)), file)
    return lambda: deliver() or _report(migrated)


def _report(migrated: Migrated) -> int:
    """Print what was not carried over, below the config, where it is read; the exit status."""
    for one in migrated.not_carried_over:
        sys.stderr.write(f"kogine: not carried over: {one}\n")
    return int(bool(migrated.not_carried_over))


def _migrated(file: str, script: Inspection | None) -> Migrated:
    """The config made from *file*, by its kind."""
    end = os.path.splitext(file)[1].lower()
    if end in _YAML:
        from kohaku_ast.migrate.hydra import migrate_yaml

        return migrate_yaml(file, script)
    if end == ".toml":
        raise UsageError(f"{file} is a config already: kogine run SCRIPT --config {file}")
    source = decode(read_bytes(file), file)
    if _imports(source, "kohakuengine"):
        return _migrate_kohakuengine(source, file, script)
    if find_options(source.tree):
        from kohaku_ast.migrate.argparse_options import migrate_options

        return migrate_options(inspect_script(file), file, script)
    if _is_program(source):
        raise UsageError(
            f"{file}: declares no options. Its other settings: kogine config init {file}"
        )
    return _migrate_kohakuengine(source, file, script)


def _migrate_kohakuengine(source: Source, file: str, script: Inspection | None) -> Migrated:
    from kohaku_ast.migrate.kohakuengine import migrate_kohakuengine

    return migrate_kohakuengine(source, file, script)


def _imports(source: Source, package: str) -> bool:
    """Whether *source* imports *package*."""
    names: list[str] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return any(name.split(".")[0] == package for name in names)


def _is_program(source: Source) -> bool:
    """Whether *source* is a script and not a config: it has a guard."""
    from kohaku_ast.transform.find.bindings import find_guards

    return bool(find_guards(source.tree))
