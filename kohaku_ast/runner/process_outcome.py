"""The Outcome of a process, from what it has written for us and from how it ended."""

from __future__ import annotations

import marshal
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, TypeAlias

from kohaku_ast.errors import UncrossableValue
from kohaku_ast.runner.outcome import Clock, Outcome, RunError
from kohaku_ast.runner.transport import Uncrossed, load_raised, load_values
from kohaku_ast.runner.usage import Usage
from kohaku_ast.transform.program.load import above_streams

Unread: TypeAlias = tuple[int, bytes, float, float]
"""The end of a process, not unpickled yet: status, result, when it started and ended."""


class PendingOutcome:
    """The Outcome of a process that writes its result into a file. For any thread."""

    def __init__(self) -> None:
        self.file = CrossingFile()
        #: Started with the process.
        self.clock = Clock()
        self._lock = threading.Lock()
        self._outcome: Outcome | None = None

    def settle(self, status: int) -> Outcome:
        """The Outcome, after the process has ended; *status* is as for ``outcome_of``."""
        return self._once(lambda: outcome_of(*self.unread(status)))

    def unread(self, status: int) -> Unread:
        """The end of the process, for ``outcome_of`` in another process."""
        return status, self.file.read(), self.clock.started, self.clock.now()

    def lose(self, reason: str) -> Outcome:
        """The Outcome if nobody can know how the process ended."""
        return self._once(lambda: lost(reason, self.clock))

    def _once(self, make: Callable[[], Outcome]) -> Outcome:
        with self._lock:
            if self._outcome is None:
                self._outcome = make()
                self.file.close()
            return self._outcome


def outcome_of(status: int, result: bytes, started: float, ended: float) -> Outcome:
    """The Outcome of a process that has ended. *status* is its exit status, or minus the number of
    the signal that killed it.
    """
    kind, *rest = _read(result)
    value: object = None
    outputs: dict[str, object] = {}
    error = _error(kind, rest, status)
    sent = load_raised(rest[3]) if kind == "failed" and rest[3] else None
    if kind == "finished" and status >= 0:
        try:
            value, outputs = _load_parts(*rest)
        except UncrossableValue as raised:
            error = RunError("UncrossableValue", str(raised), "")
    failed = status or error
    state = "failed" if failed else "succeeded"
    used = Usage.after(result)
    return Outcome(state, value, outputs, error, status, started, ended, usage=used, raised=sent)


def lost(reason: str, clock: Clock) -> Outcome:
    """The Outcome of a run whose end nobody has seen."""
    error = RunError("Lost", reason, "")
    return Outcome("failed", None, {}, error, -signal.SIGKILL, clock.started, clock.now())


def _read(result: bytes) -> list[Any]:
    """The result that the process wrote; incomplete counts as nothing."""
    try:
        return list(marshal.loads(result))
    except (EOFError, ValueError, TypeError):
        return ["nothing"]


def _error(kind: str, rest: list[str], status: int) -> RunError | None:
    """The error, from the result that the process wrote and from how it ended."""
    if status < 0:
        return _killed(-status)
    if kind == "failed":
        return RunError(*rest[:3])
    if kind == "uncrossable":
        return RunError("UncrossableValue", rest[0], "")
    if kind == "nothing" and status == 0:
        return RunError("Lost", "the process ended early with status 0 (os._exit?)", "")
    return None


def _load_parts(parts: list[tuple[bool, bytes, bool]]) -> tuple[object, dict[str, object]]:
    """The result and the outputs; each of *parts* says whether it may be lacking."""
    loaded: dict[str, Mapping[str, object]] = {}
    for is_plain, data, may_lack in parts:
        try:
            loaded.update(load_values(is_plain, data))
        except UncrossableValue:
            if not may_lack:
                raise
            loaded["value"] = {"value": Uncrossed("<a value that cannot be made again here>")}
    return loaded["value"]["value"], dict(loaded["outputs"])


def _killed(number: int) -> RunError:
    return RunError("Killed", f"the process was killed by {name_signal(number)}", "")


def name_signal(number: int) -> str:
    """The name of the signal that killed a process, for messages: with what it may mean."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (out of memory?)" if name == "SIGKILL" else name


class CrossingFile:
    """A file with bytes for another process, which gets its descriptor or, on Windows, its path."""

    __slots__ = ("_file", "_stack")

    def __init__(self, data: bytes = b"") -> None:
        """Contains *data*, to be read from the start."""
        self._stack = ExitStack()
        if hasattr(os, "memfd_create"):
            # In memory: a disk may be full.
            number = above_streams(os.memfd_create("kogine"))
            self._file: IO[bytes] = open(number, "w+b", 0)  # noqa: SIM115  # close() closes it
        elif sys.platform != "win32":
            import tempfile

            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        else:
            import tempfile

            folder = self._stack.enter_context(tempfile.TemporaryDirectory())
            self._file = open(Path(folder, "kogine"), "w+b", 0)  # noqa: SIM115
        self._stack.callback(self._file.close)
        self._write(data)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self._file.seek(0)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._file.fileno()

    @property
    def path(self) -> str:
        """Its path, on Windows."""
        return str(self._file.name)

    def read(self) -> bytes:
        """All its bytes."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self._stack.close()

    def __enter__(self) -> CrossingFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
