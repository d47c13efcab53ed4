"""``kogine runs repeat`` and ``reproduce``: run a recorded run once more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from kogine.command_with_script import chosen_format
from kogine.options import File, option
from kogine.report import printing, report
from kogine.run_tables import store_of
from kogine.runs import RunCommand, run_argument, store_option, table_options
from kogine.script_command import is_assignment, split_override, typed_override

from kohaku_ast.errors import KogineError, UsageError, visible
from kohaku_ast.store.pipeline_record import PIPELINE

if TYPE_CHECKING:
    from kohaku_ast.pipeline.pipeline import Pipeline
    from kohaku_ast.runner.overrides import Override
    from kohaku_ast.store.record import Record
    from kohaku_ast.store.reproduce import Reproduction
    from kohaku_ast.store.store import Store


@click.command(
    cls=RunCommand,
    usage="RUN [TARGET=VALUE ...]",
    examples=("kogine runs repeat last", "kogine runs repeat 3 lr=0.2 'main(epochs)=50'"),
)
@run_argument
@click.argument("values", nargs=-1, metavar="[TARGET=VALUE ...]")
@store_option
@option("--new-store", group="Options", type=File("folder"), default="", hidden=True)
def repeat(run: str, values: tuple[str, ...], store: str, new_store: str) -> Callable[[], int]:
    """Run today's script with the values and arguments of a recorded run; others replace them."""
    from kogine.flow_run import FlowOptions, run_flow
    from kogine.repeat_command import repeat_command_of_run

    from kohaku_ast.flow.repeated_run import (
        in_run_dir,
        recorded_inputs,
        repeated_work,
        warn_of_secrets,
    )
    from kohaku_ast.flow.settings import FlowSettings

    for word in values:
        if not is_assignment(word):
            raise UsageError(f"{word!r} is no TARGET=VALUE: kogine runs repeat {repeat.usage}")
    record = store_of(store).find(run)
    given = [split_override(word)[0] for word in values]
    if record.facts.get("kind") == PIPELINE:
        root = os.path.abspath(new_store or record.folder.parent)
        return _repeat_pipeline(record, [typed_override(word) for word in values], root)
    work = repeated_work(record, [typed_override(word) for word in values], given)
    settings = FlowSettings(
        root=record.folder.parent,
        inputs=recorded_inputs(record),
        in_run_dir=in_run_dir(record),
        env=record.facts.get("env") or {},
    )
    options = FlowOptions(settings, is_json=False)
    warn_of_secrets(record)
    return lambda: run_flow([work], options, repeat_command_of_run, 1)


def _repeat_pipeline(record: Record, changed: Sequence[Override], root: str) -> Callable[[], int]:
    """Run today's pipeline with the inputs of *record*, but for those that are *changed*; its
    record goes below *root*.
    """
    from kogine.pipeline_file import (
        input_values,
        is_imperative,
        print_results,
        run_imperative,
        run_watched,
        with_pipeline,
    )
    from kogine.script_command import ScriptCommand

    from kohaku_ast.flow.repeated_run import launch_today
    from kohaku_ast.pipeline.run_record import recording_below
    from kohaku_ast.store.pipeline_record import pipeline_of
    from kohaku_ast.store.reproduce import naming_damage, values_of
    from kohaku_ast.store.sources import Objects

    with naming_damage(record):
        script, wanted = pipeline_of(record)
        launch_today(record)
        objects = Objects(record.folder.parent)
        values = values_of(record, objects, {one.target for one in changed}).globals_dict
        command = ScriptCommand((script,), changed, record.facts["argv"][1:])

    def run(pipeline: Pipeline) -> None:
        if is_imperative(pipeline):
            with recording_below(root):
                return run_imperative(pipeline, command, values, wanted)
        given = {**values, **input_values(pipeline, command)}
        pipeline.plan(given, wanted)  # an error comes before a progress bar is shown
        with recording_below(root):
            found = run_watched(pipeline, given, wanted, {})
        print_results(found)
        return None

    return with_pipeline(command, run)


@click.command(
    cls=RunCommand,
    usage="RUN",
    examples=("kogine runs reproduce 3", "kogine runs reproduce last --link data --link cfg.json"),
)
@run_argument
@option(
    "--link",
    group="Options",
    type=File("path"),
    multiple=True,
    help="A file or folder of data that the script reads; it appears in the new folder.",
)
@table_options
def reproduce(run: str, link: tuple[str, ...], store: str, **form: Any) -> Callable[[], int]:
    """Restore script, modules and values of a recorded run, run them, and compare the results."""
    found = store_of(store)
    record, shape = found.find(run), chosen_format(form)
    if shape == "csv":
        raise UsageError("the results are a table or JSON: --format table|json")
    return lambda: _reproduce(found, record, link, shape)


def _reproduce(store: Store, record: Record, link: Sequence[str], shape: str) -> int:
    try:
        found = store.reproduce(record, link=link, output=2 if shape == "json" else None)
    except KogineError as error:
        return report(error)
    failure = found.after and found.after.error
    if failure and failure.type == "FileNotFoundError" and not found.before.error:
        print(
            "kogine: the script lacks a file, which is no part of the record: name it, or its "
            f"folder: kogine runs reproduce {record.folder.name} --link PATH",
            file=sys.stderr,
        )
    unprinted = printing(_print_json if shape == "json" else _print_text)(found)
    return unprinted or int(not found.is_equal)


def _print_json(found: Reproduction) -> int:
    import json

    document = {
        "run": found.before.folder.name,
        "folder": str(found.folder),
        "equal": list(found.equal),
        "different": {name: list(pair) for name, pair in found.different.items()},
        "warnings": list(found.warnings),
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))
    return 0


def _print_text(found: Reproduction) -> int:
    for one in found.warnings:
        print(f"kogine: warning: {visible(one)}", file=sys.stderr)
    if found.after is None:
        text = f"the run in {found.folder} was not started, or its record could not be written"
        print(f"kogine: error: {text}", file=sys.stderr)
        return 0
    for name in found.equal:
        print(f"equal      {visible(name)}")
    for name, (before, now) in found.different.items():
        print(f"different  {visible(name)}: {visible(before)} -> {visible(now)}")
    print(f"folder     {visible(os.path.relpath(found.folder))}")
    return 0
