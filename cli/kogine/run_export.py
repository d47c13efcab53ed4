"""``kogine runs export``: recorded runs in the formats of other tools."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click
from kogine.command import Choice, Command
from kogine.options import output_options
from kogine.report import Output, print_bytes
from kogine.run_compare import chosen_runs, runs_argument
from kogine.runs import store_option, where_option

from kohaku_ast.errors import UsageError
from kohaku_ast.store.store import EXPORTS, HANDED_OVER

_USAGE = f"{'|'.join(EXPORTS)} RUN ... | --where QUERY"


@click.command(
    cls=Command,
    usage=_USAGE,
    examples=(
        "kogine runs export csv --where 'lr > 0.1' -o runs.csv",
        "kogine runs export parquet 3 4 last -o runs.parquet",
        "kogine runs export config last -o cfg.py",
        "kogine runs export mlflow --where 'lr > 0.1' -o tracking",
    ),
)
@click.argument("kind", type=Choice(EXPORTS), required=False)
@runs_argument
@where_option
@output_options
@store_option
def export(
    kind: str | None,
    names: tuple[str, ...],
    where: str,
    output: str | None,
    force: bool,
    store: str,
) -> Callable[[], int]:
    """Write runs as csv, json or parquet; or one run as a Python config that needs nothing else and
    gives the same run; or as runs of MLflow, in a folder or at a URI; or as event
    files of TensorBoard, in a folder.
    """
    from kogine.run_tables import store_of  # completion does without

    usage = f"kogine runs export {_USAGE}"
    if kind is None:
        raise UsageError(f"no format given: {usage}")
    target = Output(output, force)
    if kind == "parquet" and not target.path and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("a Parquet file is not for a terminal: add -o FILE")
    opened = store_of(store)
    runs = chosen_runs(opened, names, where, usage)
    if kind in HANDED_OVER:
        if force:
            raise UsageError(f"--force has no effect with {kind}: runs that are there are updated")
        done = f"{opened.export(runs, target.path, kind)}\n".encode()
        return lambda: print_bytes(done)
    data = opened.exported(runs, kind, target.path)
    return target.deliver(data, "")
