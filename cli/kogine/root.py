"""The ``kogine`` command group: its commands by name, and how a command line is read by click."""

from __future__ import annotations

import os
from collections.abc import Callable

import click
from kogine.command import Command, Group, Option

from kohaku_ast.errors import UsageError
from kohaku_ast.version import VERSION


class _Kogine(Group):
    def no_such_command(self, name: str) -> str:
        if os.path.exists(name) or name.endswith(".py"):
            return f"{name!r} is no command. To run it: kogine run {name}"
        return super().no_such_command(name)


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"kogine {VERSION}")
        context.exit()


# Not click.version_option: it may ask importlib.metadata, which takes 36 ms.
_version = Option(
    ["--version"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)

kogine = _Kogine(
    "kogine",
    help="Run unmodified Python scripts with other values.",
    params=[_version],
    examples=(
        "kogine run --inspect train.py",
        "kogine run train.py lr=0.01 Args.depth=9 --sweep seed=1,2,3",
        "kogine help run",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    places={
        "run": ("kogine.run:run", "Run a script with other values, as if it had been edited."),
        "workflow": ("kogine.workflow:workflow", "Run several scripts, in a row or at once."),
        "pipeline": ("kogine.pipeline:pipeline", "Run or draw the pipeline that a file defines."),
        "config": ("kogine.config:config", "Show, check, write, compare and convert configs."),
        "transform": ("kogine.source:transform", "Print the rewritten source that run compiles."),
        "freeze": (
            "kogine.source:freeze",
            "Write a script with the values in its definitions.",
        ),
        "completion": ("kogine.completion:completion", "Print what makes a shell complete kogine."),
        "help": ("kogine.root:show_help", "Show the help of a command."),
    },
)


@click.command("help", cls=Command, examples=("kogine help run", "kogine help workflow parallel"))
@click.argument("names", metavar="[COMMAND ...]", nargs=-1)
@click.pass_context
def show_help(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of a command."""
    root = ctx.find_root()
    with root.command.make_context(root.info_name, [*names, "--help"]) as inner:
        root.command.invoke(inner)


def read(words: list[str]) -> Callable[[], int] | None:
    """What does what *words* ask for; None if click has done it: help, the version.

    Raises UsageError for a mistake in the words.
    """
    # Not main(): it turns Ctrl-C into an empty line and an Abort, and expands globs on Windows.
    try:
        with kogine.make_context("kogine", words) as context:
            start: Callable[[], int] | None = kogine.invoke(context)
    except click.exceptions.Exit:
        return None
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None
    return start
