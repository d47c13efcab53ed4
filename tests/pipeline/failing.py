"""A pipeline whose middle node raises."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from kohaku_ast import Pipeline, node

ENGINES = ("sequential", "threaded", "async", "parallel")
engines = pytest.mark.parametrize("engine", ENGINES)


class Own(Exception):
    """Takes two arguments, as an exception that pickle cannot rebuild does."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


@node("y")
def increase(x: int) -> int:
    return x + 1


@node("z")
def fail(y: int, mode: str = "own") -> int:
    if mode == "own":
        raise Own(7, "no")
    if mode == "key":
        return {}["gone"]  # type: ignore[index]
    if mode == "cause":
        try:
            return 1 // 0
        except ZeroDivisionError as error:
            raise ValueError("why") from error
    return y


@node("after")
def after(z: int) -> int:
    return z


def failing(**options: Any) -> Pipeline:
    return Pipeline([increase, fail, after], **options)


def caught(call: Any) -> BaseException:
    with pytest.raises(Exception) as found:  # noqa: PT011  # the test looks at it
        call()
    return found.value


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
