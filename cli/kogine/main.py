"""``kogine``: reads the command line, then steps aside for the script.

The script runs after the command line has been read and left, on Python's own terms.
"""

from __future__ import annotations

import sys

from kohaku_ast.errors import KogineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status. What a script raises or exits with comes through."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        start = _command(arguments)
    except KogineError as error:
        return _report(error)
    return start() if start is not None else 0


def _command(arguments: list[str]) -> Callable[[], int] | None:
    if arguments[:1] == ["run"] and "--help" not in arguments:
        from kogine.run import run

        return run(arguments[1:])
    from kogine.commands import commands

    return commands(arguments)


def _report(error: KogineError) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"kogine: error: {error}\n")
    return 2
