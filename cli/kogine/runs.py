"""``kogine runs``: list, show and mark the recorded runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from kogine.command import Command, Group
from kogine.command_with_script import settle_format
from kogine.options import (
    File,
    ScriptFile,
    Whole,
    format_options,
    option,
    together,
)

from kohaku_ast.errors import UsageError

runs = Group(
    "runs",
    what="runs command",
    help="List, show and mark recorded runs.",
    examples=(
        "kogine runs ls --where 'lr > 0.1 and status == \"succeeded\"' --sort loss",
        "kogine runs show last",
    ),
    places={
        "ls": ("kogine.runs:ls", "List runs, the newest first."),
        "show": ("kogine.runs:show", "Show one run: its values, metrics and error."),
        "compare": ("kogine.run_compare:compare", "Show in what runs differ, or means of groups."),
    },
)

store_option = option(
    "--store",
    group="Options",
    type=File("folder"),
    default="",
    show_default=".kogine/runs",
    help="The folder with the records.",
)
where_option = option(
    "--where",
    group="Runs",
    metavar="QUERY",
    default="",
    help="Only runs that fit: 'lr > 0.1 and status == \"failed\"'.",
)
table_options = together(
    format_options("Output", ("table", "json", "csv")),
    store_option,
)
"""For each command that prints a table."""


class RunCommand(Command):
    """A command on one run: its first operand is RUN, a number, the start of an id, last, or a
    query.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; the error for a missing RUN has the usage."""
        rest = super().parse_args(ctx, args)
        if not (ctx.params.get("run") or ctx.resilient_parsing):
            raise UsageError(f"no run given: {ctx.command_path} {self.usage}")
        return rest


run_argument = click.argument("run", metavar="RUN", required=False)


def format_of(form: dict[str, Any]) -> str:
    """``table``, ``json`` or ``csv``, from the values of ``--format`` and ``--json``."""
    given = {name: value for name, value in form.items() if value}
    settle_format(given)
    return "json" if "json" in given else str(given.get("format", "table"))


@click.command(
    cls=Command,
    examples=(
        "kogine runs ls",
        "kogine runs ls --where 'lr > 0.1' --sort loss --columns number,lr,loss,min:loss",
        "kogine runs ls --since 2d --format csv > runs.csv",
    ),
)
@where_option
@option(
    "--script",
    group="Runs",
    type=ScriptFile(),
    default="",
    help="Only runs of this script: its path, or the end of it.",
)
@option(
    "--since",
    group="Runs",
    metavar="TIME",
    default="",
    help="Only runs that started in the last 30m, 12h, 2d, or since a date: 2026-11-21.",
)
@option(
    "--sort",
    group="Runs",
    metavar="[-]NAME",
    default="",
    show_default="-number",
    help="Order by this name; with - the greatest first.",
)
@option(
    "--limit",
    group="Runs",
    type=Whole(0),
    show_default="20 in a table",
    help="At most N runs; 0: all.",
)
@option(
    "--columns",
    group="Output",
    metavar="A,B",
    default="",
    help="The columns: fields, parameters, metrics, min:loss, ...",
)
@table_options
def ls(
    where: str,
    script: str,
    since: str,
    sort: str,
    limit: int | None,
    columns: str,
    store: str,
    **form: Any,
) -> Callable[[], int]:
    """List recorded runs, the newest first."""
    from kogine.run_tables import start_list  # completion does without

    chosen = {"where": where, "script": script, "since": since, "sort": sort}
    return start_list(store, chosen, limit, columns, format_of(form))


@click.command(cls=RunCommand, usage="RUN", examples=("kogine runs show last",))
@run_argument
@table_options
def show(run: str, store: str, **form: Any) -> Callable[[], int]:
    """Show one run: its fields, values, metrics, outputs and error."""
    from kogine.run_tables import start_show  # completion does without

    return start_show(store, run, format_of(form))
