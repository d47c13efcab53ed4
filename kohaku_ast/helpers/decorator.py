"""``@entrypoint``: marks the function that a script starts at."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])


def entrypoint(function: Function) -> Function:
    """*function*, unchanged. Under ``kogine run`` it is called after the module body, instead
    of the guard; under plain Python the decorator does nothing.
    """
    return function
