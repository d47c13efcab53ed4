"""Values as short text for a cell."""

from __future__ import annotations

import reprlib


def short_repr(value: object) -> str:
    """``repr(value)``, cut in the middle if it is long; never raises."""
    try:
        return _SHORT.repr(value)
    except Exception as error:  # reprlib calls an int's repr, which has a limit of digits
        return f"<repr failed: {type(error).__name__}>"


def _make() -> reprlib.Repr:
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 120
    short.maxlist = short.maxtuple = short.maxdict = short.maxset = short.maxfrozenset = 12
    return short


_SHORT = _make()
