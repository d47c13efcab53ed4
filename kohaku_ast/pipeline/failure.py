"""A node that raised: what ``last_error`` keeps, the note on its exception, its traceback.

State of a context (a thread and what it calls): whether this is a worker process.
"""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar

from kohaku_ast.errors import KogineError
from kohaku_ast.frames import put_part, put_traceback
from kohaku_ast.user_code import GENERATED_FILE
from kohaku_ast.users_traceback import show_users_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType, TracebackType
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike


_PACKAGE = os.path.dirname(os.path.dirname(__file__))
_ROOMS = ("pipeline", "engines", "imperative", "systems")
_OURS = tuple(os.path.join(_PACKAGE, room, "") for room in _ROOMS)
#: Our functions that call a node. An exception without a frame of one of them is a bug of ours.
_CALLERS = {"call", "call_async"}


class Failure:
    """A node that raised, with the inputs to call it again: ``Pipeline.last_error``."""

    def __init__(
        self,
        node: NodeLike,
        error: BaseException,
        inputs: Mapping[str, Any],
        results: Mapping[str, Any],
        item: int | None = None,
    ) -> None:
        #: The node that raised.
        self.node = node
        #: The exception.
        self.error = error
        #: Its inputs, by name.
        self.inputs = dict(inputs)
        #: The outputs of other nodes of the run by then, by name.
        self.results = dict(results)
        #: The item of the map, counted from 0.
        self.item = item

    def reproduce(self) -> Any:
        """Call the node again with the same inputs: raises the exception again, or returns the
        values of the outputs as ``Node.run`` does.
        """
        if not self.node.is_async:
            return self.node.run(self.inputs)
        from kohaku_ast.pipeline.node_like import run_async

        return run_async(self.node, self.inputs)

    def __str__(self) -> str:
        return note(self.node, self.inputs, self.item)

    def __repr__(self) -> str:
        return f"<{type(self.error).__name__} {self}>"


def note(node: NodeLike, inputs: Mapping[str, Any], item: int | None = None) -> str:
    """``in node 'fit' (train.py:12), item 3, with lr=0.1, data=[1, 2, ...]``."""
    from kohaku_ast.display.text import short_repr

    values = ", ".join(f"{name}={short_repr(value)}" for name, value in inputs.items())
    which = "" if item is None else f", item {item}"
    return f"in node {node.name!r} ({node.where}){which}{', with ' if values else ''}{values}"


def add_note(error: BaseException, text: str) -> None:
    """Have the traceback of *error* show *text* too."""
    if sys.version_info >= (3, 11):
        put_part(error, "__notes__", [*getattr(error, "__notes__", ()), text])
        return
    # Python 3.10 shows no notes in tracebacks: the message, if it is plain text, gets it.
    try:
        notes = [*getattr(error, "__notes__", ()), text]
        error.__dict__["__notes__"] = notes
        if len(error.args) == 1 and type(error.args[0]) is str and str(error) == error.args[0]:
            error.args = (f"{error.args[0]}\n{text}",)
    except Exception:  # an exception that takes no attributes
        pass


class FailedItem:
    """Stands for the result of an item of ``map(..., on_error="keep")`` that raised."""

    __slots__ = ("exception", "failure", "index")

    def __init__(self, index: int, exception: BaseException, failure: Failure | None) -> None:
        #: The item, counted from 0.
        self.index = index
        #: The exception.
        self.exception = exception
        #: The node and its inputs.
        self.failure = failure

    def __bool__(self) -> bool:
        """False: ``[one for one in results if one]`` has the results of items that succeeded."""
        return False

    def __repr__(self) -> str:
        return f"<item {self.index} failed: {type(self.exception).__name__}: {self.exception}>"


IN_WORKER: ContextVar[bool] = ContextVar("kogine-worker", default=False)
"""True in a worker process."""


def enter_worker(is_received: bool) -> None:
    """Mark this context as a worker process at the start of a task that another process sent."""
    if is_received:
        IN_WORKER.set(True)


def warn(text: str) -> None:
    """Print *text* as a warning of kogine: a run goes on without a part of its record."""
    from kohaku_ast.flow.flows import warn_on_stderr  # here: it is seldom needed, and takes 40 ms

    warn_on_stderr(text)


class RemoteTraceback(Exception):  # noqa: N818  # it is shown as the cause of the error
    """The traceback in the process where an exception was raised."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def trim_traceback(error: BaseException) -> None:
    """Remove our frames from the traceback: it starts at the user's first function. A KogineError
    of ours, and an exception from another process, which has its own text, get no traceback.
    """
    at = users_part(error)
    if at or isinstance(error, KogineError) or isinstance(error.__cause__, RemoteTraceback):
        put_traceback(error, at)
    show_users_frames(error)


def users_part(error: BaseException) -> TracebackType | None:
    """The traceback of *error* from the user's first function on."""
    at, called = error.__traceback__, False
    while at and not (called and not _is_ours(at.tb_frame.f_code)):
        called = _calls_nodes(at.tb_frame.f_code)
        at = at.tb_next
    return at


def _is_ours(code: CodeType) -> bool:
    return code.co_filename == GENERATED_FILE or code.co_filename.startswith(_OURS)


def _calls_nodes(code: CodeType) -> bool:
    return code.co_filename == GENERATED_FILE or (
        code.co_name in _CALLERS and code.co_filename.startswith(_OURS)
    )


class ScriptTraceback(RemoteTraceback):
    """The traceback of a script that ran in a process of its own."""
