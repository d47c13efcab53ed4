"""What ``transform`` and ``freeze`` are asked: the script, and the values by full target."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kogine.overrides import binder_of, merge_configs
from kogine.reader import Arguments
from kogine.run import split_function

from kohaku_ast.errors import UsageError
from kohaku_ast.runner.module_launch import find_launch
from kohaku_ast.transform.program import Program
from kohaku_ast.transform.request import Request
from kohaku_ast.transform.source import Source, decode


@dataclass(frozen=True)
class Asked:
    """A command line with a script, read and checked as ``kogine run`` would."""

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


def ask(read_: Arguments, command: str) -> Asked:
    """Read the script and the values; raises SyntaxError, and what ``kogine run`` refuses."""
    path, function = split_function(read_.script)
    launch = find_launch(path, (), read_.is_module)
    config = merge_configs(read_.values.get("--config", []), command)
    binder = binder_of(launch, read_, read_.value("--entrypoint") or function)
    bound = binder.bind(config)
    return Asked(
        path=path,
        data=launch.data,
        source=decode(launch.data, launch.filename, launch.path0, launch.package),
        request=binder.request(config),
        program=bound.program,
        values=bound.prepared.given.values,
        added=bound.names,
        argv=read_.argv or bound.argv[1:],
    )


def show_syntax_error(error: SyntaxError) -> int:
    """Print *error* as Python does for a script; the exit status."""
    sys.__excepthook__(type(error), error.with_traceback(None), None)
    return 2


def need_script(read_: Arguments, command: str) -> None:
    """Raise UsageError if the command line names no script."""
    if not read_.script:
        raise UsageError(f"no script given: kogine {command} SCRIPT [TARGET=VALUE ...]")


def shown_path(path: str) -> str:
    """*path* as a diff writes it: below the working folder, else the name alone."""
    normal = os.path.normpath(path)
    is_below = not os.path.isabs(normal) and not normal.startswith(os.pardir)
    return normal.replace(os.sep, "/") if is_below else os.path.basename(normal)
