"""How an error of the user's is told. On the warm path."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.errors import KogineError


def report(error: KogineError) -> int:
    """Print *error*; the exit status of a mistake."""
    sys.stdout.flush()
    sys.stderr.write(f"kogine: error: {error}\n")
    return 2
