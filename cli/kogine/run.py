"""``kogine run``: run a script with other values. On the warm path."""

from __future__ import annotations

import os

from kogine.reader import Arguments, read

from kohaku_ast.errors import UsageError
from kohaku_ast.hidden import hidden
from kohaku_ast.runner.launch import Launch, plain_python
from kohaku_ast.runner.module_launch import find_launch
from kohaku_ast.runner.process import become

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


_WITHOUT_EFFECT = {"--as-is", "--no-record", "--no-metrics"}
"""Flags that change nothing of a single run without overrides."""


def run(arguments: list[str]) -> Callable[[], int]:
    """Read and check everything; what comes back runs the script."""
    read_ = read(arguments)
    if not read_.script:
        raise UsageError("no script given: kogine run SCRIPT [TARGET=VALUE ...] [-- ARGS ...]")
    if "--inspect" in read_.flags:
        from kogine.inspect import inspect

        return inspect(read_)
    return _start(read_)


def _start(read_: Arguments) -> Callable[[], int]:
    path, function = split_function(read_.script)
    launch = find_launch(path, read_.argv, read_.is_module)
    entrypoint = read_.value("--entrypoint") or function
    if read_.joined:
        read_.leave_to(launch.data)
    # The script may mark its entrypoint with `@kohaku_ast.entrypoint`.
    asked = read_.sets or read_.values or entrypoint or read_.flags - _WITHOUT_EFFECT
    is_plain = not (asked or b"kohaku_ast" in launch.data)
    if is_plain:
        return _unchanged(launch)
    from kogine.changed import changed  # a plain run does without

    return changed(launch, read_, entrypoint)


def split_function(script: str) -> tuple[str, str]:
    """``"train.py:main"`` -> ``("train.py", "main")``."""
    path, colon, name = script.rpartition(":")
    if colon and name.isidentifier() and not os.path.exists(script) and os.path.exists(path):
        return path, name
    return script, ""


def _unchanged(launch: Launch) -> Callable[[], int]:
    """The script as it is: the compiler sees the same bytes as under plain Python."""

    @hidden
    def start() -> int:
        try:
            code = launch.compile()
        except (SyntaxError, ValueError):
            return plain_python(launch)
        become(launch, [code], {})
        return 0

    return start
