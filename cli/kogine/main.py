"""``kogine``: reads the command line, then steps aside for the script.

The script runs after the command line has been read and left, on Python's own terms.
"""

from __future__ import annotations

import sys
from importlib import import_module

from kogine.report import report

from kohaku_ast.errors import KogineError
from kohaku_ast.runner.bottom import is_command, leave_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MODULES = {
    "run": "kogine.run",
    "transform": "kogine.transform",
    "freeze": "kogine.freeze",
    "config": "kogine.config",
    "workflow": "kogine.workflow",
    "pipeline": "kogine.pipeline",
    "completion": "kogine.completion",
    "__complete": "kogine.complete",
}
"""The commands, and the module that has the function of that name."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status. What a script raises or exits with comes through.

    Without *arguments*, as the installed command calls it, the process is the script's: it
    ends with it, and nothing that stands after the call is reached.
    """
    is_whole = arguments is None and is_command(sys._getframe(1))
    try:
        start = _command(sys.argv[1:] if arguments is None else arguments)
    except KogineError as error:
        return report(error)
    except KeyboardInterrupt:
        if not is_whole:
            raise
        # As it would be in the script: nothing of ours is shown.
        from signal import SIGINT

        from kohaku_ast.runner.exit_status import die_of

        return die_of(SIGINT)
    if start is None:
        return 0
    if is_whole:
        leave_for(start)
    return start()


def _command(arguments: list[str]) -> Callable[[], int] | None:
    name, own = arguments[:1], _before_dashes(arguments)
    if name and name[0] in _MODULES and not ("--help" in own or "-h" in own):
        module = import_module(_MODULES[name[0]])
        start: Callable[[], int] = getattr(module, name[0].strip("_"))(arguments[1:])
        return start
    from kogine.commands import commands

    return commands(own)


def _before_dashes(arguments: list[str]) -> list[str]:
    """What is not for the script: its own ``--help`` stands after ``--``."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments
