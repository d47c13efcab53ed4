"""Exceptions that come back from another process with their type, whatever their constructor."""

from __future__ import annotations

import pickle
import traceback

from kohaku_ast.engines.parcel import can_cross, crossing, dumps
from kohaku_ast.errors import PipelineError
from kohaku_ast.pipeline.apart import ScriptTraceback
from kohaku_ast.pipeline.frames import RemoteTraceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def pack_error(error: BaseException) -> tuple[Any, ...]:
    """*error* as bytes, or in parts if pickle cannot make it again: the class, its arguments and
    its attributes; and its traceback as text.
    """
    cause = error.__cause__
    text = (
        str(cause.args[0])  # it has no frames but ours here: a script ran in another process still
        if isinstance(cause, ScriptTraceback)
        else "".join(traceback.format_exception(type(error), error, error.__traceback__))
    )
    return (_whole(error) or _parts(error)), text


def _whole(error: BaseException) -> bytes | None:
    """None for a class whose constructor does not make an equal exception of the arguments."""
    try:
        data = dumps(error, "")
        again = pickle.loads(data)
        return data if type(again) is type(error) and str(again) == str(error) else None
    except Exception:  # whatever a constructor of the user's raises
        return None


def _parts(error: BaseException) -> tuple[Any, ...]:
    args = tuple(one if can_cross(one) else repr(one) for one in error.args)
    try:
        kind = dumps(type(error), "")
        pickle.loads(kind)
    except Exception:
        kind, args = dumps(PipelineError, ""), (f"{type(error).__name__}: {error}",)
    return kind, args, crossing(error.__dict__)


def unpack_error(packed: tuple[Any, ...]) -> BaseException:
    """The exception; its cause shows the traceback of the other process."""
    what, text = packed
    try:
        error: BaseException = pickle.loads(what) if isinstance(what, bytes) else _made(*what)
    except Exception:  # its class is not to be had here
        error = PipelineError(text.strip().rpartition("\n")[2])
    error.__cause__ = RemoteTraceback(text)
    return error


def _made(data: bytes, args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    kind = pickle.loads(data)
    error: BaseException = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error
