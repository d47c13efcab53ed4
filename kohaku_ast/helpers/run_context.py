"""The run that code is in: where its files belong, and its number in a flow.

A run that code has entered counts first (a ``ContextVar``, then the one of this process, for
threads and executors that did not inherit the context), then what the environment says: a run of
kogine, a process that it started, a subprocess of the script.

State of this process: the runs that were entered, and what the environment said last.
"""

from __future__ import annotations

import os
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Any

RUN_DIR = "KOGINE_RUN_DIR"
"""The variable that names the folder for the files of a run to its script."""
INDEX, WORKER, REPEAT = "KOGINE_RUN_INDEX", "KOGINE_WORKER_ID", "KOGINE_REPEAT"
"""The variables with the number of a run in its flow, that of its worker and its repetition."""
RESUMED_FROM = "KOGINE_RESUMED_FROM"
"""The variable that names the folder of the record whose run goes on in this one."""
STANDALONE = "KOGINE_STANDALONE"
"""The variable with the folder of the record of a script that kogine has not started; for the
processes that this starts.
"""
_VARIABLES = (RUN_DIR, INDEX, WORKER, REPEAT)


class CurrentRun:
    """The run that code is in."""

    __slots__ = ("files", "index", "is_elsewhere", "next_step", "node", "repeat", "worker")

    def __init__(
        self,
        files: str = "",
        index: int | None = None,
        worker: int | None = None,
        repeat: int | None = None,
        node: str = "",
        is_elsewhere: bool = False,
    ) -> None:
        #: The folder for its files (``KOGINE_RUN_DIR``), or empty: the run is not recorded.
        self.files = files
        #: Its number in the flow, that of its worker and that of the repetition, each from 0; None
        #: if there is none.
        self.index, self.worker, self.repeat = index, worker, repeat
        #: The node of a pipeline that the code is in, ``outer/train``; empty outside of nodes.
        self.node = node
        #: Whether another process has the run, and this one is a worker of its.
        self.is_elsewhere = is_elsewhere
        #: What the logger counts on from in this call of the node.
        self.next_step = 0

    @property
    def record(self) -> str:
        """The folder of its record; empty if it has none."""
        folder = os.path.dirname(self.files)
        return folder if self.files and os.path.isdir(folder) else ""

    def make_files(self) -> str:
        """The folder for its files, which is there then; the working folder of a run without a
        record.
        """
        if not self.record:
            return os.getcwd()
        os.makedirs(self.files, 0o700, exist_ok=True)
        return self.files

    def __repr__(self) -> str:
        shown = (
            (name, getattr(self, name)) for name in ("files", "index", "worker", "repeat", "node")
        )
        given = ", ".join(f"{name}={one!r}" for name, one in shown if one not in ("", None))
        return f"CurrentRun({given})"


class Entered:
    """A run that code has entered: leave it by ``close``, or at the end of a ``with`` block."""

    def __init__(self, run: CurrentRun, is_of_process: bool) -> None:
        self._token: Token[CurrentRun | None] | None = _of_context.set(run)
        self._run, self._is_of_process = run, is_of_process
        if is_of_process:
            _of_process.append(self)

    def close(self) -> None:
        """Leave the run: the outer one is the current one again."""
        token, self._token = self._token, None
        if token is None:
            return
        if self._is_of_process:
            _of_process.remove(self)  # others may have been entered in another task meanwhile
        try:
            _of_context.reset(token)
        except ValueError:
            pass  # it was entered in another context, such as another task of asyncio

    @property
    def run(self) -> CurrentRun:
        """What was entered."""
        return self._run

    def __enter__(self) -> CurrentRun:
        return self._run

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


_of_context: ContextVar[CurrentRun | None] = ContextVar("kohaku_ast_run", default=None)
_of_process: list[Entered] = []
_of_environment: CurrentRun | None = None
_said: tuple[object, object] = (None, None)


def enter_run(run: CurrentRun, *, is_of_process: bool = True) -> Entered:
    """Make *run* the current one, for this context and, if it *is_of_process*, for the threads of
    this process that are in no run.
    """
    return Entered(run, is_of_process)


def current_run() -> CurrentRun | None:
    """The run that this code is in; None outside of runs, as under plain Python."""
    found = _of_context.get()
    if found is not None:
        return found
    if _of_process:
        return _of_process[-1].run
    # `os.environ.get` encodes and decodes: 0.5 us for each name.
    raw: Any = getattr(os.environ, "_data", os.environ)
    said = raw.get(_FILES), raw.get(_INDEX)
    return _of_environment if said == _said else _look(said)


def _key(name: str) -> object:
    encode = getattr(os.environ, "encodekey", None)
    return encode(name) if encode is not None and hasattr(os.environ, "_data") else name


# Every run has another folder or another number: no need to compare the rest.
_FILES, _INDEX = map(_key, _VARIABLES[:2])


def _look(said: tuple[object, object]) -> CurrentRun | None:
    """The run that the environment names, whose first two variables are *said*."""
    global _said, _of_environment
    files, *texts = (os.environ.get(name, "") for name in _VARIABLES)
    index, worker, repeat = (int(text) if text.isdecimal() else None for text in texts)
    is_run = bool(files) or index is not None
    _of_environment = CurrentRun(files, index, worker, repeat) if is_run else None
    _said = said
    return _of_environment
