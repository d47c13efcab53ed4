"""Has a kogine command order its Program from ``tests/builder_server.py``, if that answers.

It imports no module that the command would not import: a script would find it loaded.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VARIABLE = "KOGINE_TESTS_BUILDER"
"""Its socket, in the environment of a command that is to use it."""


def use_builder_server() -> None:
    """The command's first builder is that of the server; it starts its own for a running script."""
    from kohaku_ast.transform.program import load

    place, start_own = os.environ.pop(VARIABLE), load._ask_child

    def ask_server(order: Any, start: Any) -> bytes | None:
        answer = _ask(order, place) if start is load._fork else None
        return start_own(order, start) if answer is None else answer

    load._ask_child = ask_server
    del sys.modules[__name__]


def _ask(order: Any, place: str) -> bytes | None:
    import _socket

    from kohaku_ast.transform.program import load
    from kohaku_ast.transform.program.program import send

    client = _socket.socket(_socket.AF_UNIX)
    try:
        client.connect(place)
        mask = os.umask(0)
        os.umask(mask)
        around = os.getcwd(), sys.path, dict(os.environ), mask
        send(client.fileno(), b"", marshal.dumps(around))
    except OSError:
        client.close()
        return None
    try:
        return load._exchange(order, client.fileno(), client.fileno())
    finally:
        client.close()
