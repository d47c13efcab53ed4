"""Starts the script where Python starts it: with nothing below it on the stack.

An installed command is a script itself: whatever it calls runs above its frame, and
``traceback.print_stack``, ``warnings.warn(stacklevel=2)``, ``inspect.stack``, a debugger and
the report of a failed log call would all show it. So the command ends, by an exception, and
the interpreter calls ``sys.excepthook`` when nothing is on the stack any more: there the
script runs. It leaves by ``SystemExit`` as any program may, and what it raises is printed
here, step by step as CPython does it.
"""

from __future__ import annotations

import builtins
import os
import sys

from kohaku_ast.frames import hidden
from kohaku_ast.sigint import BLOCK, HELD, UNBLOCK, aloud, sigmask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType, TracebackType
    from typing import Any, NoReturn


_LAST = ("last_type", "last_value", "last_traceback", "last_exc")
_display = sys.__excepthook__
_audit = sys.audit
_write = os.write


def is_command(frame: FrameType | None) -> bool:
    """Whether *frame* is the installed command's, or that of ``python -m``, and nothing else
    stands below it: no debugger, profiler or program that waits for us to come back.
    """
    if frame is None or sys.implementation.name != "cpython" or sys.flags.inspect:
        return False
    if frame.f_code.co_name != "<module>" or _catches(frame.f_code):
        return False
    below = frame.f_back
    while below is not None and below.f_globals.get("__name__") == "runpy":
        below = below.f_back
    return below is None


def _catches(code: CodeType) -> bool:
    """Whether *code* does something when an exception passes."""
    if sys.version_info >= (3, 11):
        return bool(code.co_exceptiontable)
    from opcode import opmap

    return bool({opmap["SETUP_FINALLY"], opmap["SETUP_WITH"]}.intersection(code.co_code[::2]))


class _Leave(BaseException):
    """Ends the command. Nobody sees it."""


def leave_for(start: Callable[[], int]) -> NoReturn:
    """Unwind the stack; the interpreter then calls *start* and exits with what it returns."""
    shown, run = sys.excepthook, _run  # not by their globals: the lowest frame has others
    sys.excepthook = _lowest(lambda kind, value, trace: run(start, shown, value))
    raise _Leave


def _lowest(hook: Callable[..., None]) -> Callable[..., None]:
    """*hook*, as the one frame that is seen below the script.

    One has to be: with all of them hidden, Python 3.11 steps back from a dead frame to where
    they were, and 3.12 stops a traced script for want of a frame. It looks like the place that
    warnings name when nothing is below, so that these at least read the same.
    """
    file, line = ("<sys>", 0) if sys.version_info >= (3, 13) else ("sys", 1)
    code = hook.__code__.replace(co_filename=file, co_firstlineno=line, co_name="<module>")
    names = {"__name__": "sys", "__builtins__": builtins}
    function: Any = type(hidden)
    made: Callable[..., None] = function(code, names, "<module>", None, hook.__closure__)
    return made


@hidden
def _forget(value: BaseException) -> None:
    """Leave no sign of the exception that brought us here: it would keep objects alive."""
    for name in _LAST:
        if hasattr(sys, name):
            delattr(sys, name)
    trace = value.__traceback__
    value.__traceback__ = None
    while trace is not None:
        trace.tb_frame.clear()
        trace.tb_next, trace = None, trace.tb_next


@hidden
def _run(start: Callable[[], int], hook: object, carrier: BaseException) -> None:
    """Returns, for SIGINT to follow, if *start* was interrupted; else raises SystemExit."""
    sys.excepthook = hook  # type: ignore[assignment]
    _forget(carrier)
    end: BaseException | None = None
    try:
        end = SystemExit(start())
        sigmask(BLOCK, HELD)
    except BaseException as error:
        try:
            sigmask(BLOCK, HELD)
        except BaseException:
            pass
        end = end or _of_script(error)
    try:
        _flush()
        left = _told(end)
    except BaseException:  # a thread of the script's has heard it, which blocks nothing
        left = _left_by(end)
    # Python looks for signals after a call, and not between the last one and the end of this frame:
    # a SIGINT that comes now finds the code that the interpreter runs at its end.
    try:
        sigmask(UNBLOCK, HELD)
    except BaseException:
        pass
    if left is not None:
        raise left


@hidden
def _of_script(error: BaseException) -> BaseException | None:
    """What ended the script, if *error* came out: Ctrl-C in a frame of ours may have come on top
    of it. None if there was nothing else.
    """
    found: BaseException | None = error
    while type(found) is KeyboardInterrupt and not _shows_script(found.__traceback__):
        found = found.__context__
    return found


@hidden
def _shows_script(trace: TracebackType | None) -> bool:
    if sys.version_info < (3, 11):  # where our frames are seen
        trace = trimmed(trace)
    return trace is not None and not _is_ours(trace.tb_frame)


@hidden
def _told(end: BaseException | None) -> SystemExit | None:
    """Show what ended the script; how the process ends, None by SIGINT."""
    if end is not None and not isinstance(end, SystemExit):
        raised = aloud(_print, end)
        if isinstance(raised, SystemExit):  # of the script's own excepthook
            return raised
    return _left_by(end)


@hidden
def _left_by(end: BaseException | None) -> SystemExit | None:
    """How the process ends of which *end* is the end."""
    if isinstance(end, SystemExit):
        return end
    if end is not None and type(end) is not KeyboardInterrupt:
        return SystemExit(1)
    _die_of_sigint()
    return None


@hidden
def _die_of_sigint() -> None:
    """After everything is torn down: CPython does so if the last text that it ran, here by
    ``exec``, left a KeyboardInterrupt.
    """
    try:
        exec("raise KeyboardInterrupt", {})
    except KeyboardInterrupt:
        pass


@hidden
def _flush() -> None:
    """As CPython does when the script has ended."""
    _forget_debugger()
    for name in ("stderr", "stdout"):
        aloud(_flush_one, name)  # as CPython: what is left is tried again at the very end


@hidden
def _flush_one(name: str) -> None:
    getattr(sys, name).flush()


@hidden
def _forget_debugger() -> None:
    """One that steps over the script's end would go on in the lowest frame."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
    frame.f_trace = None


@hidden
def _print(error: BaseException) -> None:
    """``PyErr_Print``."""
    trace = trimmed(error.__traceback__)
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    hook = getattr(sys, "excepthook", _MISSING)
    _audit("sys.excepthook", None if hook is _MISSING else hook, type(error), error, trace)
    if hook is _MISSING:
        _say("sys.excepthook is missing\n")
        _display(type(error), error, trace)
    else:
        call_hook(hook, error, trace)


_MISSING = object()


@hidden
def call_hook(hook: object, error: BaseException, trace: TracebackType | None) -> None:
    """Have *hook*, an excepthook, show *error*; one that fails is shown itself."""
    try:
        hook(type(error), error, trace)  # type: ignore[operator]
        return
    except SystemExit:
        raise
    except BaseException as raised:
        if type(raised) is KeyboardInterrupt and not _shows_script(raised.__traceback__):
            return  # Ctrl-C once more, when it was shown
        broken = raised
    _say("Error in sys.excepthook:\n")
    broken.__traceback__ = trimmed(broken.__traceback__)
    _display(type(broken), broken, broken.__traceback__)
    _say("\nOriginal exception was:\n")
    _display(type(error), error, trace)


@hidden
def trimmed(trace: TracebackType | None) -> TracebackType | None:
    """*trace* from the first frame that is not ours. Only Python 3.10 shows any."""
    while trace is not None and _is_ours(trace.tb_frame):
        trace = trace.tb_next
    return trace


def without_ours(trace: TracebackType | None) -> TracebackType | None:
    """*trace* without any frame of ours: where the user's code was interrupted."""
    trace = trimmed(trace)
    while trace is not None and trace.tb_frame.f_code.co_filename == "<pipeline of kohaku_ast>":
        trace = trimmed(trace.tb_next)
    if trace is not None:
        trace.tb_next = without_ours(trace.tb_next)
    return trace


@hidden
def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and name.partition(".")[0] in ("kogine", "kohaku_ast")


@hidden
def _say(text: str) -> None:
    try:
        sys.stderr.write(text)
    except BaseException:
        _write(2, text.encode())
