"""``kogine runs compare`` and ``diff``: in what recorded runs differ."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from kogine.command import Command
from kogine.command_with_script import chosen_format
from kogine.options import flag, option
from kogine.report import print_rows, printing
from kogine.runs import table_options, where_option

from kohaku_ast.errors import UsageError

if TYPE_CHECKING:
    from kohaku_ast.store.compare import Comparison
    from kohaku_ast.store.run_diff import RunDiff
    from kohaku_ast.store.store import Runs, Store

runs_argument = click.argument("names", nargs=-1, metavar="[RUN ...]")


def chosen_runs(store: Store, names: Sequence[str], where: str, usage: str) -> Runs:
    """The runs that *names* mean, or those that fit *where*; UsageError for neither or both."""
    if bool(names) == bool(where):
        what = "both given: RUN and --where" if names else "no run given"
        raise UsageError(f"{what}: {usage}")
    return store.select(names) if names else store.runs(where=where)[::-1]


@click.command(
    cls=Command,
    usage="RUN ... | --where QUERY",
    examples=(
        "kogine runs compare 3 4 last",
        "kogine runs compare --where 'epochs == 10' --by lr,bs --metric min:val_loss",
    ),
)
@runs_argument
@where_option
@flag("--all", "everything", group="Columns", help="All columns, also those with one value.")
@option(
    "--by",
    group="Columns",
    metavar="A,B",
    default="",
    help="A row for each group of runs with equal values of these.",
)
@option(
    "--metric",
    group="Columns",
    metavar="NAME",
    multiple=True,
    help="With --by: mean, standard deviation and number of val_loss, min:val_loss, ...",
)
@table_options
def compare(
    names: tuple[str, ...],
    where: str,
    everything: bool,
    by: str,
    metric: tuple[str, ...],
    store: str,
    **form: Any,
) -> Callable[[], int]:
    """Show the columns in which runs differ, or groups of runs with the mean of a metric."""
    from kogine.run_tables import store_of  # completion does without

    if metric and not by:
        raise UsageError("--metric needs --by, the names that make the groups: --by lr,bs")
    if everything and by:
        raise UsageError("--all has no effect with --by: take one of them away")
    runs = chosen_runs(store_of(store), names, where, "kogine runs compare RUN ... | --where QUERY")
    metrics = [one for text in metric for one in text.split(",")]
    return _start_print(runs.compare(by, metrics, everything), chosen_format(form))


def _start_print(found: Comparison, form: str) -> Callable[[], int]:
    from kogine.run_tables import print_csv, print_json

    if form == "json":
        return lambda: print_json([*found])
    if form == "csv":
        return lambda: print_csv(found.columns, iter(found.rows))
    return lambda: _print_table(found)


@printing
def _print_table(found: Comparison) -> int:
    from kohaku_ast.display.text import Group, print_table
    from kohaku_ast.store.columns import table_cell

    if not found.rows:
        print("No run fits.")
        return 0
    rows = [tuple(table_cell(*pair) for pair in zip(found.columns, row)) for row in found.rows]
    print_table(found.headings, [Group("", tuple(rows))], sys.stdout)
    if found.over:
        print(f"over {', '.join(found.over)}")
    return 0


@click.command(
    cls=Command,
    usage="RUN RUN",
    examples=("kogine runs diff 3 last", "kogine runs diff 3 7 --json"),
)
@runs_argument
@table_options
def diff(names: tuple[str, ...], store: str, **form: Any) -> Callable[[], int]:
    """Show in what the second run differs from the first: values, source, environment and git.
    Status 1 if they differ.
    """
    from kogine.run_tables import store_of  # completion does without

    if len(names) != 2:
        raise UsageError(f"{len(names)} runs given: kogine runs diff RUN RUN")
    found = store_of(store).diff(*names)
    shape = chosen_format(form)
    columns = ("part", "name", "first", "second", "text")
    if shape == "table":
        return lambda: _print_diff(found) or _status(found)
    rows = [{name: getattr(one, name) for name in columns} for one in found]
    return lambda: print_rows(shape, columns, rows, {}) or _status(found)


def _status(found: RunDiff) -> int:
    return 1 if len(found) else 0


@printing
def _print_diff(found: RunDiff) -> int:
    from kohaku_ast.display.text import group_rows, print_table

    groups = group_rows(found.cells())
    if groups:
        print_table(("name", found.first, found.second), groups, sys.stdout)
    sys.stdout.write(found.texts if len(found) else "The runs do not differ.\n")
    return 0
