"""How an error of the user's is told. On the warm path."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kohaku_ast.errors import KogineError
    from kohaku_ast.runner.launch import Launch


def report(error: KogineError) -> int:
    """Print *error*; the exit status of a mistake."""
    sys.stdout.flush()
    sys.stderr.write(f"kogine: error: {error}\n")
    return 2


def mistaken(launch: Launch, error: Exception) -> Callable[[], int]:
    """Python's own words for a script that it cannot compile, and the status of a mistake: the
    overrides cannot be applied. Raises *error* if that is not what is wrong.
    """
    try:
        launch.compile()
    except (SyntaxError, ValueError):
        from kohaku_ast.runner.launch import explain_launch

        return lambda: explain_launch(launch) and 2
    raise error
