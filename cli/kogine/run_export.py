"""``kogine runs export``: recorded runs in the formats of other tools."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click
from kogine.command import Choice, Command
from kogine.options import flag, output_options
from kogine.report import Output, print_bytes
from kogine.run_compare import chosen_runs, runs_argument
from kogine.runs import store_option, where_option

from kohaku_ast.errors import UsageError
from kohaku_ast.store.store import EXPORTS, HANDED_OVER, WITH_FILES

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
@store_option
def export(
    kind: str | None,
    names: tuple[str, ...],
    where: str,
    output: str | None,
    force: bool,
    store: str,
    **_: bool,
) -> Callable[[], int]:
    """Write runs as csv, json or parquet; or one run as a Python config that needs nothing else and
    gives the same run; or as runs of MLflow, in a folder or at a URI; or as event
    files of TensorBoard, in a folder; or their artifacts, in a folder, also for DVC or Git LFS.
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
        if force and kind not in WITH_FILES:
            raise UsageError(f"--force has no effect with {kind}: runs that are there are updated")
        done = f"{opened.export(runs, target.path, kind, force=force)}\n".encode()
        return lambda: print_bytes(done)
    data = opened.exported(runs, kind, target.path)
    return target.deliver(data, "")
