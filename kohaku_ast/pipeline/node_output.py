"""What the nodes of a recorded run print: to the streams of this process, as ever, and to its log.

Text that goes through ``sys.stdout`` and ``sys.stderr`` is kept, with every engine. What C code and
other programs print goes past them, and is not.

State of this process: the streams that stand in for both, how many runs need them, the open logs.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock

from kohaku_ast.frames import contextmanager
from kohaku_ast.helpers.run_context import current_run
from kohaku_ast.pipeline.failure import warn
from kohaku_ast.store.run_folder import LOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_NAMES = ("stdout", "stderr")
_MODE = 0o600
_SLACK = 4_000_000
"""Bytes by which a log may be too long before its middle is left out."""

_lock = allocate_lock()
_users = 0
_logs: dict[str, int] = {}
"""Folder of a record -> the descriptor of its log; -1: the disk has refused it."""


class LoggedStream:
    """Takes the place of a stream: what a node writes is kept, too."""

    def __init__(self, shown: Any) -> None:
        #: The stream itself.
        self.shown = shown

    def write(self, text: str) -> int:
        """Write *text* to the stream and, in a node, to the log."""
        self.keep(text)
        return self.shown.write(text)  # type: ignore[no-any-return]

    def writelines(self, lines: list[str]) -> None:
        """As ``write``."""
        self.write("".join(lines))

    def keep(self, text: str) -> None:
        """Write *text* to the log of the run whose node this code is in; outside of nodes nothing
        is kept.
        """
        run = current_run()
        if run is not None and run.node:
            append_log(os.path.dirname(run.files), text.encode("utf-8", "backslashreplace"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shown, name)


def append_log(folder: str, data: bytes) -> None:
    """Write *data* to the log of the run in *folder*; warn once if the disk refuses."""
    try:
        log = _open(folder)
        while data and log >= 0:
            data = data[os.write(log, data) :]
        size = os.fstat(log).st_size if log >= 0 else 0
        if size > _SLACK and size > _most() + _SLACK:
            limit_log(folder)
    except OSError as error:
        _logs[folder] = -1  # first: a warning is printed, too
        warn(f"cannot keep what nodes print in {folder!r}: {error.strerror}. The run goes on.")


def _open(folder: str) -> int:
    """The descriptor of the log in *folder*; it is opened when a node prints first."""
    if folder not in _logs:
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
        _logs[folder] = os.open(os.path.join(folder, LOG), flags, _MODE)
    return _logs[folder]


def _most() -> int:
    from kohaku_ast.flow.settings import FlowSettings  # here: most nodes print nothing

    return FlowSettings.log_limit


def limit_log(folder: str) -> int:
    """Leave out the middle of the log in *folder* if it is too long; how many bytes that are."""
    from kohaku_ast.flow import output_process

    log = os.open(os.path.join(folder, LOG), os.O_RDWR)
    try:
        output_process.limit_log(log, _most(), is_shared=True)
        return output_process.left_out(log, _most())
    finally:
        os.close(log)


def end_log(folder: str) -> dict[str, object]:
    """Close the log of the run in *folder*, which has ended; the fields that say what is kept."""
    log = _logs.pop(folder, None)
    if log is not None and log >= 0:
        os.close(log)
    try:
        if os.stat(os.path.join(folder, LOG)).st_size <= _SLACK:
            return {"log": LOG}  # sooner than it takes to import what limits it
        left_out = limit_log(folder)
    except OSError:
        return {"log": None}  # no node has printed anything
    return {"log": LOG, **({"log_left_out": left_out} if left_out else {})}


# --- the streams ---------------------------------------------------------------------------------


@contextmanager
def nodes_logged() -> Iterator[None]:
    """Inside, what nodes of recorded runs print is kept."""
    global _users
    with _lock:
        _users += 1
        take_streams()
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                _give_back()


def take_streams() -> None:
    """Stand in for both streams, unless that is so; in a worker process to its end."""
    for name in _NAMES:
        stream = getattr(sys, name)
        if stream is not None and not hasattr(stream, "keep"):
            setattr(sys, name, LoggedStream(stream))


def _give_back() -> None:
    for name in _NAMES:
        stream = getattr(sys, name)
        if type(stream) is LoggedStream:  # else other code has replaced it meanwhile
            setattr(sys, name, stream.shown)


@contextmanager
def own_streams() -> Iterator[None]:
    """Inside, the streams are those that the process has without a record: a script, which has a
    log of its own, finds them as under plain Python.
    """
    before = {name: getattr(sys, name) for name in _NAMES}
    _give_back()
    try:
        yield
    finally:
        for name, stream in before.items():
            if type(stream) is LoggedStream and getattr(sys, name) is stream.shown:
                setattr(sys, name, stream)
