"""Functions that nobody sees: no traceback, debugger, warning or ``sys._getframe`` shows them.

CPython does not show the frame of a call that has not come to its first ``RESUME`` yet, and
steps over it in every list of frames. A function without that instruction never comes to it.
Python 3.10 has no such instruction: there the functions stay visible.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")


def _two_lines() -> None:
    """Begins with a RESUME and a NOP: importing opcode would take 0.4 ms of every start."""
    pass  # noqa: PIE790
    pass  # noqa: PIE790


def hidden(function: Callable[P, R]) -> Callable[P, R]:
    """*function*, without a frame that anybody can see. It must not yield."""
    function.__code__ = without_resume(function.__code__)
    return function


def without_resume(code: CodeType) -> CodeType:
    """*code*, as one that nobody sees run."""
    if sys.version_info < (3, 11) or sys.implementation.name != "cpython":
        return code
    resume, nop = _two_lines.__code__.co_code[:4:2]
    bytes_ = code.co_code
    at = bytes_[::2].index(resume) * 2
    return code.replace(co_code=bytes_[:at] + bytes((nop, 0)) + bytes_[at + 2 :])
