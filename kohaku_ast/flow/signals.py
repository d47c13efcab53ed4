"""Ctrl-C during a flow: counted, so that no process is lost between its start and its entry.

State of this process, for the sake of children that it forks: ``_listening``, ``_paused``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType, TracebackType
from typing import Any, TypeVar

from kohaku_ast import sigint
from kohaku_ast.sigint import BLOCK, UNBLOCK, sigmask

Result = TypeVar("Result")

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
_AT_ONCE = getattr(signal, "SIGQUIT", None)

_INT = (signal.SIGINT,)
_WHOLE_PIPE = 1 << 16
_CAN_HEAR = hasattr(os, "set_blocking") and os.name == "posix"

_listening: set[int] = set()
_paused: list[int] = []


class Interrupts:
    """Inside the block, signals that ask us to end are counted instead of raised.

    Only the main thread can be asked; elsewhere nothing is counted.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """*wake* is called for each."""
        self.count = 0
        #: One other than Ctrl-C: we die of it when the block is over; else 0.
        self.deadly = 0
        #: Whether this process has nothing left to do then.
        self.is_last = False
        self._wake = wake
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if _is_main():
            is_silent = sigint.is_silent()
            for number in _numbers():
                # None: C code listens, which cannot be put back.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
            if is_silent:  # which is for our own code, and not for scripts
                self._before[signal.SIGINT] = signal.default_int_handler
        return self

    def _note(self, number: int, frame: FrameType | None = None) -> None:
        self.count += 2 if number == _AT_ONCE else 1
        if number != signal.SIGINT:
            self.deadly = number
        self._wake()

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Inside, for code of somebody else, Ctrl-C does what it did before us."""
        if signal.SIGINT not in self._before or not _is_main():
            yield
            return
        try:
            self._put({signal.SIGINT: self._before[signal.SIGINT]})
            yield
        finally:
            self._hear()

    def lend(self, act: Callable[[], Result]) -> Result:
        """What *act*, a script in this process, gives: while it runs all of them do what they did
        before us. Ctrl-C counts, too, if the script has caught it.
        """
        if not self._before or not _is_main():
            return act()
        ear = _Ear()
        try:
            with ear if _CAN_HEAR else nullcontext():
                return self._lend(act)
        finally:
            if ear.has_heard:
                self._note(signal.SIGINT)

    def _lend(self, act: Callable[[], Result]) -> Result:
        is_blocked = signal.SIGINT in sigmask(BLOCK, ())
        try:
            self._put(self._before)
            result = act()
            sigmask(BLOCK, _INT)
        except BaseException:
            try:
                sigmask(BLOCK, _INT)
            except BaseException:  # once more, when the script has ended
                pass
            self._take_back(is_blocked)
            raise
        self._take_back(is_blocked)
        return result

    def _take_back(self, is_blocked: bool) -> None:
        self._hear()
        if not is_blocked:
            sigmask(UNBLOCK, _INT)

    def _hear(self) -> None:
        ours = dict.fromkeys(self._before, self._note)
        try:
            self._put(ours)
        except BaseException:  # one that came just before
            self._put(ours)
            raise

    @staticmethod
    def _put(handlers: dict[int, Any]) -> None:
        # A generator that nobody has closed may end in any thread.
        for number, handler in handlers.items() if _is_main() else ():
            signal.signal(number, handler)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.is_last and signal.SIGINT in self._before:
            self._before[signal.SIGINT] = _leave
        self._put(self._before)
        if self.deadly in self._before:
            signal.raise_signal(self.deadly)


def _leave(number: int, frame: FrameType | None) -> None:
    """Ctrl-C once more, when all has been said and the interpreter is about to end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass  # it is closed, or was being flushed
    os._exit(128 + number)


class _Ear:
    """Hears Ctrl-C inside the block, whoever handles it: a script that has it save a checkpoint
    and end well sees its own handlers, and none of ours.
    """

    def __init__(self) -> None:
        self.has_heard = False

    def __enter__(self) -> _Ear:
        # Not where a process has its streams: these may be closed.
        self._reader, self._writer = map(_above_streams, os.pipe())
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._before = self.listen(self._writer)
        if self._before != -1:  # an event loop around us listens itself
            self.listen(self._before)
        _listening.add(self._writer)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before == -1:
            self.listen(-1)
        _listening.discard(self._writer)
        try:
            os.close(self._writer)
            with open(self._reader, "rb", 0) as reader:
                self.has_heard = signal.SIGINT in (reader.read(_WHOLE_PIPE) or b"")
        except OSError:
            pass  # the script has closed all that was open

    @staticmethod
    def listen(number: int) -> int:
        """Have the numbers of signals written to descriptor *number*; where they were before."""
        return signal.set_wakeup_fd(number, warn_on_full_buffer=False)


def _above_streams(number: int) -> int:
    if number > 2:
        return number
    from kohaku_ast.runner.outcome import above_streams  # 9 ms

    return above_streams(number)


def _pause() -> None:
    """Before a fork: what the child hears is not for us."""
    if _listening and _is_main():
        number = _Ear.listen(-1)
        if number in _listening:
            _paused.append(number)
        else:
            _Ear.listen(number)


def _go_on() -> None:
    if _paused and _is_main():
        _Ear.listen(_paused.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause, after_in_parent=_go_on, after_in_child=_paused.clear)


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _numbers() -> list[int]:
    return [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
