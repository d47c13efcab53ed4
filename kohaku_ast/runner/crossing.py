"""Values by kind and name as bytes for another process.

Read on the start path of every spawned run: imports nothing heavy.
"""

from __future__ import annotations

import marshal
from _thread import _local  # threading loads more

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType
    from typing import TypeAlias

Values: TypeAlias = "Mapping[str, Mapping[str, object]]"
"""Kind -> name -> value; the kinds are those of ``uncrossable``."""

_latest = _local()
"""The value that is being made again, in each thread."""


def dump_values(
    values: Values, along: Callable[[], Iterable[ModuleType]] = tuple
) -> tuple[bool, bytes]:
    """Whether *values* are plain, and their bytes. Those of the modules *along* are not to be had
    where they go, and go with them.

    Raises UncrossableValue, which names the value.
    """
    if _is_plain(values):
        return True, marshal.dumps(values)  # type: ignore[arg-type]  # they are plain
    named = {
        kind: {_Name(kind, name): value for name, value in some.items()}
        for kind, some in values.items()
    }
    try:
        return False, _pickled(named, list(along()))
    except Exception as error:
        from kohaku_ast.runner.uncrossable import name_uncrossable

        raise name_uncrossable(values, error) from error


def load_values(is_plain: bool, data: bytes) -> Values:
    """What ``dump_values`` was given. Raises UncrossableValue, which names the value."""
    if is_plain:
        plain: Values = marshal.loads(data)
        return plain
    import pickle

    _latest.kind = _latest.name = ""
    try:
        loaded: Values = pickle.loads(data)
    except Exception as error:
        from kohaku_ast.runner.uncrossable import unreadable

        raise unreadable(_latest.kind, _latest.name, error) from error
    return loaded


def _pickled(named: object, along: list[ModuleType]) -> bytes:
    from cloudpickle import dumps  # type: ignore[import-untyped]  # it has no types

    data: bytes
    if along:
        from kohaku_ast.runner.importable import by_value

        try:
            with by_value(along):
                data = dumps(named)
            return data
        except Exception:  # what they hold cannot be sent: perhaps they are found all the same
            pass
    data = dumps(named)
    return data


class _Name:
    """The name of the value after it. Made again it is a text, and notes that the value comes."""

    __slots__ = ("kind", "name")

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name

    def __reduce__(self) -> tuple[object, ...]:
        return _begin, (self.kind, self.name)


def _begin(kind: str, name: str) -> str:
    _latest.kind, _latest.name = kind, name
    return name


_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def _is_plain(value: object, depth: int = 8) -> bool:
    """Whether marshal carries *value* and all in it, type for type."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is dict:
        items = [*value, *value.values()]  # type: ignore[misc, attr-defined]
    elif kind in (list, tuple, set, frozenset):
        items = list(value)  # type: ignore[call-overload]
    else:
        return False
    return depth > 0 and all(_is_plain(one, depth - 1) for one in items)
