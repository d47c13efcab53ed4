"""Room for scripts that nest deeper than the functions of a Python program may."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from kohaku_ast.errors import SourceError

if TYPE_CHECKING:
    from concurrent.futures import Future

Result = TypeVar("Result")

_STACK = 512 * 2**20
# Python compiles a sum of 2,900 terms; walking it takes some calls for each of them.
_LIMIT = 100_000


def with_room(function: Callable[[], Result], filename: str) -> Result:
    """``function()``; where the usual stack does not do, once more with a deep one.

    Raises SourceError where that does not do either.
    """
    try:
        return function()
    except RecursionError:
        pass
    try:
        return _on_deep_stack(function)
    except (RecursionError, RuntimeError, ValueError) as error:
        raise SourceError(f"{filename}: nested too deeply to be rewritten: {error}") from None


def _on_deep_stack(function: Callable[[], Result]) -> Result:
    import threading  # both for such scripts only
    from concurrent.futures import Future

    future: Future[Result] = Future()
    size, limit = threading.stack_size(_STACK), sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(_LIMIT)
        thread = threading.Thread(target=_fulfil, args=(future, function))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    return future.result()


def _fulfil(future: Future[Result], function: Callable[[], Result]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)
