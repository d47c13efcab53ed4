"""``kogine``: reads the command line, then steps aside for the script.

The script runs after the command line has been read and left, on Python's own terms.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType

from kogine import COMPLETE, hear_again
from kogine.report import report, report_syntax_error

from kohaku_ast import sigint
from kohaku_ast.errors import KogineError
from kohaku_ast.runner.empty_stack import is_command, leave_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status. What a script raises or exits with comes through.

    Without *arguments*, as the installed command calls it, the process is the script's: it
    ends with it, and nothing that stands after the call is reached.
    """
    is_whole = arguments is None and is_command(sys._getframe(1))
    if is_whole:
        sigint.silence()
    else:
        hear_again()
    try:
        start = _read(sys.argv[1:] if arguments is None else arguments)
    except KogineError as error:
        return report(error)
    except SyntaxError as error:  # of a script that is only read
        return report_syntax_error(error)
    except KeyboardInterrupt:
        if is_whole:
            sigint.die()  # as it would be in the script, and nothing of ours is shown
        raise
    if start is None:
        return 0
    if is_whole:
        _forget_click()
        leave_for(start)
    return start()


def _read(words: list[str]) -> Callable[[], int] | None:
    """What does what *words* ask for; None if that is done.

    A run without any option starts before click is imported: that takes longer than Python's start.
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
    from kogine.command import read

    return read(words)


class _Deferred(ModuleType):
    """Stands for the module of its name until something of it is used."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]  # else the import below would find this one, endlessly
        return getattr(import_module(self.__name__), name)


def _import_click() -> None:
    """Import click without ``inspect``, a fifth of what that takes: it is used for help alone."""
    if "inspect" in sys.modules:
        return
    stand_in = sys.modules["inspect"] = _Deferred("inspect")
    try:
        import click  # noqa: F401
    finally:
        if sys.modules.get("inspect") is stand_in:
            del sys.modules["inspect"]


def _forget_click() -> None:
    """A script that looks for click finds what plain Python would: nothing has imported it."""
    for name in [*sys.modules]:
        if name == "click" or name.startswith("click."):
            del sys.modules[name]
