"""The output of a command: error messages, files that are written whole or not at all, bytes."""

from __future__ import annotations

import os
import sys

from kohaku_ast.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kohaku_ast.errors import KogineError
    from kohaku_ast.runner.launch import Launch


_MESSAGES = "docs/reference/messages.md"
EXPLAINED_ON_PAGE = ("config", "uncrossable-value", "transform", "installation")
"""Slugs of the errors of which that page says more than the message itself can."""


def report(error: KogineError) -> int:
    """Print *error*; the exit status for a mistake of the user."""
    sys.stdout.flush()
    sys.stderr.write(f"{message(error)}\n")
    return 2


def message(error: KogineError) -> str:
    """*error* as the command line prints it, with the anchor of the page that says more."""
    more = f"\nSee {_MESSAGES}#{error.slug}" if error.slug in EXPLAINED_ON_PAGE else ""
    return f"kogine: error: {error}{more}"


def report_syntax_error(error: SyntaxError) -> int:
    """Print *error*, of a script, as Python does; the exit status for a mistake of the user."""
    # Without our frames: the hook would print those that the error still refers to.
    sys.__excepthook__(type(error), error.with_traceback(None), None)
    return 2


def explain_script_error(launch: Launch, error: Exception) -> Callable[[], int]:
    """Print Python's own message for a script that it cannot compile; the exit status is that of a
    mistake, since the overrides cannot be applied. Raises *error* if the script compiles.
    """
    try:
        launch.compile()
    except (SyntaxError, ValueError):
        from kohaku_ast.runner.launch import explain_launch

        return lambda: explain_launch(launch) and 2
    raise error


class Output:
    """Where a command writes its text: ``--output`` and ``--force``."""

    # No dataclass: the warm path imports this file for its errors.
    __slots__ = ("force", "path")

    def __init__(self, path: str | None, force: bool) -> None:
        """Raises UsageError for *force* without *path*."""
        if force and not path:
            raise UsageError("--force has no effect without --output: add it, or take --force away")
        #: The file, or "" for standard output.
        self.path = path or ""
        #: Whether an existing file may be replaced.
        self.force = force

    def deliver(self, data: bytes, source: str, like: str = "") -> Callable[[], int]:
        """Write *data*, made from the file *source*, now; the result prints it if there is no file
        to write. The new file is executable if the file *like* is.
        """
        if not self.path:
            return lambda: print_bytes(data)
        _check_output(self.path, source, self.force)
        _write_atomically(self.path, data, like)
        return lambda: 0


def _write_atomically(path: str, data: bytes, like: str) -> None:
    """A reader sees the old file or the whole new one. Raises UsageError if that cannot be."""
    # Not the link itself: the user wants the file that it points to replaced.
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


def _check_output(output: str, source: str, force: bool) -> None:
    """Raise UsageError if *output*, made from the file *source*, must not be written."""
    if not os.path.lexists(output):
        return
    if os.path.exists(output) and not os.path.isfile(output):
        raise UsageError(f"{output!r} is not a regular file: leave -o out to print it")
    if not force:
        is_source = all(map(os.path.exists, (output, source))) and os.path.samefile(output, source)
        what = "is the script itself" if is_source else "exists already"
        raise UsageError(f"{output!r} {what}: name another file, or add --force to replace it")


def _mode(partial: str, target: str, like: str) -> int:
    """The permissions of the replaced file, else those of a new file."""
    if os.path.exists(target):
        return os.stat(target).st_mode & 0o7777
    executable = os.stat(like).st_mode & 0o111 if like else 0
    return (os.stat(partial).st_mode | executable) & 0o7777


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass  # it was never created


def print_bytes(data: bytes) -> int:
    """Print *data* as it is; the exit status, 1 if the reader ended first (``| head``)."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would print an error there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0
