"""SIGINT in a process that is ours: outside of the script's own code it shows nothing.

Before the script starts, Ctrl-C ends the process at once, by the signal's own action: Python code
that answered it could be interrupted by the next one, and would show its lines. While the script
runs, SIGINT is what it is under plain Python. After the script's last line SIGINT is blocked while
code of ours runs; the script's own excepthook, exit functions and threads hear it again.

State of this process: ``HELD``, and how SIGINT is handled.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal makes enums of all it gives

from kohaku_ast.frames import hidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import ParamSpec

    P = ParamSpec("P")

SIGINT: int = _signal.SIGINT
_default, _PYTHONS = _signal.SIG_DFL, _signal.default_int_handler

HELD: list[int] = []
"""What ``block`` and ``unblock`` are given: SIGINT where the whole process is ours and the script
has not blocked it itself, else nothing.
"""


def _no_mask(how: int, numbers: Iterable[int]) -> set[int]:
    """Where the system knows no masks."""
    return set()


# To be called as `sigmask(BLOCK, HELD)`, in a `try`, first thing in an `except` or `finally`: the
# system has blocked the signal before Python looks for one that has come.
sigmask: Callable[[int, Iterable[int]], set[int]] = getattr(_signal, "pthread_sigmask", _no_mask)
BLOCK: int = getattr(_signal, "SIG_BLOCK", 0)
UNBLOCK: int = getattr(_signal, "SIG_UNBLOCK", 0)


def own_process() -> None:
    """The whole process is ours: it ends as its script does."""
    HELD[:] = [SIGINT]


def silence() -> None:
    """The whole process is ours; SIGINT ends it at once until ``hear``. One that is ignored, as
    under nohup, or that somebody handles, stays so.
    """
    own_process()
    if _signal.getsignal(SIGINT) is _PYTHONS:
        _signal.signal(SIGINT, _default)


def is_silent() -> bool:
    """Whether SIGINT ends this process at once on our account."""
    return bool(HELD) and _signal.getsignal(SIGINT) is _default


@hidden
def hear() -> None:
    """From here on SIGINT is Python's, for the script. One that has waited ends this process."""
    if not HELD:
        return
    is_pythons = _signal.getsignal(SIGINT) in (_default, _PYTHONS)
    try:
        if is_pythons:
            _signal.signal(SIGINT, _default)
        sigmask(UNBLOCK, HELD)
        if is_pythons:
            _signal.signal(SIGINT, _PYTHONS)
    except KeyboardInterrupt:
        die()


@hidden
def unhold(before: Iterable[int]) -> None:
    """The script has ended, and ``sigmask(BLOCK, HELD)`` gave *before*: what the script has
    blocked itself is not for us to unblock.
    """
    if SIGINT in before:
        HELD.clear()


@hidden
def die() -> None:
    """End this process by SIGINT, whatever comes meanwhile."""
    try:
        sigmask(BLOCK, HELD)
    except KeyboardInterrupt:
        pass
    _signal.signal(SIGINT, _default)
    _signal.raise_signal(SIGINT)
    sigmask(UNBLOCK, HELD)


@hidden
def aloud(act: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> BaseException | None:
    """Call *act*, code of the script's after its end, while SIGINT is heard; what it raised."""
    try:
        sigmask(UNBLOCK, HELD)
        act(*args, **kwargs)
        sigmask(BLOCK, HELD)
    except BaseException as error:
        try:
            sigmask(BLOCK, HELD)
        except BaseException:
            pass
        return error
    return None


@hidden
def calmly(act: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call *act*, code of ours among the script's last; one that comes meanwhile is dropped, as
    one that comes while the interpreter is busy with its end.
    """
    try:
        before = sigmask(BLOCK, HELD)
    except BaseException:
        before = set()
    try:
        act(*args, **kwargs)
    finally:
        try:
            if SIGINT not in before:
                sigmask(UNBLOCK, HELD)
        except BaseException:
            pass


def ignore_at_exit() -> None:
    """What is registered with ``atexit`` later is called, and then SIGINT changes nothing more:
    the exit status stays what it is.
    """
    import atexit

    atexit.register(_signal.signal, SIGINT, _signal.SIG_IGN)
