"""The Outcome of a run in a process of its own, from how it ended and the bytes that it left."""

from __future__ import annotations

import marshal
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from kohaku_ast.errors import UncrossableValue
from kohaku_ast.runner.crossing import load_values
from kohaku_ast.runner.crossing_file import CrossingFile
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.raised import load_raised
from kohaku_ast.runner.uncrossable import Uncrossed

Unread: TypeAlias = tuple[int, bytes, float, float]
"""What is known of a process that has ended: status, result, when it started and ended."""


class PendingOutcome:
    """The Outcome of a process that is to write its result into a file. For any thread."""

    def __init__(self) -> None:
        self.file = CrossingFile()
        #: When the process was started, in seconds since the epoch.
        self.started = time.time()
        self._lock = threading.Lock()
        self._outcome: Outcome | None = None

    def settle(self, status: int) -> Outcome:
        """The Outcome, now that the process has ended; *status* is as for ``outcome_of``."""
        return self._once(lambda: outcome_of(status, self.file.read(), self.started))

    def unread(self, status: int) -> Unread:
        """What ``outcome_of`` makes the Outcome of, in another process."""
        return status, self.file.read(), self.started, time.time()

    def lose(self, reason: str) -> Outcome:
        """The Outcome if nobody will ever know how the process ended."""
        return self._once(lambda: lost(reason, self.started))

    def _once(self, make: Callable[[], Outcome]) -> Outcome:
        with self._lock:
            if self._outcome is None:
                self._outcome = make()
                self.file.close()
            return self._outcome


def outcome_of(status: int, result: bytes, started: float, ended: float = 0.0) -> Outcome:
    """*status* is the exit status, or minus the number of the signal that killed the process; it
    has ended now, unless *ended* says when.
    """
    kind, *rest = _read(result)
    value: object = None
    outputs: dict[str, object] = {}
    error = _error(kind, rest, status)
    sent = load_raised(rest[3]) if kind == "failed" and rest[3] else None
    if kind == "finished" and status >= 0:
        try:
            value, outputs = _made_again(*rest)
        except UncrossableValue as raised:
            error = RunError("UncrossableValue", str(raised), "")
    failed = status or error
    state = "failed" if failed else "succeeded"
    ended = ended or time.time()
    return Outcome(state, value, outputs, error, status, started, ended, raised=sent)


def lost(reason: str, started: float) -> Outcome:
    """The Outcome of a run whose end nobody saw."""
    error = RunError("Lost", reason, "")
    return Outcome("failed", None, {}, error, -signal.SIGKILL, started, time.time())


def _read(result: bytes) -> list[Any]:
    """What the process wrote; one that was killed while it did so has written nothing."""
    try:
        return list(marshal.loads(result))
    except (EOFError, ValueError, TypeError):
        return ["nothing"]


def _error(kind: str, rest: list[str], status: int) -> RunError | None:
    """What went wrong, from what the process left behind and how it ended."""
    if status < 0:
        return _killed(-status)
    if kind == "failed":
        return RunError(*rest[:3])
    if kind == "uncrossable":
        return RunError("UncrossableValue", rest[0], "")
    if kind == "nothing" and status == 0:
        return RunError("Lost", "the process ended early with status 0 (os._exit?)", "")
    return None


def _made_again(parts: list[tuple[bool, bytes, bool]]) -> tuple[object, dict[str, object]]:
    """The result and the outputs, from *parts*: each says whether it may be lacking."""
    made: dict[str, Mapping[str, object]] = {}
    for is_plain, data, may_lack in parts:
        try:
            made.update(load_values(is_plain, data))
        except UncrossableValue:
            if not may_lack:
                raise
            made["value"] = {"value": Uncrossed("<a value that cannot be made again here>")}
    return made["value"]["value"], dict(made["outputs"])


def _killed(number: int) -> RunError:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return RunError("Killed", f"the process was killed by {name}{hint}", "")
