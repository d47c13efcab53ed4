"""Whether what runs now was sent to a worker process: a script gets a process of its own then.

Of the thread and of what it calls; set by who does the work that was sent.
"""

from __future__ import annotations

from contextvars import ContextVar

from kohaku_ast.pipeline.frames import RemoteTraceback

APART: ContextVar[bool] = ContextVar("kogine-apart", default=False)
"""True in a worker process."""


def note_crossing(has_crossed: bool) -> None:
    """Work begins; *has_crossed*: it came from another process."""
    if has_crossed:
        APART.set(True)


class ScriptTraceback(RemoteTraceback):
    """That of a script that ran in a process of its own."""
