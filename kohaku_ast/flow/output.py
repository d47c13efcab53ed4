"""What runs print: into their logs, and to where our own output goes."""

from __future__ import annotations

import errno
import functools
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from kohaku_ast.flow import output_process
from kohaku_ast.flow.output_process import NOWHERE, Output, write
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

    def report_error(self, log_failed: LogFailed) -> None:
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


IS_POSSIBLE = hasattr(socket, "send_fds")


class Copying:
    """One such process. It lives as long as what it copies, whatever becomes of this one."""

    def __init__(self, turns: int) -> None:
        """*turns* is the file that both lock. Raises OSError if nothing can be started."""
        self.turns = turns
        self._control, other = socket.socketpair()
        # Its end is seen at once, new runs only when it looks.
        reader, self._life = os.pipe()
        numbers = [other.fileno(), turns, reader]
        try:
            self._process = subprocess.Popen(
                # Alone it is fast, and no file in the working folder can hide a module from it.
                [sys.executable, "-I", "-S", output_process.__file__, *map(str, numbers)],
                pass_fds=numbers, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._let_go()
            raise
        finally:
            other.close()
            os.close(reader)

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def await_end(self, then: Callable[[], None]) -> None:
        """Call *then* when it has ended, in a thread."""
        self._process.wait()
        then()

    def hand_over(self, output: Output) -> None:
        """It copies *output* from now on; this process may, too. Raises OSError."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.send_fds(self._control, [output.kind], output.descriptors)
                return
            except OSError as error:
                # As many are under way as this user may have open: it will take some.
                if error.errno != errno.ETOOMANYREFS or time.monotonic() > deadline:
                    raise
                time.sleep(output_process.TICK)

    def close(self) -> None:
        """No other run will come."""
        self._let_go()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.returncode = 0  # it serves what the runs have left running

    def _let_go(self) -> None:
        self._control.close()
        os.close(self._life)


@contextmanager
def logged(log: int, tee: Tee) -> Iterator[None]:
    """Inside, everything that this process prints goes to the descriptor *log*, by *tee*. *log* is
    closed at the end.
    """
    try:
        copy = tee.begin(os.dup(log))
        with ExitStack() as stack:
            stack.callback(copy.finish)
            stack.enter_context(_streams(log, shows=tee.shows))
            stack.enter_context(_descriptors({1: copy.stdout, 2: copy.stderr}))
            copy.close_writers()
            yield
    finally:
        os.close(log)


@contextmanager
def _descriptors(targets: dict[int, int]) -> Iterator[None]:
    """Inside, the standard descriptors are others."""
    flush()
    kept = {number: _copied_if_open(number) for number in targets}
    for number, target in targets.items():
        os.dup2(target, number)
    try:
        yield
    finally:
        flush()
        for number, copy in kept.items():
            if copy is None:
                os.close(number)
            else:
                os.dup2(copy, number)
                os.close(copy)


def _copied_if_open(number: int) -> int | None:
    try:
        return os.dup(number)
    except OSError:  # it is closed, and will be again
        return None


@contextmanager
def _streams(log: int, shows: bool) -> Iterator[None]:
    """Inside, streams that are not those of the process (a notebook's) are kept in the log too."""
    taken: dict[str, tuple[Any, _Kept]] = {}
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is not None and _number_of(stream) != number:
            taken[name] = stream, _Kept(stream, functools.partial(write, log), shows)
            setattr(sys, name, taken[name][1])
    try:
        yield
    finally:
        for name, (stream, kept) in taken.items():
            if getattr(sys, name) is kept:
                setattr(sys, name, stream)


class _Kept:
    """In the place of a stream."""

    def __init__(self, stream: Any, keep: Callable[[bytes], object], shows: bool) -> None:
        self._stream, self._keep, self._shows = stream, keep, shows

    def write(self, text: str) -> int:
        self._keep(text.encode("utf-8", "backslashreplace"))
        return int(self._stream.write(text)) if self._shows else len(text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _number_of(stream: Any) -> int:
    try:
        return int(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return -1


def flush() -> None:
    """What Python and C have not written yet belongs to who has printed it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # closed, or none
    if sys.platform != "win32":
        _libc().fflush(None)


@functools.lru_cache(1)
def _libc() -> Any:
    import ctypes  # here: it takes 5 ms, and not every flow has a log

    return ctypes.CDLL(None)


def terminal_ends(shown: int) -> tuple[int, int]:
    """Two ends of a terminal as large as the one at *shown*: what is written to the second one is
    read, as it is, at the first. Pipes where there are none.
    """
    try:
        import fcntl
        import struct
        import termios

        reader, writer = os.openpty()
    except (ImportError, OSError):
        return os.pipe()
    attributes = termios.tcgetattr(writer)
    attributes[1] &= ~termios.OPOST  # ours will do what is to be done with line ends
    termios.tcsetattr(writer, termios.TCSANOW, attributes)
    columns, rows = os.get_terminal_size(shown)
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return reader, writer
