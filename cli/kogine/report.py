"""The output of a command: error messages, files that are written whole or not at all, bytes."""

from __future__ import annotations

import errno
import os
import sys

from kohaku_ast.errors import UsageError, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, ParamSpec

    P = ParamSpec("P")

    from kohaku_ast.errors import KogineError
    from kohaku_ast.runner.launch import Launch


_MESSAGES = "docs/reference/messages.md"
EXPLAINED_ON_PAGE = ("config", "uncrossable-value", "transform")
"""Slugs of the errors of which that page says more than the message itself can."""


def report(error: KogineError) -> int:
    """Print *error*; the exit status for a mistake of the user."""
    for stream, text in ((sys.stdout, ""), (sys.stderr, f"{message(error)}\n")):
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # it is full, closed, or was closed when this process started
    return 2


def message(error: KogineError) -> str:
    """*error* as the command line prints it, with the anchor of the page that says more."""
    more = f"\nSee {_MESSAGES}#{error.slug}" if error.slug in EXPLAINED_ON_PAGE else ""
    return f"{label('error', sys.stderr)}{error}{more}"


def report_syntax_error(error: SyntaxError) -> int:
    """Print *error*, of a script, as Python does; the exit status for a mistake of the user."""
    # Without our frames: the hook would print those that the error still refers to.
    sys.__excepthook__(type(error), error.with_traceback(None), None)
    return 2


def explain_script_error(launch: Launch, error: Exception) -> Callable[[], int]:
    """Print Python's own message for a script that it cannot compile; the exit status is that of a
    mistake, since the overrides cannot be applied. Raises *error* if the script compiles, or is
    compiled: Python would run it.
    """
    from kohaku_ast.transform.find.source import is_bytecode

    if is_bytecode(launch.data):
        raise error
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
        from kohaku_ast.files import replace_users_file

        try:
            replace_users_file(self.path, data, like)
        except OSError as error:
            raise UsageError(f"cannot write {self.path!r}: {error.strerror}") from error
        return lambda: 0


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


def printing(act: Callable[P, int]) -> Callable[P, int]:
    """*act*, which prints and gives the exit status; 1 if not all could be printed."""

    def printed(*args: P.args, **kwargs: P.kwargs) -> int:
        if sys.stdout is None:  # it was closed when this process started: nobody reads it
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # until the end
        try:
            status = act(*args, **kwargs)
            sys.stdout.flush()
        except OSError as error:
            return report_unprinted(error)
        return status

    return printed


_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def report_unprinted(error: OSError) -> int:
    """The exit status after *error* of a stream that was printed to; its reader may have ended
    first (``| head``), which is no news. Raises *error* if it is of something else.
    """
    if error.errno not in (errno.EPIPE, *_CANNOT_WRITE) or error.filename is not None:
        raise error
    # The interpreter flushes once more at its end, and would print an error there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno != errno.EPIPE:
        say_unprinted(error)
    return 1


def say_unprinted(error: OSError) -> None:
    """Print on standard error that standard output could not be written to."""
    if sys.stderr is not None:
        text = f"cannot write to standard output: {error.strerror}"
        sys.stderr.write(f"{label('error', sys.stderr)}{text}\n")


@printing
def print_bytes(data: bytes) -> int:
    """Print *data* as it is."""
    sys.stdout.buffer.write(data)
    return 0


@printing
def print_rows(
    form: str,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    cells: Mapping[str, Callable[[Any], str]],
    empty: str = "",
) -> int:
    """Print *rows* as a ``table``, as ``json`` or as ``csv``.

    A table shows each value by the function of its column in *cells*, by ``str`` without one; if
    there is no row, it is the line *empty*. JSON and CSV have the values themselves.
    """
    from kohaku_ast.display.text import csv_text, json_text  # a run does without

    if form == "json":
        sys.stdout.write(json_text([{name: row.get(name) for name in columns} for row in rows]))
    elif form == "csv":
        sys.stdout.write(csv_text(columns, ([row.get(name) for name in columns] for row in rows)))
    elif rows or not empty:
        _print_table(columns, rows, cells)
    else:
        print(empty)
    return 0


def print_answer(
    form: str, lines: Sequence[str], columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> int:
    """Print what was done: as *lines* for readers, or as *rows* of ``json`` or ``csv``."""
    if form != "table":
        return print_rows(form, columns, rows, {})
    text = "".join(f"{line}\n" for line in lines)
    return print_bytes(text.encode("utf-8", "surrogateescape"))


class RowStream:
    """Prints rows one after another, while others are still to come: as ``json`` an object a line,
    or as ``csv``.
    """

    def __init__(self, form: str, columns: Sequence[str]) -> None:
        self._form, self._columns = form, columns
        if form == "csv":
            self._print_csv(columns)

    def print(self, *values: object) -> None:
        """Print the values of the columns of a row."""
        if self._form == "csv":
            self._print_csv(values)
        else:
            from kohaku_ast.display.text import json_cell  # a run does without

            sys.stdout.write(f"{json_cell(dict(zip(self._columns, values)))}\n")

    def _print_csv(self, values: Sequence[object]) -> None:
        from kohaku_ast.display.text import csv_text

        sys.stdout.write(csv_text(values))


def _print_table(
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    cells: Mapping[str, Callable[[Any], str]],
) -> None:
    from kohaku_ast.display.text import Group, print_table  # a run does without

    def cell(name: str, value: Any) -> str:
        return "" if value is None else cells.get(name, str)(value)

    shown = tuple([tuple([cell(name, row.get(name)) for name in columns]) for row in rows])
    print_table(tuple(columns), [Group("", shown)], sys.stdout)
