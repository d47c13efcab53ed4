"""``public``: at the edge of the Python API, tracebacks show the user's own code."""

from __future__ import annotations

from functools import wraps
from types import FunctionType, TracebackType
from typing import Any, TypeVar

from kohaku_ast.frames import hidden, is_ours, put_traceback
from kohaku_ast.user_code import GENERATED_FILE, OUR_FOLDER, is_local_file

T = TypeVar("T")

_IS_GENERATOR = 1 << 5  # inspect.CO_GENERATOR
_OPERATIONS = (
    "__init__", "__call__", "__iter__", "__next__", "__len__", "__or__", "__ror__", "__mul__",
    "__add__",
)  # fmt: skip


def public(thing: T) -> T:
    """*thing*, a function of the Python API, or a class with its methods: an exception that leaves
    it shows the user's own lines, and no frame of ours (Python 3.10 shows one).

    What no mistake of the user's has caused keeps its whole traceback.
    """
    found: Any = thing
    if not isinstance(found, type):
        return _at_the_edge(found)  # type: ignore[no-any-return]
    for name, one in list(vars(found).items()):
        if name in _OPERATIONS or not name.startswith("_"):
            if isinstance(one, FunctionType):
                setattr(found, name, _at_the_edge(one))
            elif isinstance(one, (classmethod, staticmethod)):
                setattr(found, name, type(one)(_at_the_edge(one.__func__)))
    return thing


def _at_the_edge(function: Any) -> Any:
    @hidden
    @wraps(function)
    def edge(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            show_users_frames(error)
            raise error  # a bare one brings all frames back

    if not function.__code__.co_flags & _IS_GENERATOR:
        return edge
    return wraps(function)(lambda *args, **kwargs: shown_items(function(*args, **kwargs)))


def shown_items(generator: T) -> T:
    """The items of *generator*, which is public as a function is."""
    found: Any = _Items(generator)
    return found  # type: ignore[no-any-return]


def show_users_frames(error: BaseException) -> None:
    """Take our frames, and those of libraries that we have called, out of the tracebacks of *error*
    and of the exceptions that led to it.
    """
    # Under one of ours the user's own frames are in another process.
    is_expected = isinstance(error, (SyntaxError, KeyboardInterrupt)) or any(
        type(one).__module__.startswith("kohaku_ast.") for one in (error, error.__cause__)
    )
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        put_traceback(found, _users_trace(found.__traceback__, is_expected))
        found = found.__cause__ or found.__context__


def _users_trace(trace: TracebackType | None, is_expected: bool) -> TracebackType | None:
    *above, last = _between_ours(trace)
    # Without a frame of the user's below ours, it was raised by us or by a library that we called.
    if not above or not (is_expected or _is_of_user(last)):
        return trace
    left = [one for part in (*above, last) if _is_of_user(part) for one in part]
    for one, following in zip(left, [*left[1:], None]):
        one.tb_next = following
    return left[0] if left else None


def users_only(trace: TracebackType | None) -> TracebackType | None:
    """*trace* without our frames, and those of libraries that we have called, as a copy."""
    found: TracebackType | None = None
    parts = [part for part in _between_ours(trace) if _is_of_user(part)]
    for one in reversed([one for part in parts for one in part]):
        found = TracebackType(found, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return found


def _between_ours(trace: TracebackType | None) -> list[list[TracebackType]]:
    """The parts of *trace* above, between and below our frames."""
    parts: list[list[TracebackType]] = [[]]
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        is_made = file == GENERATED_FILE or (file[:1] == "<" and is_ours(trace.tb_frame))
        if is_made or file.startswith(OUR_FOLDER):
            parts.append([])
        else:
            parts[-1].append(trace)
        trace = trace.tb_next
    return parts


def _is_of_user(part: list[TracebackType]) -> bool:
    return any(is_local_file(one.tb_frame.f_code.co_filename) for one in part)


@public
class _Items:
    """The items of a generator of ours."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self._items)

    def send(self, value: object) -> Any:
        """As of a generator."""
        return self._items.send(value)

    def close(self) -> None:
        """As of a generator."""
        self._items.close()
