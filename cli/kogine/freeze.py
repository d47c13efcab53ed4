"""``kogine freeze``: a script with the values written into their definitions."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable

from kogine.asked import Asked, ask, need_script, show_syntax_error
from kogine.options import FREEZE_OPTIONS
from kogine.reader import Arguments, read
from kogine.written import check_output, print_bytes, write_atomically

from kohaku_ast.errors import FreezeError, UsageError
from kohaku_ast.transform.freeze import freeze as frozen_text
from kohaku_ast.transform.shown import in_bytes


def freeze(arguments: list[str]) -> Callable[[], int]:
    """Read and check everything; write the script or, with what comes back, print it."""
    read_ = read(arguments, FREEZE_OPTIONS)
    need_script(read_, "freeze")
    try:
        asked = ask(read_, "freeze")
    except SyntaxError as error:
        status = show_syntax_error(error)
        return lambda: status
    _refuse(asked, read_)
    text = frozen_text(asked.source, asked.request, asked.values, asked.added)
    data = in_bytes(text, asked.source, asked.data)
    output = read_.value("--output") or read_.value("-o")
    if output:
        check_output(output, asked.path, "--force" in read_.flags)
        write_atomically(output, data, like=asked.path)
    _note(asked, output)
    return lambda: 0 if output else print_bytes(data)


def _refuse(asked: Asked, read_: Arguments) -> None:
    """What a script cannot say of itself."""
    if asked.request.entrypoint:
        raise UsageError(
            f"freeze writes values, not another entrypoint: give {asked.path!r} instead of "
            f"{read_.script!r}"
        )
    if asked.program.entry_name and (asked.request.args or asked.request.kwargs):
        raise FreezeError(
            f"{asked.path}: args and kwargs go to {asked.program.entry_name!r}, which is marked "
            "as the entrypoint; plain Python does not call it. Override its defaults instead."
        )


def _note(asked: Asked, output: str) -> None:
    """On stderr, what the frozen script does not do as ``kogine run`` does."""
    if asked.argv:
        _say(
            "arguments are not part of a script; run it as: "
            f"python {shlex.join([output or asked.path, *asked.argv])}"
        )
    if asked.program.entry_name:
        _say(
            f"{asked.program.entry_name!r} is marked as the entrypoint, which only 'kogine run' "
            "calls: plain Python runs the guard"
        )


def _say(text: str) -> None:
    sys.stderr.write(f"kogine: note: {text}\n")
