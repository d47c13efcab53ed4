"""What Python does with a script's path before the script's first line runs.

On the warm path: imports nothing heavy.
"""

from __future__ import annotations

import os
import sys

from kohaku_ast.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Launch:
    """A script file as ``python PATH`` would start it."""

    __slots__ = ("argv", "data", "filename", "path0", "shown")

    def __init__(self, path: str, argv: Sequence[str] = ()) -> None:
        """Reads *path*; raises SourceError with the next move if that cannot be."""
        #: The path as the user wrote it.
        self.shown = path
        self.data = _read(path)
        #: What tracebacks and ``__file__`` say.
        self.filename = absolute(path)
        #: What ``sys.argv`` holds.
        self.argv = [path, *argv]
        #: What ``sys.path`` starts with.
        self.path0 = os.path.dirname(os.path.realpath(path))


def absolute(path: str) -> str:
    """*path* as CPython makes it absolute for ``__file__``: joined, not normalised."""
    if sys.platform == "win32":
        return os.path.abspath(path)
    return os.path.join(os.getcwd(), path)


def _read(path: str) -> bytes:
    if os.path.isdir(path):
        raise SourceError(
            f"{path!r} is a directory without a __main__.py: name the script to run in it"
        )
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise SourceError(f"can't open file {path!r}: {error.strerror}{_nearby(path)}") from None


def _nearby(path: str) -> str:
    """Files beside *path* with a similar name."""
    from kohaku_ast.errors import near

    folder, name = os.path.split(path)
    try:
        found = near(name, os.listdir(folder or "."), 1)
    except OSError:
        return ""
    return f". Did you mean {os.path.join(folder, found[0])!r}?" if found else ""


def plain_python(launch: Launch) -> None:
    """Become ``python PATH ...``: for what only the interpreter itself can say as it does."""
    import subprocess

    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *flags, *launch.argv])
