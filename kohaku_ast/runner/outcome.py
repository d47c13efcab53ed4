"""Outcome: what a run left behind, in this process or in one of its own."""

from __future__ import annotations

import marshal
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time  # bound: a script may replace both
from types import TracebackType
from typing import IO, Any, TypeAlias

from kohaku_ast.errors import UncrossableValue, cut_long, visible
from kohaku_ast.frames import hidden
from kohaku_ast.runner.transport import Uncrossed, describe_error, load_raised, load_values
from kohaku_ast.runner.usage import Usage
from kohaku_ast.transform.program.load import above_streams


@dataclass(frozen=True)
class RunError:
    """The exception that ended a run, as text: its class may not exist where it is read."""

    #: The name of its class, with the module unless it is a builtin: ``ValueError``.
    type: str
    #: ``str()`` of it.
    message: str
    #: The whole traceback as Python prints it, cut to the script's own frames.
    traceback: str

    @classmethod
    def of(cls, error: BaseException, trace: TracebackType | None) -> RunError:
        """*error* as text, with *trace*, which starts at the script's first frame."""
        return cls(*describe_error(error, trace))

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type

    def fields(self) -> dict[str, str]:
        """Its fields for a file or a stream, with their middle left out where it is very long."""
        return {name: cut_long(text) for name, text in vars(self).items()}


@dataclass(frozen=True)
class Outcome:
    """What a finished run left behind; a failure as much as a success."""

    #: ``succeeded`` or ``failed``.
    status: str
    #: What the starting call (``main()`` in the guard) returned; None if there is none.
    value: object = None
    #: Name -> last value, for the globals that the Config names in ``outputs``.
    outputs: Mapping[str, object] = field(default_factory=dict)
    #: The exception that ended it, or None.
    error: RunError | None = None
    #: As a process would end: 0, or what the script gave to ``sys.exit``.
    exit_status: int = 0
    #: When it started and ended, in seconds since the epoch.
    started: float = 0.0
    ended: float = 0.0
    #: In a flow: the number of the run from 0, its label, the Script's name, and the file with what
    #: it printed.
    index: int = 0
    label: str = ""
    script: str = ""
    log: str = ""
    #: Name -> value of every parameter, as far as it is known without a run.
    params: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    #: Name -> the last number that the run printed (``loss: 0.1``).
    metrics: Mapping[str, float] = field(default_factory=dict, compare=False)
    #: The folder of its record, or empty.
    record: str = field(default="", compare=False)
    #: What it has used; None if nobody knows.
    usage: Usage | None = field(default=None, compare=False, repr=False)
    #: The exception itself, if it was asked for and could be unpickled in this process.
    raised: BaseException | None = field(default=None, compare=False, repr=False)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started

    @property
    def run_dir(self) -> str:
        """The folder for the files of the run (``KOGINE_RUN_DIR``); empty without a record."""
        return os.path.join(self.record, "files") if self.record else ""

    @hidden
    def raise_if_failed(self) -> Outcome:
        """Itself. Raises FlowError if the run failed."""
        if self.status != "succeeded":
            raise FlowError(f"{self.label or self.script or 'the run'}: {self._why}", [self]) from (
                self.raised
            )
        return self

    @property
    def _why(self) -> str:
        last = str(self.error).strip().split("\n", 1)[0] if self.error else self.status
        return last if self.error else f"{last} with exit status {self.exit_status}"

    def _repr_html_(self) -> str:
        from kohaku_ast.display.text import Group, html_table, short_repr

        rows = [("value", short_repr(self.value))]
        rows += [(f"outputs[{name!r}]", short_repr(value)) for name, value in self.outputs.items()]
        rows += [(name, short_repr(number)) for name, number in self.metrics.items()]
        if self.error is not None:
            rows.append(("error", str(self.error)))
        caption = f"{self.status}, exit status {self.exit_status}, {self.seconds:.3g} s"
        return html_table(("name", "value"), [Group("", tuple(rows))], caption)


class FlowError(RuntimeError):
    """Runs of a flow failed; ``outcomes`` has the Outcomes of all its runs."""

    def __init__(self, message: str, outcomes: Sequence[Outcome] = ()) -> None:
        super().__init__(visible(cut_long(message)))
        self.outcomes = Outcomes(outcomes)

    def __reduce__(self) -> tuple[Any, ...]:
        return FlowError, (str(self), list(self.outcomes))


class Outcomes(list[Outcome]):
    """The Outcomes of a flow, in the order of its runs."""

    @hidden
    def raise_if_failed(self) -> Outcomes:
        """Itself. Raises FlowError, which names the first failure, if a run failed."""
        failed = [one for one in self if one.status != "succeeded"]
        if failed:
            first = failed[0]
            raise FlowError(
                f"{len(failed)} of {len(self)} runs failed. [{first.index + 1}] "
                f"{first.label or first.script}: {first._why}",
                self,
            ) from first.raised
        return self


class Clock:
    """The time of day, which starts now and goes on as the monotonic clock does: if the system's
    clock is set back meanwhile, no duration is negative.
    """

    __slots__ = ("_begun", "started")

    def __init__(self) -> None:
        #: Seconds since the epoch.
        self.started = time()
        self._begun = monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.started + monotonic() - self._begun


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
