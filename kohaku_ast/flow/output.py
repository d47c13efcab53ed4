"""The output of runs: to their logs, and to the streams of this process."""

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
from contextlib import ExitStack
from typing import Any

from kohaku_ast.flow import output_process
from kohaku_ast.flow.output_process import KEPT, NOTES, NOWHERE, SHOWN, Output, close, keep
from kohaku_ast.frames import contextmanager
from kohaku_ast.runner.process_outcome import CrossingFile
from kohaku_ast.runner.process_state import flush as flush_stream
from kohaku_ast.runner.process_state import standard_streams

_PATIENCE = 1.0  # seconds for output of processes that outlive a run
_PIPE_SIZE = 1 << 20
"""Bytes that a run may print before they are read, where a pipe can be that large."""


LogFailed = Callable[[OSError], None]
"""Called with the reason why output of runs could not be written to a log."""


class Tee:
    """Copies the output of all runs of a flow; may be called from any thread."""

    def __init__(self, shows: bool = True, guards: bool = False, most: int = 0) -> None:
        """*shows*: to the streams of this process, too, not only to the logs, which hold at most
        *most* bytes each; 0: no limit.

        *guards*: another process goes on if the copying one is killed. This takes a thread, which
        a script in this process would see.
        """
        self.shows, self.guards, self.most = shows, guards, most
        #: A file that both processes lock when they copy; threads of this process lock ``turn``.
        self._turns: CrossingFile | None = None
        self.turn = threading.Lock()
        self._process: CopyProcess | None = None
        self._active: set[Output] = set()
        self._lock = threading.Lock()

    def begin(self, log: int = NOWHERE) -> Copy:
        """Begin to copy the output of a run to the descriptor *log*, which it closes; without one,
        to this process's streams alone, by whole lines: other runs print there at the same time.

        The run prints to a terminal if this process does. If stdout and stderr are one file, their
        order stays. Raises OSError if no descriptor or process is left.
        """
        shown = _own_streams() if self.shows or log == NOWHERE else [NOWHERE]
        parts = _files_for(shown) if log == NOWHERE else []
        readers, writers = zip(*_open_ends(shown, log, parts))
        output = Output(readers, shown, log, most=self.most, parts=parts)
        if not CAN_SEND:
            return Copy(output, writers, self, in_threads=True)
        for one in readers:
            os.set_blocking(one, False)
        copy = Copy(output, writers, self)
        try:
            with self._lock:
                self._hand_over(output)
                self._active.add(output)
        except BaseException:
            copy.close_writers()
            copy.close()
            raise
        return copy

    def end(self, output: Output) -> None:
        """Forget *output*: it is copied, or not needed."""
        with self._lock:
            self._active.discard(output)

    def report_error(self, log_failed: LogFailed) -> None:
        """Call *log_failed* once if some output could not be written to a log."""
        error = self._take_error(KEPT)
        if error is not None:
            log_failed(error)

    def _take_error(self, where: bytes) -> OSError | None:
        """The error that was noted last for what is written *where*, once."""
        if self._turns is None:
            return None
        at = NOTES.index(where)
        noted = os.pread(self._turns.fileno(), 1, at)
        if not noted or not noted[0]:
            return None
        os.pwrite(self._turns.fileno(), b"\0", at)
        return OSError(noted[0], os.strerror(noted[0]))

    def close(self) -> OSError | None:
        """End the process that copies, as soon as no run prints any more; why not all could be
        shown, or None if it could, or if its reader has ended.
        """
        with self._lock:
            copying, self._process = self._process, None
        if copying is not None:
            copying.close()
        unshown = self._take_error(SHOWN)
        if self._turns is not None:
            self._turns.close()
            self._turns = None
        return unshown

    def _hand_over(self, output: Output) -> None:
        try:
            self._send(output)
        except (BrokenPipeError, ConnectionResetError):  # it was killed a moment ago
            if self._process is not None:
                self._process.await_end()
            self._send(output)

    def _send(self, output: Output) -> None:
        process = self._start_process()
        output.turns = process.turns
        process.hand_over(output)

    def _start_process(self) -> CopyProcess:
        """The process that copies: a new one, which takes over, if the last one was killed."""
        if self._process is None or not self._process.is_alive:
            if self._process is not None:
                self._process.close()
            self._turns = self._turns or CrossingFile()
            self._process = CopyProcess(self._turns.fileno(), self.most)
            if self.guards:
                threading.Thread(
                    target=self._process.await_end, args=[self._replace],
                    name="kogine-tee", daemon=True,
                ).start()  # fmt: skip
            for output in self._active:
                self._process.hand_over(output)
        return self._process

    def _replace(self) -> None:
        """After the end of the process: if it was killed, another one copies the rest."""
        with self._lock:
            if self._process is not None:
                self._start_process()


class Copy:
    """The output of one run, and the descriptors that the run prints to."""

    def __init__(
        self, output: Output, writers: Sequence[int], tee: Tee, in_threads: bool = False
    ) -> None:
        """*in_threads*: threads of this process copy, not another process."""
        #: For the run; equal if both go to the same file.
        self.stdout, self.stderr = writers[0], writers[-1]
        self._output, self._tee = output, tee
        self._threads = _copy_in_threads(output) if in_threads else []

    def close_writers(self) -> None:
        """Close the run's ends in this process: otherwise the output would never end."""
        for one in {self.stdout, self.stderr}:
            os.close(one)

    def finish(self) -> None:
        """Copy the rest of the output, and wait until all is copied."""
        self._tee.end(self._output)
        for one in self._threads:
            one.join(_PATIENCE)
        deadline = time.monotonic() + _PATIENCE
        try:
            while not self._threads and self._output.end(self._copied()):
                left = deadline - time.monotonic()
                if left < 0 or not _can_read(self._output.targets, left):
                    break
        finally:
            self.close()

    def _copied(self) -> list[int]:
        with self._tee.turn:
            return self._output.copy()

    def close(self) -> None:
        """Close it without a wait."""
        self._tee.end(self._output)
        if not self._threads:
            self._output.end([*self._output.targets])


def _can_read(readers: Iterable[int], seconds: float) -> bool:
    """Whether one of *readers* has data, or has ended, within *seconds*."""
    with selectors.DefaultSelector() as waiting:
        for one in readers:
            waiting.register(one, selectors.EVENT_READ)
        return bool(waiting.select(seconds))


def _files_for(shown: Sequence[int]) -> list[int]:
    """An empty file for each of *shown*. On an error it closes all of the descriptors."""
    found: list[int] = []
    try:
        for _ in shown:
            found.append(_empty_file())
    except BaseException:
        close((*shown, *found))
        raise
    return found


def _empty_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("kogine")  # in memory: a disk may be full
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _open_ends(shown: Sequence[int], log: int, parts: Sequence[int]) -> list[tuple[int, int]]:
    """Reader and writer for each of *shown*. On an error it closes all of the descriptors."""
    found: list[tuple[int, int]] = []
    try:
        for one in shown:
            found.append(_ends(one))
    except BaseException:
        close((log, *shown, *parts, *(end for pair in found for end in pair)))
        raise
    return found


def _own_streams() -> list[int]:
    """Duplicates of stdout and stderr; one if they are the same file, pipe or terminal."""
    try:
        is_one_place = os.path.sameopenfile(1, 2)
    except OSError:
        is_one_place = False
    return [_duplicate(1)] if is_one_place else [_duplicate(1), _duplicate(2)]


def _duplicate(number: int) -> int:
    try:
        return os.dup(number)
    except OSError:  # closed
        return os.open(os.devnull, os.O_WRONLY)


def _ends(shown: int) -> tuple[int, int]:
    """Reader and writer for a run whose output is shown at the descriptor *shown*."""
    return terminal_ends(shown) if shown != NOWHERE and os.isatty(shown) else _pipe()


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass  # the user has reached his limit for pipes
    return reader, writer


def _copy_in_threads(output: Output) -> list[threading.Thread]:
    """Copy in threads, where descriptors cannot be sent to another process."""

    def copy(reader: int) -> None:
        while output.copy_one(reader):
            pass
        output.end([reader])

    found = []
    for one in output.targets:
        found.append(threading.Thread(target=copy, args=(one,), name="kogine-tee", daemon=True))
        found[-1].start()
    return found


CAN_SEND = hasattr(socket, "send_fds")


class CopyProcess:
    """A process that copies output, until all of it has ended, even if this process is killed."""

    def __init__(self, turns: int, most: int = 0) -> None:
        """*turns* is the file that both processes lock; a log holds at most *most* bytes. Raises
        OSError if it cannot start.
        """
        self.turns = turns
        self._control, other = socket.socketpair()
        # The process sees the end of this pipe at once, and new runs only when it looks.
        reader, self._life = os.pipe()
        numbers = [other.fileno(), turns, reader]
        try:
            self._process = subprocess.Popen(
                # -I -S: it starts fast, and no file in the working folder hides a module.
                [sys.executable, "-I", "-S", output_process.__file__, *map(str, (*numbers, most))],
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

    def await_end(self, then: Callable[[], None] | None = None) -> None:
        """Wait for its end, then call *then*; for a thread."""
        self._process.wait()
        if then is not None:
            then()

    def hand_over(self, output: Output) -> None:
        """Have it copy *output*; this process may copy, too. Raises OSError."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.send_fds(self._control, [output.kind], output.descriptors)
                return
            except OSError as error:
                # Too many descriptors are in transit: the process will receive some soon.
                if error.errno != errno.ETOOMANYREFS or time.monotonic() > deadline:
                    raise
                time.sleep(output_process.TICK)

    def close(self) -> None:
        """Send no more runs; it ends after the last one."""
        self._let_go()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.returncode = 0  # it copies for processes that outlive their run

    def _let_go(self) -> None:
        self._control.close()
        os.close(self._life)


@contextmanager
def logged(log: int, tee: Tee) -> Iterator[None]:
    """Inside, the output of this process goes to the descriptor *log*, through *tee*. *log* is
    closed at the end.
    """
    try:
        copy = tee.begin(os.dup(log))
        with ExitStack() as stack:
            stack.callback(copy.finish)
            stack.enter_context(_streams(log, tee.shows, tee.most))
            stack.enter_context(_descriptors({1: copy.stdout, 2: copy.stderr}))
            copy.close_writers()
            yield
    finally:
        os.close(log)


@contextmanager
def _descriptors(targets: dict[int, int]) -> Iterator[None]:
    """Inside, other descriptors take the place of the standard ones: number -> descriptor."""
    flush()
    kept = {number: _duplicate_if_open(number) for number in targets}
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


def _duplicate_if_open(number: int) -> int | None:
    try:
        return os.dup(number)
    except OSError:  # closed, and closed again at the end
        return None


@contextmanager
def _streams(log: int, shows: bool, most: int) -> Iterator[None]:
    """Inside, the text of streams without the standard descriptors (a notebook's) is logged too."""
    taken: dict[str, tuple[Any, _LoggedStream]] = {}
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is not None and _number_of(stream) != number:
            taken[name] = (
                stream,
                _LoggedStream(stream, functools.partial(keep, log, most=most), shows),
            )
            setattr(sys, name, taken[name][1])
    try:
        yield
    finally:
        for name, (stream, kept) in taken.items():
            if getattr(sys, name, None) is kept:
                setattr(sys, name, stream)


class _LoggedStream:
    """Takes the place of a stream and writes its text to a log, too."""

    def __init__(self, stream: Any, keep: Callable[[bytes], object], shows: bool) -> None:
        self._stream, self._keep, self._shows = stream, keep, shows
        self.closed = bool(getattr(stream, "closed", False))

    def write(self, text: str) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        self._keep(text.encode("utf-8", "backslashreplace"))
        return int(self._stream.write(text)) if self._shows else len(text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def close(self) -> None:
        """Take no more text; the stream itself is not the script's to close."""
        self.closed = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _number_of(stream: Any) -> int:
    try:
        return int(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return -1


def flush() -> None:
    """Write out the buffers of Python and C: their text belongs to the code that printed it."""
    for stream in standard_streams():
        flush_stream(stream)
    if sys.platform != "win32":
        _libc().fflush(None)


@functools.lru_cache(1)
def _libc() -> Any:
    import ctypes  # here: it takes 5 ms, and a flow without logs needs none

    return ctypes.CDLL(None)


def terminal_ends(shown: int) -> tuple[int, int]:
    """Reader and writer of a terminal as large as the one at *shown*; text passes unchanged.
    A pipe where there are no pseudo terminals.
    """
    try:
        import fcntl
        import struct
        import termios

        reader, writer = os.openpty()
    except (ImportError, OSError):
        return os.pipe()
    attributes = termios.tcgetattr(writer)
    attributes[1] &= ~termios.OPOST  # the real terminal translates line ends
    termios.tcsetattr(writer, termios.TCSANOW, attributes)
    columns, rows = os.get_terminal_size(shown)
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return reader, writer
