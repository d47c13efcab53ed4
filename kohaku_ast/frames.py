"""Frames of ours are hidden: no traceback, debugger, warning or ``sys._getframe`` shows them.

CPython does not show the frame of a call that has not reached its first ``RESUME`` yet, and skips
it in every list of frames. A function without that instruction never reaches it. Python 3.10 has
no such instruction: there our frames are visible, and are cut off the tracebacks that are printed.
"""

from __future__ import annotations

import builtins
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager
    from types import CodeType, FrameType, TracebackType
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")
    T = TypeVar("T")


_BUILTINS = dict(vars(builtins))


def keep_builtins(module: dict[str, object]) -> None:
    """Have functions that are made from now on in the namespace *module* use the builtins as they
    are now: a script may replace ``builtins.isinstance``, and our code runs after it.
    """
    module["__builtins__"] = _BUILTINS


keep_builtins(globals())


def _two_lines() -> None:
    """Begins with a RESUME and a NOP: importing opcode would take 0.4 ms of every start."""
    pass  # noqa: PIE790
    pass  # noqa: PIE790


def hidden(function: Callable[P, R]) -> Callable[P, R]:
    """*function*, whose frames nobody sees from now on. It must not be a generator."""
    function.__code__ = without_resume(function.__code__)
    return function


def without_resume(code: CodeType) -> CodeType:
    """*code*, such that its frame is hidden while it runs."""
    if sys.version_info < (3, 11) or sys.implementation.name != "cpython":
        return code
    resume, nop = _two_lines.__code__.co_code[:4:2]
    bytes_ = code.co_code
    at = bytes_[::2].index(resume) * 2
    return code.replace(co_code=bytes_[:at] + bytes((nop, 0)) + bytes_[at + 2 :])


def _call(act: Callable[..., object], *arguments: object) -> None:
    act(*arguments)


# Bound here: the script may change them. (Its audit hooks get no events of them, either.)
_gettrace, _settrace = sys.gettrace, sys.settrace
_getprofile, _setprofile = sys.getprofile, sys.setprofile
_write = os.write


@hidden
def untraced(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What *call* returns; a tracer of the script's sees none of its frames."""
    tracer = _gettrace()
    _settrace(None)
    try:
        return call(*args, **kwargs)
    finally:
        _settrace(tracer)


_function: Any = type(_call)
put_traceback = BaseException.with_traceback
"""Gives an exception its traceback, and ``put_part`` its cause or context: the class of a user's
exception, such as a frozen dataclass, may refuse an assignment.
"""
put_part = object.__setattr__

plainly: Callable[..., None] = _function(
    without_resume(_call.__code__), {"__name__": __name__, "__builtins__": builtins}
)
"""Calls a function with the builtins of the script: to print a traceback, CPython imports a module
by the ``__import__`` of the frame that is running.
"""


@hidden
def trimmed(trace: TracebackType | None) -> TracebackType | None:
    """*trace* from its first frame that is not ours. Only Python 3.10 shows any of ours."""
    while trace is not None and is_ours(trace.tb_frame):
        trace = trace.tb_next
    if sys.version_info < (3, 11):
        _cut_imports(trace)
    return trace


def _cut_imports(trace: TracebackType | None) -> None:
    """Take our import hook out of *trace*, and Python's own import around it: Python takes that
    away itself where no other frame stands in between.
    """
    while trace is not None:
        below, has_ours = trace.tb_next, False
        while below is not None and (is_ours(below.tb_frame) or _imports(below.tb_frame)):
            has_ours, below = has_ours or is_ours(below.tb_frame), below.tb_next
        trace.tb_next = below if has_ours else trace.tb_next
        trace = trace.tb_next


def _imports(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith("<frozen importlib")


def without_ours(trace: TracebackType | None) -> TracebackType | None:
    """*trace* without any frame of ours or of a pipeline's code: the user's own code."""
    trace = trimmed(trace)
    while trace is not None and trace.tb_frame.f_code.co_filename == "<pipeline of kohaku_ast>":
        trace = trimmed(trace.tb_next)
    if trace is not None:
        trace.tb_next = without_ours(trace.tb_next)
    return trace


@hidden
def unseen(act: Callable[[], R]) -> R:
    """Call *act* without a tracer or profiler that the script has left on: it would see what *act*
    calls, functions of Python's own too.
    """
    tracer, profiler = _gettrace(), _getprofile()
    _settrace(None)
    _setprofile(None)
    try:
        return act()
    finally:
        _setprofile(profiler)
        _settrace(tracer)


@hidden
def is_ours(frame: FrameType) -> bool:
    """Whether *frame* runs a function of kohaku_ast or kogine."""
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and name.partition(".")[0] in ("kogine", "kohaku_ast")


def say(text: str) -> None:
    """Write *text* to the descriptor of stderr, whatever the script has put in ``sys.stderr``;
    nothing if that is closed.
    """
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        _write(2, text.encode("utf-8", "backslashreplace"))
    except (OSError, ValueError, AttributeError):  # there is nowhere else to write it to
        pass


def contextmanager(function: Callable[P, Iterator[T]]) -> Callable[P, AbstractContextManager[T]]:
    """As that of contextlib, which gives an exception its traceback by an assignment."""

    def block(*args: P.args, **kwargs: P.kwargs) -> AbstractContextManager[T]:
        steps: Any = function(*args, **kwargs)
        return _Block(steps)

    block.__name__, block.__doc__ = function.__name__, function.__doc__
    return block


class _Block:
    """A ``with`` block: the lines of a generator before and after its one ``yield``."""

    def __init__(self, steps: Generator[Any, None, None]) -> None:
        self._steps = steps

    def __enter__(self) -> Any:
        return next(self._steps)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None:
            next(self._steps, None)
            return False
        try:
            self._steps.throw(error)
        except StopIteration as end:
            return end is not error  # else the block has raised it, outside the generator
        except BaseException as raised:
            is_wrapped = isinstance(error, StopIteration) and raised.__cause__ is error
            if raised is not error and not is_wrapped:
                raise
            put_traceback(error, trace)
            return False
        return True
