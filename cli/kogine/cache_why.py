"""``kogine cache why`` for scripts: which part of the key of a result has changed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kogine.command_with_script import chosen_format
from kogine.report import explain_script_error, print_rows, printing
from kogine.run_tables import store_of
from kogine.script_command import ScriptCommand, binder_of, find_script, merge_configs

from kohaku_ast.config.config import Config
from kohaku_ast.errors import SourceError, UsageError, visible
from kohaku_ast.flow.repeated_run import launch_today
from kohaku_ast.flow.settings import REPEAT
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.launch import Launch, split_function
from kohaku_ast.store.own_modules import own_files
from kohaku_ast.store.pipeline_record import PIPELINE
from kohaku_ast.store.reproduce import naming_damage, values_for
from kohaku_ast.store.result_key import Change, Explanation, explain
from kohaku_ast.store.run_diff import text_changes
from kohaku_ast.store.sources import Objects

if TYPE_CHECKING:
    from kohaku_ast.store.record import Record
    from kohaku_ast.store.store import Store

_COLUMNS = ("part", "name", "before", "now")
_OF_PIPELINES = re.compile(rb"\bkohaku_ast\b.*\bPipeline\b", re.DOTALL)
_OF_SCRIPTS = (
    "config", "add", "as_is", "entrypoint", "inputs", "artifacts", "run_dir", "store",
)  # fmt: skip
"""Options without effect for a pipeline."""


def is_pipeline(command: ScriptCommand) -> bool:
    """Whether its operand is a file that defines a pipeline, or imports one from a module of the
    user's. Nothing of it runs. UsageError for options that are not for pipelines, if it is.
    """
    path = split_function(command.script)[0]
    if command.is_module or not os.path.isfile(path):
        return False
    if not path.endswith(".toml") and not _mentions_pipelines(Launch(path)):
        if "node" in command.options:
            raise UsageError(f"--node is for pipelines, and {path} defines none")
        return False
    for name in _OF_SCRIPTS:
        if name in command.options:
            shown = name.replace("_", "-")
            raise UsageError(f"--{shown} is for scripts, and {path} defines a pipeline")
    return True


def _mentions_pipelines(launch: Launch) -> bool:
    """Whether the script, or a module of the user's that it imports, has a word of pipelines."""
    texts = (Path(file).read_bytes() for file, digest in own_files(launch).values() if digest)
    return any(_OF_PIPELINES.search(one) for one in (launch.data, *texts))


def explain_script(command: ScriptCommand) -> Callable[[], int]:
    """The function that says whether the run of *command* would be left out, and if not, why."""
    form = {name: command.option(name) for name in ("format", "json")}
    shape, store = chosen_format(form), store_of(command.option("store", ""))
    record = None if _names_script(command) else store.find(command.script)
    if record is not None and record.facts.get("kind") == PIPELINE:
        raise UsageError(
            f"{record.folder.name} is a run of a pipeline: kogine cache why {record.script} "
            "INPUT=VALUE says which of its nodes would run"
        )
    try:
        bound, inputs = _of_command(command) if record is None else _of_record(record, command)
    except (SyntaxError, ValueError, SourceError) as error:
        if isinstance(error, UsageError):
            raise
        launch = find_script(command)[0] if record is None else launch_today(record)
        return explain_script_error(launch, error)
    in_run_dir = "run_dir" in command.options or bool(record and record.facts.get("in_run_dir"))
    repeat = (bound.config or Config()).metadata.get("repeat")
    own = {} if repeat is None else {REPEAT: str(repeat)}
    patterns = (*command.option("artifacts", ()), *(bound.config or Config()).artifacts)
    if record is not None:
        patterns += tuple(record.facts.get("artifact_patterns") or ())
    found = explain(store.root, bound, inputs, own, in_run_dir, patterns)
    return lambda: _print(found, bound, store, shape)


def _names_script(command: ScriptCommand) -> bool:
    path = split_function(command.script)[0]
    return command.is_module or path == "-" or os.path.exists(path) or path.endswith(".py")


def _of_command(command: ScriptCommand) -> tuple[Bound, Sequence[str]]:
    """The script of *command* with its values, and the inputs that it declares."""
    launch, entrypoint = find_script(command)
    config = merge_configs(command.config_files, "cache why")
    bound = binder_of(launch, command, entrypoint, capture=True).bind(config)
    return bound, (*command.option("inputs", ()), *(config.inputs if config else ()))


def _of_record(record: Record, command: ScriptCommand) -> tuple[Bound, Sequence[str]]:
    """Today's script with the values of *record*, and others that *command* gives."""
    with naming_damage(record):
        given = {one.target for one in command.overrides}
        launch = launch_today(record)
        config = values_for(record, Objects(record.folder.parent.absolute()), launch, given)
    entry = str(record.facts["script"].get("entrypoint") or "")
    bound = Binder(launch, list(command.overrides), entry, capture=True).bind(config)
    recorded = [str(one["path"]) for one in record.facts.get("inputs") or ()]
    return bound, (*recorded, *command.option("inputs", ()))


# --- output --------------------------------------------------------------------------------------


@printing
def _print(found: Explanation, bound: Bound, store: Store, shape: str) -> int:
    rows = [dict(zip(_COLUMNS, one)) for one in found.changes]
    if shape == "json":
        from kohaku_ast.display.text import json_text

        document = {"state": found.state, "run": found.run, "changes": rows}
        sys.stdout.write(json_text(document))
        return 0
    if shape == "csv":
        return print_rows(shape, _COLUMNS, rows, {})
    sys.stdout.write(f"{visible(_headline(found))}\n")
    if rows and found.run:
        cells = dict.fromkeys(("before", "now"), _cell)
        print_rows(shape, _COLUMNS, rows, cells)
        objects = Objects(store.root.absolute())
        for one in found.changes:
            sys.stdout.write(_text_diff(one, bound, objects))
    return 0


def _headline(found: Explanation) -> str:
    if not found.run:
        failed = "; it has failed, and failures are never cached" if found.has_failed else ""
        return f"would run: it never ran successfully{failed}"
    if found.state == "cached":
        return f"would be cached from {found.run}"
    return f"would run: changed since {found.run}, the nearest run that succeeded"


_MOST_TEXT = 60


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(visible(str(value)).split())
    if re.fullmatch("[0-9a-f]{64}", text):
        return text[:12]
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _text_diff(one: Change, bound: Bound, objects: Objects) -> str:
    """The changed lines of a script or a module; empty if one of the two texts is not there."""
    if one.part not in ("script", "module") or not (one.before and one.now):
        return ""
    before, now = objects.get(one.before), _text_now(one, bound)
    if before is None or now is None:
        return ""
    lines = text_changes(before, now, f"{one.name} then", f"{one.name} now").splitlines()
    return "".join(f"{visible(line)}\n" for line in lines)


def _text_now(one: Change, bound: Bound) -> bytes | None:
    if one.part == "script":
        return bound.launch.data
    try:
        return Path(one.file).read_bytes()
    except OSError:
        return None
