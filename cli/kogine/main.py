"""The entry point of ``kogine``, and the one place that turns an error into an exit status.

The command line is read first; the script runs after that, on a stack without our frames.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType

from kogine import COMPLETE, restore_sigint
from kogine.report import report, report_syntax_error, report_unprinted

from kohaku_ast import sigint
from kohaku_ast.errors import KogineError
from kohaku_ast.runner.empty_stack import is_command, leave_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status. Exceptions of a script come through.

    Without *arguments*, as the installed command calls it, the process belongs to the script: it
    ends with the script, and no code after the call runs.
    """
    is_whole = arguments is None and is_command(sys._getframe(1))
    if is_whole:
        sigint.silence()
    else:
        restore_sigint()
    try:
        run = read_command(sys.argv[1:] if arguments is None else arguments)
    except KogineError as error:
        return report(error)
    except SyntaxError as error:  # of a script that is only read
        return report_syntax_error(error)
    except OSError as error:  # of standard output, for which help is
        return report_unprinted(error)
    except KeyboardInterrupt:
        if is_whole:
            sigint.die()  # as the script would, and no traceback shows our frames
        raise
    if run is None:
        return 0
    if is_whole:
        _forget_click()
        leave_for(run)
    return run()


def read_command(words: list[str]) -> Callable[[], int] | None:
    """The function that does the work of the command line *words*; None if all is done.

    A run without any option does not import click, which takes longer than Python's start.
    """
    if COMPLETE in os.environ:
        from kogine.completion import complete

        return complete(os.environ[COMPLETE])
    if words[:1] == ["run"]:
        from kogine.script_command import read_without_options

        command = read_without_options(words[1:])
        if command is not None:
            from kogine.start import start

            return start(command)
    _import_click()
    from kogine.command import read_with_click

    return read_with_click(words)


class _Deferred(ModuleType):
    """A module that is imported when one of its attributes is used."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[
                self.__name__
            ]  # else the import below would find this module again and again
        return getattr(import_module(self.__name__), name)


def _import_click() -> None:
    """Import click without ``inspect``, which takes a fifth of the time and is for help only."""
    if "inspect" in sys.modules:
        return
    stand_in = sys.modules["inspect"] = _Deferred("inspect")
    try:
        import click  # noqa: F401
    finally:
        if sys.modules.get("inspect") is stand_in:
            del sys.modules["inspect"]


def _forget_click() -> None:
    """Remove click from ``sys.modules``: the script finds it not imported, as under Python."""
    for name in [*sys.modules]:
        if name == "click" or name.startswith("click."):
            del sys.modules[name]
