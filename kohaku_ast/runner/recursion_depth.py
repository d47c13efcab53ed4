"""Recursion depth: calls of ours below the script do not count against its limit.

On the warm path. Python counts the calls of each thread. A script that recurses up to the limit
would fail some calls earlier with us below it, and no function of Python sets the count of one
thread. So it is set where CPython keeps it, in the thread's ``PyThreadState``. The place differs
between versions: it is the one number there that changes by one with every call, and says how deep
the thread is. Where no number does, or more than one, nothing is set.

State of this process: ``_places``.
"""

from __future__ import annotations

import sys

from kohaku_ast.frames import hidden, keep_builtins, untraced

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableSequence
    from typing import Any

_places: list[tuple[int, int]] = []
"""Once it is known: the place of the count, and the step by which it changes with each call."""
_READ = 32
"""So many numbers of the state are read; it is larger in every version."""
_DEEPEST = 500
"""A number that says more is no count of calls: we are not that deep."""
_limit = sys.getrecursionlimit  # bound here: the script may change it
_MORE = 3
_EXEC = 2 if sys.version_info < (3, 12) else 1
"""``exec`` itself counts as a call, beside the code that it runs, before 3.12."""


class CallCount:
    """How many calls a thread is in, as Python counts them against the recursion limit."""

    __slots__ = ("_index", "_numbers", "_step", "_zero")

    def __init__(self, numbers: MutableSequence[int], index: int, step: int) -> None:
        """``numbers[index]`` changes by *step* with each call. With -1 it is what is left."""
        self._numbers, self._index, self._step = numbers, index, step
        self._zero = 0 if step > 0 else _limit()

    @hidden
    def get(self) -> int:
        """The calls; that of the caller is the last one."""
        return (self._numbers[self._index] - self._zero) * self._step - 1

    @hidden
    def add(self, calls: int) -> None:
        """Count *calls* more."""
        self._numbers[self._index] += calls * self._step


@hidden
def start_at_bottom(is_exec: bool) -> Callable[[], None]:
    """Have the call that the caller makes next, by ``exec`` or not, count as the first one of its
    thread; the result undoes that.
    """
    count = untraced(find_count)
    if count is None:
        return _nothing
    # get() counts the call of this function.
    change = 1 - (_EXEC if is_exec else 1) - (count.get() - 1)
    count.add(change)

    @hidden
    def undo() -> None:
        count.add(-change)

    return undo


@hidden
def _nothing() -> None:
    pass


def find_count() -> CallCount | None:
    """That of this thread; None if this Python is another one than we know."""
    numbers = None if _thread_state is None else _thread_state()
    if numbers is None:
        return None
    if _places:  # it is the same for all threads of a process
        return CallCount(numbers, *_places[0])
    rows = _rows(numbers)
    found = []
    for index in range(_READ):
        steps = {rows[at + 1][index] - rows[at][index] for at in range(_MORE)}
        if steps == {1} or steps == {-1}:
            place = index, steps.pop()
            if 0 < CallCount(numbers, *place).get() < _DEEPEST:
                found.append(place)
    _places[:] = found if len(found) == 1 else []
    return CallCount(numbers, *_places[0]) if _places else None


def _rows(numbers: MutableSequence[int], more: int = _MORE) -> list[list[int]]:
    """*numbers* here, and at the depths of *more* calls."""
    row = [[*numbers]]
    return row + _rows(numbers, more - 1) if more else row


def _reader() -> Callable[[], MutableSequence[int]] | None:
    """Returns the first numbers of the thread's state, of 32 bits each, as they are and change;
    None where nobody can read them.

    ``ctypes`` says the same in fewer words, and takes 5 ms to import.
    """
    if sys.implementation.name != "cpython":
        return None
    try:
        import _ctypes

        api: Any = _ctypes
        symbol = api.dlsym(api.dlopen(None, 0), "PyThreadState_Get")
    except (ImportError, AttributeError, OSError):
        return None  # no _ctypes here, or one without dlsym

    class Pointer(api._SimpleCData):  # type: ignore[misc]
        _type_ = "P"

    class Number(api._SimpleCData):  # type: ignore[misc]
        _type_ = "i"

    class Function(api.CFuncPtr):  # type: ignore[misc]
        _flags_ = api.FUNCFLAG_CDECL | api.FUNCFLAG_PYTHONAPI
        _restype_ = Pointer

    row: Any = Number
    get_state, numbers = Function(symbol), row * _READ

    def read() -> MutableSequence[int]:
        found: MutableSequence[int] = numbers.from_address(get_state())
        return found

    return read


_thread_state = _reader()
