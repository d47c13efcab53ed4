"""Starts the script where Python starts it: with an empty stack below it.

On the warm path. An installed command is a script itself: whatever it calls runs above its frame,
and ``traceback.print_stack``, ``warnings.warn(stacklevel=2)``, ``inspect.stack``, a debugger and
the report of a failed log call would all show it. So the command ends, by an exception, and
the interpreter calls ``sys.excepthook`` when the stack is empty: there the script runs. It exits
by ``SystemExit`` as any program may, and what it raises is printed here, step by step as CPython
does it.
"""

from __future__ import annotations

import builtins
import os
import sys

from kohaku_ast.frames import hidden, is_ours, keep_builtins, plainly, put_traceback, trimmed
from kohaku_ast.sigint import BLOCK, OWN_SIGNALS, UNBLOCK, call_unblocked, sigmask

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType, TracebackType
    from typing import Any, NoReturn


_kept: list[Any] = []
_LAST = ("last_type", "last_value", "last_traceback", "last_exc")
_display = sys.__excepthook__
_audit = sys.audit
_getframe = sys._getframe
_write = os.write


def is_command(frame: FrameType | None) -> bool:
    """Whether *frame* is that of the installed command or of ``python -m``, and the lowest one: no
    debugger, profiler or other program waits for us to return.
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
    """Whether *code* handles exceptions."""
    if sys.version_info >= (3, 11):
        return bool(code.co_exceptiontable)
    from opcode import opmap

    return bool({opmap["SETUP_FINALLY"], opmap["SETUP_WITH"]}.intersection(code.co_code[::2]))


class _Leave(BaseException):
    """Unwinds the stack of the command. Nothing prints it."""


def leave_for(start: Callable[[], int]) -> NoReturn:
    """Unwind the stack; the interpreter then calls *start* and exits with its result."""
    # Bound here: the function below has other globals.
    hook, run = sys.excepthook, _run
    # CPython uses its namespace once more after the excepthook, and has let go of the module.
    _kept.append(sys.modules["__main__"])
    sys.excepthook = _lowest(lambda kind, value, trace: run(start, hook, value))
    raise _Leave


def _lowest(hook: Callable[..., None]) -> Callable[..., None]:
    """*hook*, as the one frame below the script that is visible.

    One has to be: if all are hidden, Python 3.11 goes back from a dead frame to where they were,
    and 3.12 stops a traced script for lack of a frame. This one looks like the place that warnings
    name when the stack is empty, so that warnings at least read the same.
    """
    file, line = ("<sys>", 0) if sys.version_info >= (3, 13) else ("sys", 1)
    code = hook.__code__.replace(co_filename=file, co_firstlineno=line, co_name="<module>")
    names = {"__name__": "sys", "__builtins__": builtins}
    function: Any = type(hidden)
    made: Callable[..., None] = function(code, names, "<module>", None, hook.__closure__)
    return made


@hidden
def _forget(value: BaseException) -> None:
    """Delete all references to the exception that ended the command: they keep objects alive."""
    for name in _LAST:
        if hasattr(sys, name):
            delattr(sys, name)
    trace = value.__traceback__
    put_traceback(value, None)
    while trace is not None:
        trace.tb_frame.clear()
        trace.tb_next, trace = None, trace.tb_next


@hidden
def _run(start: Callable[[], int], hook: object, carrier: BaseException) -> None:
    """Call *start*. Returns if it was interrupted, for SIGINT to follow; else raises SystemExit."""
    sys.excepthook = hook  # type: ignore[assignment]
    _forget(carrier)
    end: BaseException | None = None
    try:
        end = SystemExit(start())
        sigmask(BLOCK, OWN_SIGNALS)
    except BaseException as error:
        try:
            sigmask(BLOCK, OWN_SIGNALS)
        except BaseException:  # Ctrl-C once more, just before it is blocked
            pass
        end = end or _of_script(error)
    try:
        _flush()
        exit_ = _print_end(end)
    except BaseException:  # SIGINT reached a thread of the script, which blocks nothing
        exit_ = _exit_of(end)
    # Python looks for signals after a call, and not between the last call and the end of this
    # frame: a SIGINT that arrives now meets the code that the interpreter runs at its end.
    try:
        sigmask(UNBLOCK, OWN_SIGNALS)
    except BaseException:  # a Ctrl-C that has waited: the end is printed already
        pass
    if exit_ is not None:
        raise exit_


@hidden
def _of_script(error: BaseException) -> BaseException | None:
    """The exception that ended the script, from *error*, which may be a Ctrl-C in a frame of ours
    after it. None if there is no other.
    """
    found: BaseException | None = error
    while type(found) is KeyboardInterrupt and not _shows_script(found.__traceback__):
        found = found.__context__
    return found


@hidden
def _shows_script(trace: TracebackType | None) -> bool:
    if sys.version_info < (3, 11):  # where our frames are seen
        trace = trimmed(trace)
    return trace is not None and not is_ours(trace.tb_frame)


@hidden
def _print_end(end: BaseException | None) -> SystemExit | None:
    """Print what ended the script; how the process exits, None for SIGINT."""
    if end is not None and not isinstance(end, SystemExit):
        raised = call_unblocked(_print, end)
        if isinstance(raised, SystemExit):  # of the script's own excepthook
            return raised
    return _exit_of(end)


@hidden
def _exit_of(end: BaseException | None) -> SystemExit | None:
    """How the process exits after *end*; None for SIGINT."""
    if isinstance(end, SystemExit):
        return end
    if end is not None and type(end) is not KeyboardInterrupt:
        return SystemExit(1)
    _die_of_sigint()
    return None


@hidden
def _die_of_sigint() -> None:
    """Have CPython end by SIGINT after it has torn down everything: it does if the last text that
    it ran, here by ``exec``, left a KeyboardInterrupt.
    """
    try:
        exec("raise KeyboardInterrupt", {})
    except KeyboardInterrupt:
        pass


@hidden
def _flush() -> None:
    """Flush the streams, as CPython does when the script has ended."""
    _forget_debugger()
    for name in ("stderr", "stdout"):
        call_unblocked(_flush_one, name)  # as in CPython, which tries again at the very end


@hidden
def _flush_one(name: str) -> None:
    getattr(sys, name).flush()


@hidden
def _forget_debugger() -> None:
    """A debugger that steps over the script's end would go on in the lowest frame."""
    frame = _getframe()
    while frame.f_back is not None:
        frame = frame.f_back
    frame.f_trace = None


@hidden
def _print(error: BaseException) -> None:
    """Print *error* as ``PyErr_Print`` does."""
    trace = trimmed(error.__traceback__)
    put_traceback(error, trace)
    set_last(error, trace)
    hook = getattr(sys, "excepthook", _MISSING)
    _audit("sys.excepthook", None if hook is _MISSING else hook, type(error), error, trace)
    if hook is _MISSING:
        _say("sys.excepthook is missing\n")
        plainly(_display, type(error), error, trace)
    else:
        call_hook(hook, error, trace)


@hidden
def set_last(error: BaseException, trace: TracebackType | None) -> None:
    """Set what exit functions find of *error*, which ends the script."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error


_MISSING = object()


@hidden
def call_hook(hook: object, error: BaseException, trace: TracebackType | None) -> None:
    """Have *hook*, an excepthook, print *error*; if it fails, its own exception is printed too."""
    try:
        plainly(hook, type(error), error, trace)
        return
    except SystemExit:
        raise
    except BaseException as raised:
        if type(raised) is KeyboardInterrupt and not _shows_script(raised.__traceback__):
            return  # Ctrl-C once more, after it was printed
        broken = raised
    _say("Error in sys.excepthook:\n")
    put_traceback(broken, trimmed(broken.__traceback__))
    plainly(_display, type(broken), broken, broken.__traceback__)
    _say("\nOriginal exception was:\n")
    plainly(_display, type(error), error, trace)


@hidden
def _say(text: str) -> None:
    try:
        sys.stderr.write(text)
    except BaseException:  # whatever the script has put there raises
        _write(2, text.encode())
