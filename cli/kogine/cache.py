"""``kogine cache``: what the caches of Programs and of pipelines hold; check and remove it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from kogine.command import Command, Group
from kogine.command_with_script import CommandWithScript, chosen_format
from kogine.flow_options import inputs_option
from kogine.options import (
    TABLE_FORMATS,
    Age,
    Decorator,
    ScriptFile,
    Size,
    flag,
    format_options,
    option,
    value_options,
)
from kogine.report import print_answer, print_rows
from kogine.runs import store_option
from kogine.script_command import ScriptCommand

from kohaku_ast.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from kohaku_ast.cache.cache_files import CacheFile, StoredCache
    from kohaku_ast.pipeline.pipeline import Pipeline

cache = Group(
    "cache",
    what="cache command",
    help="Show, explain, check and remove what is cached.",
    examples=("kogine cache ls", "kogine cache gc --older 30d --dry-run"),
    places={
        "ls": ("kogine.cache:ls", "List what the caches hold."),
        "why": ("kogine.cache:why", "Say whether a run would be left out, or a node, and why."),
        "rm": ("kogine.cache:rm", "Remove what is cached of a script, of a node or of a key."),
        "gc": ("kogine.cache:gc", "Remove what was not used for long, or is too much."),
        "verify": ("kogine.cache:verify", "Check every file; status 1 if one is damaged."),
    },
)

_folders: Decorator = option(
    "--folder",
    "folders",
    group="Caches",
    type=click.Path(),
    metavar="FOLDER",
    multiple=True,
    help="Only the cache in this folder, the one given to DiskCache or KOGINE_CACHE. Without it: "
    "that of Programs, and those of pipelines in the working folder.",
)
_formats = format_options("Output", TABLE_FORMATS)
_dry_run = flag("--dry-run", group="Output", help="Print what would be removed; remove nothing.")


@click.command(
    cls=Command,
    examples=("kogine cache ls", "kogine cache ls --folder results --format csv"),
)
@_folders
@_formats
def ls(folders: tuple[str, ...], **form: Any) -> Callable[[], int]:
    """List what the caches hold, and when it was last used."""
    from kohaku_ast.cache.cache_files import cache_row  # completion does without

    shape = chosen_format(form)
    files = [file for _, found in _contents(folders) for file in found]
    columns = ("name", "kind", "where", "key", "size", "used", "cache")
    return lambda: print_rows(
        shape, columns, [*map(cache_row, files)], _cells(), "The caches are empty."
    )


@click.command(
    cls=CommandWithScript,
    names_runs=True,
    usage="SCRIPT|RUN|FLOW.py[:NAME] [TARGET=VALUE ...] [-- ARGS ...]",
    examples=(
        "kogine cache why train.py lr=0.1",
        "kogine cache why last",
        "kogine cache why flow.py n=4 --node total",
    ),
)
@click.argument("script", type=ScriptFile(), required=False)
@value_options
@inputs_option
@option("--artifacts", group="Values", metavar="GLOB", multiple=True, help="As for the run.")
@flag("--run-dir", group="Values", help="As for the run: in the folder for its files.")
@option("--node", group="Output", metavar="NODE", help="Of a pipeline this node alone.")
@store_option
@_formats
def why(command: ScriptCommand) -> Callable[[], int]:
    """Say whether --cached would leave out the run of a script, or of a recorded RUN, and which
    part of its key has changed; of a pipeline, which nodes would run, and why. Nothing runs.
    """
    from kogine.cache_why import explain_script, is_pipeline
    from kogine.pipeline_file import with_pipeline  # completion does without

    if not is_pipeline(command):
        return explain_script(command)
    return with_pipeline(command, lambda pipeline: _explain(pipeline, command))


@click.command(
    cls=Command,
    usage="NAME ... | --all",
    examples=("kogine cache rm train.py", "kogine cache rm 3f2a99 --folder results"),
)
@click.argument("names", nargs=-1)
@flag("--all", "everything", group="Options", help="Remove everything in these caches.")
@_folders
@_dry_run
@_formats
def rm(
    names: tuple[str, ...], everything: bool, folders: tuple[str, ...], dry_run: bool, **form: Any
) -> Callable[[], int]:
    """Remove what is cached of NAME: a script, a node, or (the start of) a key that ls shows."""
    if bool(names) == everything:
        raise UsageError("name what to remove, or everything: kogine cache rm NAME ... | --all")
    found = _contents(folders)
    all_files = [file for _, files in found for file in files]
    for name in names:
        if not any(file.is_named(name) for file in all_files):
            known = {file.name for file in all_files if file.name}
            raise UsageError(f"nothing is cached of {name!r}.{did_you_mean(name, known)}")
    doomed = [
        file for file in all_files if everything or any(file.is_named(name) for name in names)
    ]
    return _remove(found, doomed, dry_run, chosen_format(form))


@click.command(
    cls=Command,
    examples=("kogine cache gc --older 30d", "kogine cache gc --to 1GB --dry-run"),
)
@option(
    "--older", group="Limits", type=Age(), help="Remove what was not used for so long: 30d, 12h."
)
@option(
    "--to",
    group="Limits",
    type=Size(),
    help="Then remove what was not used for longest, until all caches together have this size.",
)
@_folders
@_dry_run
@_formats
def gc(
    older: float | None, to: int | None, folders: tuple[str, ...], dry_run: bool, **form: Any
) -> Callable[[], int]:
    """Remove what was not used for long, or is too much. Files that killed processes left
    unfinished, and damaged ones, are removed in any case.
    """
    from kohaku_ast.cache.cache_files import abandoned, over_limit, too_old  # as for ls

    found = _contents(folders)
    files = [file for _, each in found for file in each]
    doomed = {*abandoned(files), *(file for file, _ in _damaged(found))}
    if older is not None:
        doomed.update(too_old(files, older))
    if to is not None:
        doomed.update(over_limit([file for file in files if file not in doomed], to))
    chosen = [file for file in files if file in doomed]
    return _remove(found, chosen, dry_run, chosen_format(form))


@click.command(
    cls=Command,
    examples=("kogine cache verify", "kogine cache verify --folder results --json"),
)
@_folders
@_formats
def verify(folders: tuple[str, ...], **form: Any) -> Callable[[], int]:
    """Check every file of the caches by its checksum, name the damaged ones, and end with status 1
    if there is one. A damaged file is no danger: kogine never uses it.
    """
    from kohaku_ast.cache.cache_files import cache_row  # completion does without

    shape = chosen_format(form)
    found = _contents(folders)
    count = sum(len(files) for _, files in found)
    rows = [
        {**cache_row(file), "file": file.file, "problem": text} for file, text in _damaged(found)
    ]
    columns = ("file", "kind", "name", "problem", "cache")
    empty = f"{_counted(count)}, all of them whole."
    return lambda: print_rows(shape, columns, rows, _cells(), empty) or (1 if rows else 0)


_Contents = Sequence[tuple["StoredCache", list["CacheFile"]]]
"""Each cache with its files."""


def _contents(folders: Sequence[str]) -> _Contents:
    from kohaku_ast.cache.cache_files import find_caches  # completion does without

    return [(one, one.files()) for one in find_caches(folders)]


def _damaged(found: _Contents) -> list[tuple[CacheFile, str]]:
    """Each damaged file and what is wrong with it."""
    pairs = [(file, stored.damage(file)) for stored, files in found for file in files]
    return [(file, text) for file, text in pairs if text]


def _cells() -> dict[str, Callable[[Any], str]]:
    from kohaku_ast.display.text import short_size  # completion does without

    return {"key": lambda key: str(key)[:10], "size": short_size, "used": _ago}


def _ago(used: str) -> str:
    from datetime import datetime

    from kohaku_ast.display.text import short_time

    return f"{short_time(time.time() - datetime.fromisoformat(used).timestamp())} ago"


def _counted(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _remove(
    found: _Contents, doomed: Sequence[CacheFile], dry_run: bool, form: str
) -> Callable[[], int]:
    """Remove *doomed* now; the result prints what was removed."""
    from kohaku_ast.display.text import short_size

    chosen, lines, rows = {*doomed}, [], []
    done = "would be removed" if dry_run else "removed"
    for stored, files in found:
        own = [file for file in files if file in chosen]
        if own and not dry_run:
            stored.remove(own)
        if own:
            size = sum(file.size for file in own)
            lines.append(f"{stored.shown}: {_counted(len(own))} {done}, {short_size(size)}")
            rows.append({"cache": stored.shown, "files": len(own), "size": size})
    lines = lines or ["Nothing to remove."]
    return lambda: print_answer(form, lines, ("cache", "files", "size"), rows)


def _explain(pipeline: Pipeline, command: ScriptCommand) -> None:
    """Print the report of ``explain_cache`` for the inputs of *command*."""
    from kogine.pipeline_file import input_values, wanted_outputs  # completion does without

    report = pipeline.explain_cache(
        input_values(pipeline, command), wanted_outputs(pipeline, command)
    )
    node = command.option("node")
    names = [row.node for row in report.rows]
    if node and node not in names:
        raise UsageError(f"no node {node!r} takes part.{did_you_mean(node, names)}")
    rows = [
        {"node": row.node, "state": row.state, "why": row.why, "key": row.key}
        for row in report.rows
        if node in (None, row.node)
    ]
    form = {name: command.option(name) for name in ("format", "json")}
    shape = chosen_format(form)
    columns = ("node", "state", "why") if shape == "table" else ("node", "state", "why", "key")
    if print_rows(shape, columns, rows, {}):
        sys.exit(1)
