"""Starting a script at a function of its own instead of at its guard."""

from __future__ import annotations

from kohaku_ast.frames import hidden
from kohaku_ast.transform.program.bound_program import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def entry_call(
    name: str, args: Sequence[object], kwargs: Mapping[str, object]
) -> Callable[[dict[str, object]], object]:
    """What calls the function *name* of a namespace; a coroutine is run to its end."""

    @hidden
    def call(namespace: dict[str, object]) -> object:
        function: Callable[..., object] = namespace[name]  # type: ignore[assignment]
        named = {keyword: load(value) for keyword, value in kwargs.items()}
        result = function(*map(load, args), **named)
        if type(result).__name__ != "coroutine":
            return result
        import asyncio

        return asyncio.run(result)  # type: ignore[arg-type]

    return call


def added_names(texts: Sequence[str], new: Mapping[str, object]) -> dict[str, object]:
    """The globals that ``--add NAME=VALUE`` and ``new_globals`` put into the module."""
    from kohaku_ast.config.text_values import parse_as_is
    from kohaku_ast.errors import RefusedTarget, UsageError

    added = dict(new)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--add {text!r} is not NAME=VALUE")
        added[name] = parse_as_is(value)
    for name in added:
        if not name.isidentifier() or (name.startswith("__") and name.endswith("__")):
            raise RefusedTarget(f"cannot add {name!r}: it is not a plain name")
    return added
