"""What a command writes: errors, files whole or not at all, text byte for byte."""

from __future__ import annotations

import os
import sys

from kohaku_ast.errors import UsageError

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


class Output:
    """Where a command writes its text. (No dataclass: errors are reported on the warm path.)"""

    __slots__ = ("force", "path")

    def __init__(self, path: str = "", force: bool = False) -> None:
        #: The file, or "" for standard output.
        self.path = path
        #: Whether a file that is there may be replaced.
        self.force = force

    def deliver(self, text: str, source: str) -> Callable[[], int]:
        """Write *text*, made from the file *source*; for standard output what comes back does."""
        data = text.encode("utf-8", "surrogateescape")
        if not self.path:
            return lambda: print_bytes(data)
        check_output(self.path, source, self.force)
        write_atomically(self.path, data)
        return lambda: 0


def write_atomically(path: str, data: bytes, like: str = "") -> None:
    """Write *data* so that a reader sees the old file or the whole new one; executable if the
    file *like*, if any, is. Raises UsageError if it cannot be written.
    """
    # Through a link: the file it points to is what the user wants replaced.
    target = os.path.realpath(path)
    partial = f"{target}.{os.getpid()}"
    try:
        with open(partial, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, _mode(partial, target, like))
        os.replace(partial, target)
    except OSError as error:
        _remove(partial)
        raise UsageError(f"cannot write {path!r}: {error.strerror}") from error


def check_output(output: str, source: str, force: bool) -> None:
    """Raise UsageError if *output*, made from the file *source*, must not be written."""
    if not os.path.lexists(output):
        return
    if os.path.exists(output) and not os.path.isfile(output):
        raise UsageError(f"{output!r} is not a regular file: leave -o out to print it")
    if not force:
        is_source = all(map(os.path.exists, (output, source))) and os.path.samefile(output, source)
        what = "is the script itself" if is_source else "is there already"
        raise UsageError(f"{output!r} {what}: name another file, or say --force to replace it")


def _mode(partial: str, target: str, like: str) -> int:
    """The permissions of the file that is replaced, else those of a new file."""
    if os.path.exists(target):
        return os.stat(target).st_mode & 0o7777
    executable = os.stat(like).st_mode & 0o111 if like else 0
    return (os.stat(partial).st_mode | executable) & 0o7777


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass  # it was never made


def print_bytes(data: bytes) -> int:
    """Print *data* as it is; the exit status, 1 if the reader went away (``| head``)."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0
