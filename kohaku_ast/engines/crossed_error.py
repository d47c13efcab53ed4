"""Exceptions that come back from another process with their type, whatever their constructor."""

from __future__ import annotations

import pickle
import traceback

from kohaku_ast.engines.parcel import can_cross, crossing, dumps
from kohaku_ast.errors import PipelineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class RemoteTraceback(Exception):  # noqa: N818  # shown as the cause; it says where, not what
    """The traceback in the process where the exception was raised."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def pack_error(error: BaseException) -> tuple[Any, ...]:
    """*error* in parts that surely cross: the class, its arguments, its attributes, and its
    traceback as text.
    """
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    args = tuple(one if can_cross(one) else repr(one) for one in error.args)
    try:
        kind = dumps(type(error), "")
        pickle.loads(kind)
    except Exception:
        kind = dumps(PipelineError, "")
        args = (f"{type(error).__name__}: {error}",)
    return kind, args, crossing(error.__dict__), text


def unpack_error(packed: tuple[Any, ...]) -> BaseException:
    """The exception; its cause shows the traceback of the other process."""
    data, args, attributes, text = packed
    try:
        kind = pickle.loads(data)
        error: BaseException = kind.__new__(kind, *args)
        error.args = args
        error.__dict__.update(attributes)
    except Exception:  # its class is not to be had here
        error = PipelineError(text.strip().rpartition("\n")[2])
    error.__cause__ = RemoteTraceback(text)
    return error
