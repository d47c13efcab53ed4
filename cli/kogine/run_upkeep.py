"""``kogine runs rm``, ``restore``, ``gc``, ``verify`` and ``stop``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import click
from kogine.command import Command
from kogine.command_with_script import chosen_format
from kogine.options import flag
from kogine.report import print_answer, print_rows
from kogine.run_compare import chosen_runs, runs_argument
from kogine.runs import RunCommand, run_argument, table_options, where_option

from kohaku_ast.errors import UsageError

_MOST_NAMED = 3
"""Runs that the command to restore them names; of more it says ``--all``."""


@click.command(
    cls=Command,
    usage="RUN ... | --where QUERY",
    examples=("kogine runs rm 3 4", "kogine runs rm --where 'status == \"failed\"'"),
)
@runs_argument
@where_option
@flag("--force", group="Runs", help="Also runs that may still be running on another machine.")
@table_options
def rm(
    names: tuple[str, ...], where: str, force: bool, store: str, **form: Any
) -> Callable[[], int]:
    """Remove runs. Their folders stay in the store until kogine runs gc deletes them; until then
    kogine runs restore brings them back.
    """
    from kogine.run_tables import store_of  # completion does without

    opened = store_of(store)
    runs = chosen_runs(opened, names, where, "kogine runs rm RUN ... | --where QUERY")
    removed = opened.remove(runs, force)
    back = " ".join(removed) if len(removed) <= _MOST_NAMED else "--all"
    option = f" --store {shlex.quote(store)}" if store else ""
    lines = [f"{_counted(len(removed))} removed."]
    lines += [f"To get back: kogine runs restore{option} {back}"] if removed else []
    return _prints_runs(form, lines, removed)


@click.command(
    cls=Command,
    usage="RUN ... | --where QUERY | --all",
    examples=("kogine runs restore 20261121T124453.143Z-b374678d", "kogine runs restore --all"),
)
@runs_argument
@where_option
@flag("--all", "everything", group="Runs", help="All removed runs.")
@table_options
def restore(
    names: tuple[str, ...], where: str, everything: bool, store: str, **form: Any
) -> Callable[[], int]:
    """Bring back runs that kogine runs rm has removed. RUN is the id of a run, or the start of it,
    or its number among the removed ones.
    """
    from kogine.run_tables import store_of  # completion does without

    opened = store_of(store)
    usage = "kogine runs restore RUN ... | --where QUERY | --all"
    if everything and (names or where):
        raise UsageError(f"--all and a choice are given: {usage}")
    gone = opened.removed
    runs = gone.runs() if everything else chosen_runs(gone, names, where, usage)
    restored = opened.restore(runs)
    return _prints_runs(form, [f"{_counted(len(restored))} restored."], restored)


@click.command(cls=Command, examples=("kogine runs gc --dry-run", "kogine runs gc"))
@flag("--dry-run", group="Options", help="Print what would be freed; free nothing.")
@table_options
def gc(dry_run: bool, store: str, **form: Any) -> Callable[[], int]:
    """Delete removed runs for good, and the texts and artifacts that no other run refers to."""
    from kogine.run_tables import store_of  # completion does without

    from kohaku_ast.display.text import short_size

    freed = store_of(store).collect(dry_run)
    done = "would be freed" if dry_run else "freed"
    objects = f"{freed.objects} object{'' if freed.objects == 1 else 's'}"
    what = f"{_counted(freed.runs)} and {objects}"
    text = f"{freed.size} bytes ({short_size(freed.size)}) {done}: {what}."
    columns = ("runs", "objects", "size")
    row = {one: getattr(freed, one) for one in columns}
    shape = chosen_format(form)
    return lambda: print_answer(shape, [text], columns, [row])


@click.command(cls=Command, examples=("kogine runs verify", "kogine runs verify --json"))
@table_options
def verify(store: str, **form: Any) -> Callable[[], int]:
    """Check every text, value and artifact that runs have kept by its hash; name those that are
    damaged or missing, and end with status 1 if there is one. A new run that keeps the same content
    mends it.
    """
    from kogine.run_tables import store_of  # completion does without

    shape, found = chosen_format(form), store_of(store).verify()
    columns = ("name", "problem", "sha256", "runs")
    rows = [{one: getattr(each, one) for one in columns} for each in found.damaged]
    cells = {"sha256": lambda one: str(one)[:12], "runs": lambda names: " ".join(names)}
    empty = f"{found.objects} object{'' if found.objects == 1 else 's'}, all of them whole."
    return lambda: print_rows(shape, columns, rows, cells, empty) or int(bool(rows))


@click.command(
    cls=RunCommand, usage="RUN", examples=("kogine runs stop last", "kogine runs stop 7 --flow")
)
@run_argument
@flag("--flow", "whole_flow", group="Runs", help="End the whole flow of the run.")
@table_options
def stop(run: str, whole_flow: bool, store: str, **form: Any) -> Callable[[], int]:
    """End a run that is under way, with its child processes, by SIGTERM; the other runs of its flow
    go on. A run in the process of its flow ends with the flow. Status 1 if it has not ended after
    ten seconds.
    """
    from kogine.run_tables import store_of  # completion does without

    opened = store_of(store)
    shape, record = chosen_format(form), opened.find(run)
    name, has_ended = record.folder.name, opened.stop(record, whole_flow)
    line = f"{name} has ended." if has_ended else f"{name} has SIGTERM, and has not ended yet."
    columns, row = ("id", "ended"), {"id": name, "ended": has_ended}
    return lambda: print_answer(shape, [line], columns, [row]) or int(not has_ended)


def _counted(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _prints_runs(
    form: dict[str, Any], lines: Sequence[str], ids: Sequence[str]
) -> Callable[[], int]:
    shape = chosen_format(form)
    return lambda: print_answer(shape, lines, ("id",), [{"id": one} for one in ids])
