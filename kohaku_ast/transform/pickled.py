"""Pickled: a value as bytes, made anew where the script uses it, of the modules that it finds."""

from __future__ import annotations


class Pickled:
    """One of the values that were pickled together, by its name."""

    __slots__ = ("data", "name", "value")

    def __init__(self, data: bytes, name: str, value: object = None) -> None:
        """*data* is a pickled dict with *name* in it."""
        self.data, self.name = data, name
        #: What was pickled; it stays where it was pickled.
        self.value = value

    def __reduce__(self) -> tuple[object, ...]:
        return Pickled, (self.data, self.name)


def original(value: object) -> object:
    """*value* as its config has made it."""
    return value.value if type(value) is Pickled else value


def load(value: object) -> object:
    """*value*, made now if it is Pickled."""
    if type(value) is not Pickled:
        return value
    from _pickle import loads

    values: dict[str, object] = loads(value.data)
    return values[value.name]
