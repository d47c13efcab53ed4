"""``@pipeline_process``: marks a function as a step of pipelines, and leaves it as it is.

State of this process: ``PROCESSES``, the functions that were marked so far.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar, overload

    Function = TypeVar("Function", bound=Callable[..., Any])

PROCESSES: dict[str, Process] = {}
"""``module:qualname`` -> the process; a module that is imported again replaces its own."""


class Process:
    """A function that was marked, and how it is a node."""

    __slots__ = ("function", "key", "options")

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        self.function = function
        #: What ``node`` of kohaku_ast gets beside the function.
        self.options = options
        #: ``module:qualname``.
        self.key = key_of(function)


def key_of(function: Callable[..., Any]) -> str:
    """``module:qualname`` of *function*."""
    return f"{function.__module__}:{function.__qualname__}"


def process_of(function: object) -> Process | None:
    """The Process of a *function* that was marked; None for another object."""
    if not hasattr(function, "__qualname__") or not callable(function):
        return None
    found = PROCESSES.get(key_of(function))
    return found if found is not None and found.function is function else None


if TYPE_CHECKING:

    @overload
    def pipeline_process(function: Function, /) -> Function: ...
    @overload
    def pipeline_process(
        *,
        output_name: str | Iterable[str] | None = None,
        cache: bool = True,
        name: str | None = None,
        rename: Mapping[str, str] | None = None,
        when: str | Callable[..., object] | None = None,
    ) -> Callable[[Function], Function]: ...


def pipeline_process(
    function: Any = None,
    /,
    *,
    output_name: Any = None,
    cache: bool = True,
    name: str | None = None,
    rename: Any = None,
    when: Any = None,
) -> Any:
    """The function itself, which stays what it is; ``Pipeline([function])`` and pipelines in TOML
    take it as a node. With and without parentheses.

    Its parameters are the inputs; *output_name* is the output, else the name of the function. The
    other options are those of ``kohaku_ast.node``. Raises TypeError for what is no function.
    """
    options = {"output_name": output_name, "cache": cache, "name": name, "rename": rename}
    options["when"] = when
    if function is None:
        return lambda function: _register(function, options)
    return _register(function, options)


def _register(function: Any, options: Mapping[str, Any]) -> Any:
    if not callable(function) or not hasattr(function, "__qualname__"):
        raise TypeError(
            f"@pipeline_process marks a function, got {function!r}: options have names, such as "
            '@pipeline_process(output_name="model")'
        )
    marked = Process(function, options)
    PROCESSES[marked.key] = marked
    return function


process = pipeline_process
"""Its short name."""
