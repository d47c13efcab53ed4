"""``kogine runs export``: recorded runs in the formats of other tools."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from kogine.command import Choice, Command
from kogine.command_with_script import chosen_format
from kogine.options import flag, output_options
from kogine.report import Output, print_answer
from kogine.run_compare import chosen_runs, runs_argument
from kogine.runs import table_options, where_option

from kohaku_ast.errors import UsageError
from kohaku_ast.store.store import EXPORTS, HANDED_OVER, WITH_FILES

if TYPE_CHECKING:
    from kohaku_ast.store.store import Runs, Store

_SHORT = {"--dvc": "dvc", "--lfs": "lfs"}

_USAGE = f"{'|'.join(EXPORTS)} RUN ... | --where QUERY"


class ExportCommand(Command):
    """``--dvc`` and ``--lfs`` are other ways to write the first operand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does."""
        kinds = [_SHORT[one] for one in dict.fromkeys(args) if one in _SHORT]
        if len(kinds) > 1:
            raise UsageError("--dvc and --lfs: take one away; DVC keeps its files out of git")
        return super().parse_args(ctx, [one for one in kinds if one not in args] + args)


@click.command(
    cls=ExportCommand,
    usage=_USAGE,
    examples=(
        "kogine runs export csv --where 'lr > 0.1' -o runs.csv",
        "kogine runs export parquet 3 4 last -o runs.parquet",
        "kogine runs export config last -o cfg.py",
        "kogine runs export mlflow --where 'lr > 0.1' -o tracking",
        "kogine runs export artifacts last -o kept",
        "kogine runs export --dvc 3 4 -o models",
    ),
)
@click.argument("kind", type=Choice(EXPORTS), required=False)
@runs_argument
@where_option
@flag("--dvc", group="Output", help="The same as dvc: artifacts with .dvc files, in DVC's cache.")
@flag("--lfs", group="Output", help="The same as lfs: artifacts, and their lines for Git LFS.")
@output_options
@table_options
def export(
    kind: str | None,
    names: tuple[str, ...],
    where: str,
    output: str | None,
    force: bool,
    store: str,
    **others: Any,
) -> Callable[[], int]:
    """Write runs as csv, json or parquet; or one run as a Python config that needs nothing else and
    gives the same run; or as runs of MLflow, in a folder or at a URI; or as event
    files of TensorBoard, in a folder; or their artifacts, in a folder, also for DVC or Git LFS.
    --format is that of what kogine prints about it: where each run was written.
    """
    from kogine.run_tables import store_of  # completion does without

    usage = f"kogine runs export {_USAGE}"
    if kind is None:
        raise UsageError(f"no format given: {usage}")
    target = Output(output, force)
    if kind == "parquet" and not target.path and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("a Parquet file is not for a terminal: add -o FILE")
    if any(map(others.get, ("format", "json"))) and not target.path and kind not in HANDED_OVER:
        raise UsageError(f"the {kind} itself is printed: --format needs -o FILE")
    opened = store_of(store)
    runs = chosen_runs(opened, names, where, usage)
    shape = chosen_format(others)
    if kind in HANDED_OVER:
        if force and kind not in WITH_FILES:
            raise UsageError(f"--force has no effect with {kind}: runs that are there are updated")
        done = opened.export(runs, target.path, kind, force=force)
        return lambda: _print_places(runs, kind, _place(opened, kind, target.path), shape, [done])
    written = target.deliver(opened.exported(runs, kind, target.path), "")
    if not target.path:
        return written
    return lambda: written() or _print_places(runs, kind, target.path, shape, [])


def _place(store: Store, kind: str, path: str) -> str:
    if kind != "mlflow":
        return path
    from kohaku_ast.exports.mlflow import address_of

    return address_of(path, store.root).uri


def _print_places(runs: Runs, kind: str, place: str, form: str, lines: list[str]) -> int:
    """Print *lines*, or the kind and the file, folder or address of each run."""
    has_folders = kind in HANDED_OVER and kind != "mlflow"
    rows = [
        {"id": one.id, "kind": kind, "path": os.path.join(place, one.id) if has_folders else place}
        for one in runs.summaries
    ]
    return print_answer(form, lines, ("id", "kind", "path"), rows)
