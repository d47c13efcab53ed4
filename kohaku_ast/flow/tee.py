"""Tee: what runs print goes into their logs, and where our own output goes as well."""

from __future__ import annotations

import os
import selectors
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from kohaku_ast.flow.copying import IS_POSSIBLE, Copying
from kohaku_ast.flow.tee_process import NOWHERE, Output
from kohaku_ast.flow.terminal_end import terminal_ends
from kohaku_ast.runner.outcome import CrossingFile

_PATIENCE = 1.0  # seconds for what processes that outlive a run still hold
_PIPE_SIZE = 1 << 20
"""Bytes that a run may print before anybody looks, where a pipe can have that many."""


LogFailed = Callable[[OSError], None]
"""Told why not all that runs print could be kept."""


class Tee:
    """For all runs of a flow, from any thread."""

    def __init__(self, shows: bool = True, guards: bool = False) -> None:
        """*shows*: runs print where we do, too.

        *guards*: a run goes on to print though the process that copies was killed. It takes a
        thread, which no script in this process is to see.
        """
        self.shows, self.guards = shows, guards
        #: What both processes lock when they copy; the threads of this one lock ``turn``.
        self._turns: CrossingFile | None = None
        self.turn = threading.Lock()
        self._copying: Copying | None = None
        self._active: set[Output] = set()
        self._lock = threading.Lock()

    def begin(self, log: int) -> Copy:
        """A run begins to print; *log*, a descriptor, is taken over.

        A terminal stays one for the run. What would be one file for it stays in one order.
        Raises OSError if there is no room for it.
        """
        shown = _shown() if self.shows else [NOWHERE]
        readers, writers = zip(*_opened(shown, log))
        if not IS_POSSIBLE:
            return Copy(Output(readers, shown, log), writers, self, in_threads=True)
        for one in readers:
            os.set_blocking(one, False)
        output = Output(readers, shown, log)
        copy = Copy(output, writers, self)
        try:
            with self._lock:
                process = self._process()
                output.turns = process.turns
                process.hand_over(output)
                self._active.add(output)
        except BaseException:
            copy.close_writers()
            copy.close()
            raise
        return copy

    def end(self, output: Output) -> None:
        """All of it was copied, or nobody waits for it."""
        with self._lock:
            self._active.discard(output)

    def tell_trouble(self, log_failed: LogFailed) -> None:
        """Tell *log_failed* once if not all that was printed could be written to a log."""
        if self._turns is None:
            return
        noted = os.pread(self._turns.fileno(), 1, 0)
        if noted and noted[0]:
            os.pwrite(self._turns.fileno(), b"\0", 0)
            log_failed(OSError(noted[0], os.strerror(noted[0])))

    def close(self) -> None:
        """No run will begin any more. It is gone when nobody prints any more."""
        with self._lock:
            copying, self._copying = self._copying, None
        if copying is not None:
            copying.close()
        if self._turns is not None:
            self._turns.close()
            self._turns = None

    def _process(self) -> Copying:
        if self._copying is None or not self._copying.is_alive:
            if self._copying is not None:
                self._copying.close()
            self._turns = self._turns or CrossingFile()
            self._copying = Copying(self._turns.fileno())
            if self.guards:
                threading.Thread(
                    target=self._copying.await_end, args=[self._replace],
                    name="kogine-tee", daemon=True,
                ).start()  # fmt: skip
        return self._copying

    def _replace(self) -> None:
        """The process has ended: if it was killed, another one copies what it has left."""
        with self._lock:
            if self._copying is not None and not self._copying.is_alive:
                for output in self._active:
                    self._process().hand_over(output)


class Copy:
    """Of one run."""

    def __init__(
        self, output: Output, writers: Sequence[int], tee: Tee, in_threads: bool = False
    ) -> None:
        """*in_threads*: nobody else copies, so that threads of this process do."""
        #: For the run; they are the same if it prints everything to one place.
        self.stdout, self.stderr = writers[0], writers[-1]
        self._output, self._tee = output, tee
        self._threads = _copy_in_threads(output) if in_threads else []

    def close_writers(self) -> None:
        """The run has them now: its end is seen when nobody else holds them."""
        for one in {self.stdout, self.stderr}:
            os.close(one)

    def finish(self) -> None:
        """Copy the rest of the output, or see it copied."""
        self._tee.end(self._output)
        for one in self._threads:
            one.join(_PATIENCE)
        deadline = time.monotonic() + _PATIENCE
        try:
            while not self._threads and self._output.end(self._copied()):
                left = deadline - time.monotonic()
                if left < 0 or not _comes(self._output.targets, left):
                    break
        finally:
            self.close()

    def _copied(self) -> list[int]:
        with self._tee.turn:
            return self._output.copy()

    def close(self) -> None:
        """Wait for nothing."""
        self._tee.end(self._output)
        if not self._threads:
            self._output.end([*self._output.targets])


def _comes(readers: Iterable[int], seconds: float) -> bool:
    """Whether there is something to read, or an end, in time."""
    with selectors.DefaultSelector() as waiting:
        for one in readers:
            waiting.register(one, selectors.EVENT_READ)
        return bool(waiting.select(seconds))


def _opened(shown: Sequence[int], log: int) -> list[tuple[int, int]]:
    """The ends for each of *shown*. All that is open is closed if there is no room for them."""
    found: list[tuple[int, int]] = []
    try:
        for one in shown:
            found.append(_ends(one))
    except BaseException:
        for one in (log, *shown, *(end for pair in found for end in pair)):
            if one != NOWHERE:
                os.close(one)
        raise
    return found


def _shown() -> list[int]:
    """Copies of our stdout and stderr; one if they are the same file, pipe or terminal."""
    try:
        is_one_place = os.path.sameopenfile(1, 2)
    except OSError:
        is_one_place = False
    return [_copied(1)] if is_one_place else [_copied(1), _copied(2)]


def _copied(number: int) -> int:
    try:
        return os.dup(number)
    except OSError:  # closed
        return os.open(os.devnull, os.O_WRONLY)


def _ends(shown: int) -> tuple[int, int]:
    """Where is read what a run prints that is shown at *shown*, and where it prints."""
    return terminal_ends(shown) if shown != NOWHERE and os.isatty(shown) else _pipe()


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass  # this user has many
    return reader, writer


def _copy_in_threads(output: Output) -> list[threading.Thread]:
    """Where descriptors cannot be sent to another process."""

    def copy(reader: int) -> None:
        while output.copy_one(reader):
            pass
        output.end([reader])

    found = []
    for one in output.targets:
        found.append(threading.Thread(target=copy, args=(one,), name="kogine-tee", daemon=True))
        found[-1].start()
    return found
