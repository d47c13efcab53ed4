"""An exception as bytes, for a process that wants to raise it again."""

from __future__ import annotations

import pickle
from typing import Any


def pack_raised(error: BaseException) -> bytes:
    """What ``load_raised`` reads; empty if its class cannot be sent.

    Arguments that cannot be sent go as text, attributes are left out.
    """
    kind = _sent(type(error))
    if not kind:
        return b""
    args = [_sent(one) or _sent(repr(one)) for one in error.args]
    attributes = {name: _sent(one) for name, one in vars(error).items()}
    return pickle.dumps((kind, args, {name: one for name, one in attributes.items() if one}))


def load_raised(data: bytes) -> BaseException | None:
    """The exception, without a traceback; None if this process cannot have it."""
    try:
        kind, args, attributes = pickle.loads(data)
        found: type[BaseException] = pickle.loads(kind)
        values = tuple([pickle.loads(one) for one in args])
        error = found.__new__(found, *values)
        error.args = values
        error.__dict__.update({name: pickle.loads(one) for name, one in attributes.items()})
    except Exception:  # a class or a value of a module that is not to be had here
        return None
    return error


def _sent(value: Any) -> bytes:
    import cloudpickle  # type: ignore[import-untyped]  # it has no types

    try:
        data: bytes = cloudpickle.dumps(value)
        pickle.loads(data)
    except Exception:
        return b""
    return data
