"""``kogine runs report``: recorded runs as one HTML file."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from kogine.command import Command
from kogine.command_with_script import chosen_format
from kogine.options import flag, option, output_options
from kogine.report import Output, print_answer
from kogine.runs import table_options, where_option

from kohaku_ast.errors import UsageError

if TYPE_CHECKING:
    from kohaku_ast.store.store import Runs, Store


@click.command(
    cls=Command,
    usage="[QUERY | RUN ...]",
    examples=(
        "kogine runs report -o report.html",
        "kogine runs report 'lr > 0.1' --best min:val_loss -o report.html",
        "kogine runs report 3 4 last --standalone -o report.html",
    ),
)
@click.argument("names", nargs=-1, metavar="[QUERY | RUN ...]")
@where_option
@option(
    "--best",
    group="Content",
    metavar="GOAL",
    default="",
    help="The number that counts, min:NAME or max:NAME; else the names of the metrics suggest it.",
)
@option("--title", group="Content", metavar="TEXT", default="", help="The heading of the report.")
@flag(
    "--standalone",
    group="Content",
    help="With plotly's script inside (5 MB): figures that can be zoomed. Needs plotly.",
)
@output_options
@table_options
def report(
    names: tuple[str, ...],
    where: str,
    best: str,
    title: str,
    standalone: bool,
    output: str | None,
    force: bool,
    store: str,
    **others: Any,
) -> Callable[[], int]:
    """Write a report of runs to one HTML file that opens without network: a summary, the best runs,
    curves, parallel coordinates, failures, differing values and the environment. --format is that
    of what kogine prints about it: the file, and how many runs it is of.
    """
    from kogine.run_tables import store_of  # completion does without

    from kohaku_ast.exports.html_report import report_of_runs

    target = Output(output, force)
    if not target.path and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("a report is not for a terminal: add -o report.html")
    if any(map(others.get, ("format", "json"))) and not target.path:
        raise UsageError("the report itself is printed: --format needs -o FILE")
    opened = store_of(store)
    if names and where:
        raise UsageError("both given: an operand and --where: take one of them away")
    query = where or _query_in(names)
    runs = opened.select(names) if names and not query else opened.runs(where=query)[::-1]
    _check_any(runs, opened, query)
    page = report_of_runs(runs, best=best, title=title, query=query, standalone=standalone)
    write, shape = target.deliver(page, ""), chosen_format(others)
    if not target.path:
        return write
    row = {"path": target.path, "runs": len(runs), "size": len(page)}
    return lambda: write() or print_answer(shape, [], [*row], [row])


def _query_in(names: tuple[str, ...]) -> str:
    """The one operand if it is a query; ``last``, a number and an id are names of runs."""
    return names[0] if len(names) == 1 and re.search(r"[<>=!\s]", names[0]) else ""


def _check_any(runs: Runs, store: Store, query: str) -> None:
    if not len(runs):
        what = f"no run fits {query!r}" if query else "no run"
        raise UsageError(f"{what} in {str(store.root)!r}: there is nothing to report")
