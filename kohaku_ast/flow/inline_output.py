"""The output of a run in this process, on its way into a log."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from kohaku_ast.flow.tee import Tee
from kohaku_ast.flow.tee_process import write


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
    kept = {number: _copied(number) for number in targets}
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


def _copied(number: int) -> int | None:
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
