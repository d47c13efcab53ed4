"""``kogine runs``: list, show and mark the recorded runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from kogine.command import Command, Group
from kogine.command_with_script import chosen_format
from kogine.options import (
    File,
    ScriptFile,
    Whole,
    flag,
    format_options,
    items,
    option,
    together,
)

from kohaku_ast.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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
        "logs": ("kogine.runs:logs", "Print the output of a run; -f while it runs."),
        "watch": ("kogine.runs:watch", "Show the runs that are under way, from any terminal."),
        "best": ("kogine.runs:best", "Show the run with the least, or greatest, number."),
        "tag": ("kogine.runs:tag", "Add tags to a run, or remove them."),
        "note": ("kogine.runs:note", "Write a note to a run."),
        "diff": ("kogine.run_compare:diff", "Show in what two runs differ, source included."),
        "report": ("kogine.run_report:report", "Write a report of runs: one HTML file."),
        "export": ("kogine.run_export:export", "Write runs as CSV, JSON, Parquet or a config."),
        "rm": ("kogine.run_upkeep:rm", "Remove runs; restore brings them back."),
        "restore": ("kogine.run_upkeep:restore", "Bring removed runs back."),
        "gc": ("kogine.run_upkeep:gc", "Delete removed runs for good, and what no run needs."),
        "verify": ("kogine.run_upkeep:verify", "Check what runs have kept; status 1 if damaged."),
        "stop": ("kogine.run_upkeep:stop", "End a run that is under way."),
        "repeat": ("kogine.run_again:repeat", "Run today's script with the values of a run."),
        "reproduce": ("kogine.run_again:reproduce", "Restore a run, run it, compare the results."),
        "compare": ("kogine.run_compare:compare", "Show in what runs differ, or means of groups."),
        "reindex": ("kogine.runs:reindex", "Make the index of the store anew."),
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


class RunName(click.ParamType):  # type: ignore[type-arg]
    """What names a run: a number, the start of an id, ``last``, or a query."""

    name = "run"

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        """``last``, and numbers and ids of the newest runs, with their labels."""
        from kogine.run_tables import run_candidates

        found = run_candidates(ctx.params.get("store") or "")
        return items(one for one in found if one[0].startswith(incomplete))


run_argument = click.argument("run", metavar="RUN", type=RunName(), required=False)


@click.command(
    cls=Command,
    examples=(
        "kogine runs ls",
        "kogine runs ls --where 'lr > 0.1' --sort loss --columns number,lr,loss,min:loss",
        "kogine runs ls --columns number,label,spark:loss,loss",
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
    help="The columns: fields, parameters, metrics, min:loss, spark:loss (its curve), ...",
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
    return start_list(store, chosen, limit, columns, chosen_format(form))


@click.command(
    cls=Command,
    examples=("kogine runs watch", "kogine runs watch --where 'script == \"train.py\"'"),
)
@where_option
@table_options
def watch(where: str, store: str, **form: Any) -> Callable[[], int]:
    """Show runs as they are now, with numbers and last lines, until none is under way.

    Ctrl-C ends the view; the runs go on. As JSON, an object a line, or CSV: each change of a state.
    """
    from kogine.run_watch import start_watch  # completion does without

    return start_watch(store, where, chosen_format(form))


@click.command(
    cls=RunCommand, usage="RUN", examples=("kogine runs show last", "kogine runs show 7 --json")
)
@run_argument
@table_options
def show(run: str, store: str, **form: Any) -> Callable[[], int]:
    """Show one run: its fields, values, metrics, outputs and error."""
    from kogine.run_tables import start_show  # completion does without

    return start_show(store, run, chosen_format(form))


@click.command(
    cls=RunCommand,
    usage="RUN",
    examples=(
        "kogine runs logs last",
        "kogine runs logs last -f",
        "kogine runs logs 7 --attempt 1",
    ),
)
@run_argument
@flag("-f", "--follow", group="Options", help="Go on printing until the run has ended.")
@option(
    "--attempt",
    group="Options",
    type=Whole(1),
    show_default="the last one",
    help="The output of this attempt, of a run that was tried again.",
)
@table_options
def logs(run: str, follow: bool, attempt: int | None, store: str, **form: Any) -> Callable[[], int]:
    """Print what a run has printed, as it is in its log; as JSON an object a line, or as CSV."""
    from kogine.run_logs import start_logs  # completion does without

    return start_logs(store, run, attempt, follow, chosen_format(form))


@click.command(
    cls=Command,
    usage="min:NAME|max:NAME",
    examples=(
        "kogine runs best min:val_loss",
        "kogine runs best max:last:acc --where 'epochs == 10' --limit 5",
    ),
)
@click.argument("name", metavar="min:NAME|max:NAME", required=False)
@where_option
@option(
    "--limit",
    group="Runs",
    type=Whole(0),
    show_default="1",
    help="The best N runs; 0: all that have the number.",
)
@option(
    "--any-status",
    group="Runs",
    is_flag=True,
    help="Also runs that go on, have failed or were ended early; as with --where 'status ...'.",
)
@table_options
def best(
    name: str | None, where: str, limit: int | None, any_status: bool, store: str, **form: Any
) -> Callable[[], int]:
    """Show the run that succeeded with the least, or the greatest, number of a metric, output or
    parameter.
    """
    if name is None:
        raise UsageError("no name given: kogine runs best min:val_loss")
    from kogine.run_tables import start_best  # completion does without

    return start_best(store, name, where, limit, any_status, chosen_format(form))


@click.command(
    cls=RunCommand,
    usage="RUN NAME ...",
    examples=("kogine runs tag last paper", "kogine runs tag 12 paper --remove"),
)
@run_argument
@click.argument("names", nargs=-1)
@flag("--remove", group="Options", help="Remove the tags instead.")
@table_options
def tag(
    run: str, names: tuple[str, ...], remove: bool, store: str, **form: Any
) -> Callable[[], int]:
    """Add tags to a run, which --where 'NAME in tags' finds, or remove them."""
    if not names:
        raise UsageError("no tag given: kogine runs tag RUN NAME ...")
    from kogine.run_tables import start_tag  # completion does without

    return start_tag(store, run, names, remove, chosen_format(form))


@click.command(
    cls=RunCommand,
    usage="RUN TEXT",
    examples=("kogine runs note last 'with the new data'", "kogine runs note 7 ''"),
)
@run_argument
@click.argument("words", nargs=-1)
@table_options
def note(run: str, words: tuple[str, ...], store: str, **form: Any) -> Callable[[], int]:
    """Write a note to a run, in place of the note that it has; '' removes it."""
    if not words:
        raise UsageError("no text given: kogine runs note RUN TEXT")
    from kogine.run_tables import start_note  # completion does without

    return start_note(store, run, " ".join(words), chosen_format(form))


@click.command(
    cls=Command, examples=("kogine runs reindex", "kogine runs reindex --store old/.kogine/runs")
)
@table_options
def reindex(store: str, **form: Any) -> Callable[[], int]:
    """Make the index of the store anew, from the folders of the runs."""
    from kogine.run_tables import start_reindex  # completion does without

    return start_reindex(store, chosen_format(form))
