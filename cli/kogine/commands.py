"""The help: ``kogine --help``, ``kogine run --help``, ``kogine --version``.

Made with click from the tables that the reader obeys. No script is ever started from here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import click
from kogine.options import SHORT
from kogine.tables import COMMANDS as _COMMANDS
from kogine.tables import GROUPS as _GROUPS
from kogine.tables import Table

from kohaku_ast.errors import UsageError, unknown
from kohaku_ast.version import VERSION

_EXAMPLES = """\b
kogine run --inspect train.py
kogine run train.py lr=0.01 Args.depth=9 -- --script-option 3
kogine freeze train.py lr=0.01 -o train_frozen.py"""


def commands(arguments: list[str]) -> Callable[[], int] | None:
    """Print the help that *arguments* ask for; raises UsageError for what is no command."""
    _check_command(arguments)
    try:
        status = _group().main(arguments or ["--help"], prog_name="kogine", standalone_mode=False)
    except click.UsageError as error:
        raise UsageError(f"{error.format_message()} 'kogine --help' lists the commands.") from None
    return lambda: int(status or 0)


def _check_command(arguments: list[str]) -> None:
    name = next(iter(arguments), "-")
    if name.startswith("-") or name in _COMMANDS or name in _GROUPS:
        return
    if os.path.exists(name) or name.endswith(".py"):
        raise UsageError(f"{name!r} is no command. To run it: kogine run {name}")
    raise UsageError(unknown("command", name, [*_COMMANDS, *_GROUPS]))


def _group() -> click.Group:
    return click.Group(
        name="kogine",
        help=f"Run unmodified Python scripts with other values.\n\n{_EXAMPLES}",
        commands={
            **{name: _command(name, *row) for name, row in _COMMANDS.items()},
            **{name: _subgroup(name, *row) for name, row in _GROUPS.items()},
        },
        params=[_version()],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _subgroup(name: str, table: Mapping[str, tuple[Table, str, str]], text: str) -> click.Group:
    inner = {inner: _command(inner, *row) for inner, row in table.items()}
    return click.Group(name, help=text, short_help=text, commands=inner)


def _version() -> click.Option:
    # Not click.version_option: it may ask importlib.metadata, which takes 36 ms.
    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_version,
        help="Show the version and exit.",
    )


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"kogine {VERSION}")
        context.exit()


def _command(name: str, table: Table, usage: str, text: str) -> click.Command:
    """For its help alone: what the command does is in the module of its name."""
    parameters: list[click.Parameter] = [click.Argument(["operands"], metavar=usage)]
    parameters += [_option(*row) for row in table]
    return click.Command(name, help=text, short_help=text, params=parameters)


def _option(name: str, takes_value: bool, text: str) -> click.Option:
    short = [short for short, long in SHORT.items() if long == name]
    metavar, colon, rest = text.partition(": ")
    if not (colon and metavar.isupper()):
        metavar, rest = name.lstrip("-").upper(), text
    shown = rest[:1].upper() + rest[1:]
    return click.Option(
        [*short, name],
        is_flag=not takes_value,
        help=shown,
        metavar=metavar if takes_value else None,
    )
