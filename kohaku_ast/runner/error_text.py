"""An exception as text: its class may not exist in the process that reads of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_MOST_TEXT = 20_000
"""Characters of a traceback that are kept: that of a RecursionError has thousands of lines."""


def describe(error: BaseException, trace: TracebackType | None) -> tuple[str, str, str]:
    """The name of its class, its message, and the traceback as Python prints it."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__", "kohaku_ast.errors"):
        name = f"{kind.__module__}.{name}"
    try:
        message = str(error)
    except BaseException:  # SystemExit, too: Python passes over it here
        message = "<exception str() failed>"  # Python's own words
    try:
        import traceback

        text = "".join(traceback.format_exception(kind, error, trace))
    except Exception:  # a script may leave nothing that works
        text = f"{name}: {message}\n"
    return name, message, text[-_MOST_TEXT:]
