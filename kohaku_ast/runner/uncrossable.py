"""Says which value cannot be sent to another process, and why."""

from __future__ import annotations

from collections.abc import Mapping

from kohaku_ast.errors import UncrossableValue

_MOVE = "Run it in this process, or give something that it can be made from, such as a path."


class Uncrossed:
    """In the place of a value that could not be sent from another process."""

    __slots__ = ("shown",)

    def __init__(self, shown: str) -> None:
        self.shown = shown

    @classmethod
    def of(cls, value: object) -> Uncrossed:
        """The one for *value*."""
        return cls(f"<{type(value).__qualname__} that cannot be sent to another process>")

    def __repr__(self) -> str:
        return self.shown


def name_uncrossable(
    objects: Mapping[str, Mapping[str, object]], error: Exception
) -> UncrossableValue:
    """The error for the first of *objects* that cannot be sent, found by trying each."""
    import cloudpickle  # type: ignore[import-untyped]  # it has no types

    for kind, values in objects.items():
        for name, value in values.items():
            try:
                cloudpickle.dumps(value)
            except Exception as own:
                return UncrossableValue(_message(_called(kind, name), value, own))
    return UncrossableValue(f"a value cannot be sent to another process: {error}")


def unreadable(kind: str, name: str, error: Exception) -> UncrossableValue:
    """The error for the value that could be sent but, with *error*, not be made again there."""
    what = _called(kind, name) if kind else "a value"
    return UncrossableValue(
        f"{what} cannot be made again in the process that it was sent to "
        f"({type(error).__name__}: {error}). {_MOVE}"
    )


def _called(kind: str, name: str) -> str:
    words = {"args": "argument", "kwargs": "argument", "outputs": "output", "value": "result"}
    function, hash_, number = name.removesuffix(")").partition("(#")
    if hash_ and number.isdigit():
        return f"argument {int(number) + 1} of {function}()"
    return f"the {words.get(kind, 'value of')} {name!r}"


def _message(what: str, value: object, error: Exception) -> str:
    kind = type(value)
    return (
        f"{what} cannot be sent to another process: a {kind.__module__}.{kind.__qualname__} "
        f"({type(error).__name__}: {error}). {_MOVE}"
    )
