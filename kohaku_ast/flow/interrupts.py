"""Ctrl-C during a flow: counted, so that no process is lost between its start and its entry."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupts:
    """Inside the block, signals that ask us to end are counted instead of raised."""

    def __init__(self, wake: Callable[[], None], is_on: bool = True) -> None:
        """*wake* is called for each. Only the main thread can be asked; elsewhere it is off."""
        self.count = 0
        self._wake = wake
        self._is_on = is_on and threading.current_thread() is threading.main_thread()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        for name in _SIGNALS if self._is_on else ():
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        # SIGTERM comes from who will soon send SIGKILL: there is no time to be polite.
        self.count += 1 if number == signal.SIGINT else 2
        self._wake()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
