"""``kogine transform`` and ``kogine freeze``: the text of a script with other values in it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import click
from kogine.command_with_script import CommandWithScript
from kogine.options import (
    ScriptFile,
    assignments,
    configs,
    entrypoint,
    flag,
    literals,
    module,
    new_globals,
    output_options,
)
from kogine.report import Output, print_bytes
from kogine.script_command import ScriptCommand, binder_of, merge_configs, start_of

from kohaku_ast.errors import FreezeError, UsageError, label
from kohaku_ast.notebook.notebook_text import is_notebook, read_notebook
from kohaku_ast.runner.launch import split_function
from kohaku_ast.transform.edit.freeze import difference, in_bytes, request_all, transformed_text
from kohaku_ast.transform.edit.freeze import freeze as frozen_text
from kohaku_ast.transform.find.source import Source, decode, read_bytes
from kohaku_ast.transform.program.bound_program import Prepared
from kohaku_ast.transform.program.program import Program, Request

_USAGE = "SCRIPT [TARGET=VALUE ...]"


@dataclass(frozen=True)
class ScriptText:
    """A script with its values, read and checked as ``kogine run`` would."""

    #: The script as the user wrote it.
    path: str
    data: bytes
    source: Source
    request: Request
    program: Program
    #: Full target -> value.
    values: Mapping[str, object]
    #: Globals that the script does not define.
    added: Mapping[str, object]
    #: What ``sys.argv[1:]`` would be.
    argv: Sequence[str]


def read_script(command: ScriptCommand, name: str) -> ScriptText:
    """The script and the values of *command*, which is ``kogine`` *name*.

    Raises SyntaxError, and the KogineErrors of ``kogine run``.
    """
    path, function = split_function(command.script)
    launch = start_of(path, (), command.is_module)
    config = merge_configs(command.config_files, name)
    binder = binder_of(launch, command, command.option("entrypoint") or function)
    bound = binder.bind(config)
    _refuse_modules(bound.prepared, launch.shown, name)
    return ScriptText(
        path=path,
        data=launch.data,
        source=decode(launch.data, launch.filename, launch.path0, launch.package),
        request=binder.request(config),
        program=bound.program,
        values=bound.text_values(),
        added=bound.names,
        argv=command.argv or bound.argv[1:],
    )


def _refuse_modules(prepared: Prepared, script: str, name: str) -> None:
    """Raise UsageError for values of a module: they belong into its own file."""
    late = prepared.later.targets() if prepared.later is not None else []
    for target in late:
        raise UsageError(
            f"{target!r} is in a module that only the running script finds, and kogine {name} "
            f"writes the text of {script} alone"
        )
    for place, (file, given) in prepared.modules.items():
        for target in given.values:
            raise UsageError(
                f"'{place}.{target}' is in {file}, and kogine {name} writes the text of {script} "
                f"alone: kogine {name} {os.path.relpath(file)} {target}=VALUE"
            )


@click.command(
    cls=CommandWithScript,
    usage=_USAGE,
    runs=False,
    examples=("kogine transform train.py lr=0.1 --diff", "kogine transform train.py -c cfg.py"),
)
@click.argument("script", type=ScriptFile(), required=False)
@flag("--diff", group="Output", help="Show a unified diff against the script.")
@assignments
@configs
@literals
@entrypoint
@module
def transform(command: ScriptCommand) -> Callable[[], int]:
    """Print the rewritten source that run compiles."""
    if command.argv:
        raise UsageError("transform runs nothing: leave out '--' and what follows it")
    text = _transformed(read_script(command, "transform"), command)
    return lambda: print_bytes(text)


def _transformed(script: ScriptText, command: ScriptCommand) -> bytes:
    is_specific = bool(command.overrides or command.options.keys() - {"diff", "as_is"})
    request = script.request if is_specific else request_all(script.source)
    text = transformed_text(script.source, request)
    if "diff" in command.options:
        return difference(script.source, text, _path_in_diff(script.path), script.data)
    return in_bytes(text, script.source, script.data)


def _path_in_diff(path: str) -> str:
    """*path* as a diff writes it: below the working folder, else the name alone."""
    normal = os.path.normpath(path)
    is_below = not os.path.isabs(normal) and not normal.startswith(os.pardir)
    return normal.replace(os.sep, "/") if is_below else os.path.basename(normal)


@click.command(
    cls=CommandWithScript,
    usage=_USAGE,
    runs=False,
    examples=(
        "kogine freeze train.py lr=0.1 -o train_frozen.py",
        "kogine freeze train.py --config cfg.py -o train_frozen.py --force",
    ),
)
@click.argument("script", type=ScriptFile(), required=False)
@output_options
@assignments
@configs
@new_globals
@literals
@module
def freeze(command: ScriptCommand) -> Callable[[], int]:
    """Write a standalone script with the values in its definitions."""
    output = Output(command.option("output"), "force" in command.options)
    script = read_script(command, "freeze")
    _refuse_unwritable(script, command)
    text = frozen_text(script.source, script.request, script.values, script.added)
    data = in_bytes(text, script.source, script.data)
    if is_notebook(output.path):
        data = edited_notebook(script.path, text)
    deliver = output.deliver(data, script.path, like=script.path)
    _note_differences(script, output.path)
    return deliver


def edited_notebook(path: str, text: str) -> bytes:
    """The notebook at *path* with the values of *text*, without outputs. Raises UsageError for
    another file.
    """
    import json

    if not is_notebook(path):
        raise UsageError(f"{path!r} is no notebook: give -o a name that ends in .py")
    document = read_notebook(read_bytes(path), path).with_text(text)
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _refuse_unwritable(script: ScriptText, command: ScriptCommand) -> None:
    """Raise an error for what the text of a script cannot hold."""
    if script.request.entrypoint:
        raise UsageError(
            f"freeze writes values, not another entrypoint: give {script.path!r} instead of "
            f"{command.script!r}"
        )
    if script.program.entry_name and (script.request.args or script.request.kwargs):
        raise FreezeError(
            f"{script.path}: args and kwargs go to {script.program.entry_name!r}, which is marked "
            "as the entrypoint; plain Python does not call it. Override its defaults instead."
        )


def _note_differences(script: ScriptText, output: str) -> None:
    """Print on stderr in which way the frozen script differs from ``kogine run``."""
    if script.argv:
        _note(
            "arguments are not part of a script; run it as: "
            f"python {shlex.join([output or script.path, *script.argv])}"
        )
    if script.program.entry_name:
        _note(
            f"{script.program.entry_name!r} is marked as the entrypoint, which only 'kogine run' "
            "calls: plain Python runs the guard"
        )


def _note(text: str) -> None:
    sys.stderr.write(f"{label('note', sys.stderr)}{text}\n")
