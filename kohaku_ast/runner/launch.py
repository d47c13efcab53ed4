"""What Python does with a script's path before the script's first line runs.

On the warm path: imports nothing heavy.
"""

from __future__ import annotations

import os
import sys

from kohaku_ast.frames import hidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType


class Launch:
    """A script file as ``python PATH`` would start it."""

    __slots__ = ("argv", "data", "filename", "path0", "shown")

    #: Whether ``__main__`` has a ``__file__`` from the start, which CPython takes away at the end.
    has_file = True
    #: Whether ``__main__`` has a loader of files.
    from_file = True
    #: The package that it is a module of.
    package = ""

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

    @hidden
    def execute(self, codes: Sequence[CodeType | None], namespace: dict[str, object]) -> None:
        """Run *codes*, one after another, in the namespace of ``__main__``."""
        for code in codes:
            exec(code, namespace)  # type: ignore[arg-type]  # only a module's may be None

    def compile(self) -> CodeType | None:
        """The code of the unchanged script; None if what runs it compiles it.

        Raises SyntaxError or ValueError if Python does not run it either.
        """
        if not is_utf8(self.data):
            raise UnicodeError
        return compile(self.data, self.filename, "exec", dont_inherit=True)


def is_utf8(data: bytes) -> bool:
    """Whether *data* decodes, or says that it is something else: ``compile`` overlooks bad bytes
    in comments, ``python script.py`` does not.
    """
    if data.isascii() or b"coding" in data[:200]:
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class StandardInput(Launch):
    """A script that comes from standard input, as ``python -`` would start it."""

    __slots__ = ()
    from_file = False

    def __init__(self, argv: Sequence[str] = ()) -> None:
        self.shown = self.filename = "<stdin>"
        self.data = sys.stdin.buffer.read()
        self.argv = ["-", *argv]
        self.path0 = ""


def enter_folder(launch: Launch) -> bool:
    """Let ``sys.path`` start with the script's folder, unless Python was told not to."""
    if getattr(sys.flags, "safe_path", sys.flags.isolated):
        return False
    # The folder of our own command stands there; a module found through it would stay.
    sys.path[0] = launch.path0
    return True


def absolute(path: str) -> str:
    """*path* as CPython makes it absolute for ``__file__``: joined, not normalised."""
    if sys.platform == "win32":
        return os.path.abspath(path)
    try:
        return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    except OSError:
        return path  # the working folder was removed


def _read(path: str) -> bytes:
    from kohaku_ast.errors import SourceError

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


def plain_python(launch: Launch) -> int:
    """Become ``python PATH ...``: for what only the interpreter itself can say as it does.

    Comes back, with the status, only for a script that was read from standard input.
    """
    sys.stdout.flush()
    if launch.from_file:
        os.execv(sys.executable, _command(launch))
    return explain(launch)


def explain(launch: Launch) -> int:
    """Let Python say why it cannot compile the script; its exit status."""
    import subprocess

    sys.stdout.flush()
    return subprocess.run(_command(launch), input=launch.data, check=False).returncode


def _command(launch: Launch) -> list[str]:
    import subprocess

    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, *launch.argv]
