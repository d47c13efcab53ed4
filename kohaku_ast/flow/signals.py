"""Ctrl-C during a flow is counted, not raised: no process is lost between its start and its entry.

State of this process, reset in forked children: ``_listening``, ``_paused``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from _signal import signal as set_handler  # type: ignore[import-not-found]  # without slow enums
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import FrameType, TracebackType
from typing import Any, TypeVar

from kohaku_ast import sigint
from kohaku_ast.frames import contextmanager
from kohaku_ast.sigint import BLOCK, UNBLOCK, sigmask
from kohaku_ast.transform.program.load import above_streams

Result = TypeVar("Result")

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
_KILLS_AT_ONCE = getattr(signal, "SIGQUIT", None)

_INT = (signal.SIGINT,)
_WHOLE_PIPE = 1 << 16
_HAS_PIPE = hasattr(os, "set_blocking") and os.name == "posix"

_listening: set[int] = set()
_paused: list[int] = []


class Interrupts:
    """Inside the block, signals that ask this process to end are counted instead of raised.

    Only the main thread gets signals; in another thread nothing is counted.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """*wake* is called for each signal."""
        self.count = 0
        #: A signal other than SIGINT, which ends this process after the block; else 0.
        self.deadly = 0
        #: Whether this process has nothing to do after the block.
        self.is_last = False
        self._wake = wake
        self._before: dict[int, Any] = {}
        #: Whether Ctrl-C came while no script had the signals: the next one gets it at its start.
        self._is_waiting = False

    def __enter__(self) -> Interrupts:
        if _is_main():
            is_silent = sigint.is_silent()
            for number in _numbers():
                # None: a handler of C code, which cannot be restored.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = set_handler(number, self._on_signal)
            if is_silent:  # for the code of kogine only, not for scripts
                self._before[signal.SIGINT] = signal.default_int_handler
        return self

    def _on_signal(self, number: int, frame: FrameType | None = None) -> None:
        self.count += 2 if number == _KILLS_AT_ONCE else 1
        self._is_waiting = self._is_waiting or (number == signal.SIGINT and frame is not None)
        if number != signal.SIGINT:
            self.deadly = number
        self._wake()

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Inside, for the code of the caller, Ctrl-C does what it did before the block."""
        if signal.SIGINT not in self._before or not _is_main():
            yield
            return
        try:
            self._put({signal.SIGINT: self._before[signal.SIGINT]})
            yield
        finally:
            self._install()

    def call(self, act: Callable[[], object]) -> None:
        """Call *act*, code of the user's. Ctrl-C ends it as before the block, and counts."""
        try:
            with self.raised():
                act()
        except KeyboardInterrupt:
            self._on_signal(signal.SIGINT)

    def lend(self, act: Callable[[], Result]) -> Result:
        """Call *act*, a script in this process, and return its result. While it runs, the signals
        do what they did before the block. Ctrl-C counts, too, if the script has caught it.
        """
        if not self._before or not _is_main():
            return act()
        pipe = _SignalPipe()
        try:
            with pipe if _HAS_PIPE else nullcontext():
                return self._lend(act)
        finally:
            if pipe.has_sigint:
                self._on_signal(signal.SIGINT)

    def _lend(self, act: Callable[[], Result]) -> Result:
        is_blocked = signal.SIGINT in sigmask(BLOCK, ())
        try:
            self._put(self._before)
            if self._is_waiting:
                self._is_waiting = False
                signal.raise_signal(signal.SIGINT)
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
        self._install()
        if not is_blocked:
            sigmask(UNBLOCK, _INT)

    def _install(self) -> None:
        ours = dict.fromkeys(self._before, self._on_signal)
        try:
            self._put(ours)
        except BaseException:  # a signal that came just before
            self._put(ours)
            raise

    @staticmethod
    def _put(handlers: dict[int, Any]) -> None:
        # A generator that was never closed may end in any thread.
        for number, handler in handlers.items() if _is_main() else ():
            set_handler(number, handler)

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
    """Handle Ctrl-C after the last message, when the interpreter is about to end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass  # it is closed, or was being flushed
    os._exit(128 + number)


class _SignalPipe:
    """Records Ctrl-C inside the block, whatever handles it: a script that saves a checkpoint on
    Ctrl-C and ends well sees its own handlers only.
    """

    def __init__(self) -> None:
        self.has_sigint = False

    def __enter__(self) -> _SignalPipe:
        # Not in the place of a closed standard stream: the script may close that one.
        self._reader, self._writer = map(above_streams, os.pipe())
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._before = self.listen(self._writer)
        if self._before != -1:  # an event loop around this block listens itself
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
                self.has_sigint = signal.SIGINT in (reader.read(_WHOLE_PIPE) or b"")
        except OSError:
            pass  # the script has closed all descriptors

    @staticmethod
    def listen(number: int) -> int:
        """Have signal numbers written to descriptor *number*; return the one used before."""
        return signal.set_wakeup_fd(number, warn_on_full_buffer=False)


def _pause() -> None:
    """Before a fork: the signals of the child are not for this process."""
    if _listening and _is_main():
        number = _SignalPipe.listen(-1)
        if number in _listening:
            _paused.append(number)
        else:
            _SignalPipe.listen(number)


def _resume() -> None:
    if _paused and _is_main():
        _SignalPipe.listen(_paused.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause, after_in_parent=_resume, after_in_child=_paused.clear)


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _numbers() -> list[int]:
    return [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
