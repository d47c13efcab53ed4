"""What configs that were written for KohakuEngine need."""

from __future__ import annotations

from typing import TypeVar

from kohaku_ast.config.config import Config

_T = TypeVar("_T")
_FIELDS = ("globals_dict", "args", "kwargs", "metadata")


def use(value: _T) -> _T:
    """*value* itself: functions, classes and imported objects need no wrapper here."""
    return value


def as_config(value: object) -> Config | None:
    """*value* as a Config, if it is one or has the fields of KohakuEngine's; else None."""
    if isinstance(value, Config):
        return value
    if isinstance(value, type) or not all(hasattr(value, name) for name in _FIELDS):
        return None
    given = {name: getattr(value, name) for name in _FIELDS}
    return Config.from_dict({name: one for name, one in given.items() if one is not None})
