"""SIGINT in a process that is ours: outside the script's own code, Ctrl-C prints nothing.

Before the script starts, Ctrl-C ends the process at once, by the signal's own action: a handler in
Python could be interrupted by the next Ctrl-C, and its lines would be shown. While the script
runs, SIGINT is what it is under plain Python. After the script's last line SIGINT is blocked while
code of ours runs; the script's own excepthook, exit functions and threads get it again.

State of this process: ``OWN_SIGNALS``, and how SIGINT is handled.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal makes enums of all it gives

from kohaku_ast.frames import hidden, keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import ParamSpec

    P = ParamSpec("P")

SIGINT: int = _signal.SIGINT
_default, _PYTHONS = _signal.SIG_DFL, _signal.default_int_handler

OWN_SIGNALS: list[int] = []
"""The signals that we block and unblock: SIGINT where the whole process is ours and the script has
not blocked it itself, else none.
"""


def _no_mask(how: int, numbers: Iterable[int]) -> set[int]:
    """Stands for ``pthread_sigmask`` where the system has no signal masks."""
    return set()


# To be called as `sigmask(BLOCK, OWN_SIGNALS)`, in a `try`, first thing in an `except` or
# `finally`: the system blocks the signal before Python looks for one that has arrived.
sigmask: Callable[[int, Iterable[int]], set[int]] = getattr(_signal, "pthread_sigmask", _no_mask)
BLOCK: int = getattr(_signal, "SIG_BLOCK", 0)
UNBLOCK: int = getattr(_signal, "SIG_UNBLOCK", 0)


def own_process() -> None:
    """Say that the whole process is ours: it ends as its script does."""
    OWN_SIGNALS[:] = [SIGINT]


def silence() -> None:
    """The whole process is ours: let SIGINT end it at once, until ``hear``. A SIGINT that is
    ignored, as under nohup, or that has a handler, stays as it is.
    """
    own_process()
    if _signal.getsignal(SIGINT) is _PYTHONS:
        _signal.signal(SIGINT, _default)


def is_silent() -> bool:
    """Whether SIGINT ends this process at once because of ``silence``."""
    return bool(OWN_SIGNALS) and _signal.getsignal(SIGINT) is _default


@hidden
def hear() -> None:
    """Give SIGINT back to Python, for the script. One that has waited ends this process."""
    if not OWN_SIGNALS:
        return
    is_pythons = _signal.getsignal(SIGINT) in (_default, _PYTHONS)
    try:
        if is_pythons:
            _signal.signal(SIGINT, _default)
        sigmask(UNBLOCK, OWN_SIGNALS)
        if is_pythons:
            _signal.signal(SIGINT, _PYTHONS)
    except KeyboardInterrupt:
        die()


@hidden
def keep_script_mask(before: Iterable[int]) -> None:
    """After the script, when ``sigmask(BLOCK, OWN_SIGNALS)`` has returned *before*: do not unblock
    a SIGINT that the script has blocked itself.
    """
    if SIGINT in before:
        OWN_SIGNALS.clear()


@hidden
def die() -> None:
    """End this process by SIGINT, whatever arrives meanwhile."""
    try:
        sigmask(BLOCK, OWN_SIGNALS)
    except KeyboardInterrupt:
        pass
    _signal.signal(SIGINT, _default)
    _signal.raise_signal(SIGINT)
    sigmask(UNBLOCK, OWN_SIGNALS)


@hidden
def call_unblocked(
    act: Callable[P, object], *args: P.args, **kwargs: P.kwargs
) -> BaseException | None:
    """Call *act*, the script's own code after its end, with SIGINT unblocked; what it raised."""
    try:
        sigmask(UNBLOCK, OWN_SIGNALS)
        act(*args, **kwargs)
        sigmask(BLOCK, OWN_SIGNALS)
    except BaseException as error:
        try:
            sigmask(BLOCK, OWN_SIGNALS)
        except BaseException:  # Ctrl-C once more, just before it is blocked
            pass
        return error
    return None


@hidden
def call_blocked(act: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call *act*, our own code among the script's exit functions, with SIGINT blocked. One that
    arrives meanwhile is dropped, like one that arrives while the interpreter ends.
    """
    try:
        before = sigmask(BLOCK, OWN_SIGNALS)
    except BaseException:  # Ctrl-C just before it is blocked is dropped
        before = set()
    try:
        act(*args, **kwargs)
    finally:
        try:
            if SIGINT not in before:
                sigmask(UNBLOCK, OWN_SIGNALS)
        except BaseException:  # Ctrl-C that has waited is dropped
            pass


def ignore_at_exit() -> None:
    """Ignore SIGINT once the exit functions that are registered later have been called: the exit
    status stays what it is.
    """
    import atexit

    atexit.register(_signal.signal, SIGINT, _signal.SIG_IGN)
