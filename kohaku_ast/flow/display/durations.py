"""Durations as short text."""

from __future__ import annotations

_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))


def short_time(seconds: float) -> str:
    """``12s``, ``3m04s``, ``1h02m``, ``2d03h``: never longer than seven characters in a year."""
    whole = max(0, int(seconds))
    for large, name, small, small_name in _UNITS:
        if whole >= large:
            return f"{whole // large}{name}{whole % large // small:02}{small_name}"
    return f"{whole}s"


def exact_time(seconds: float) -> str:
    """``0.4 s`` below a minute, else as ``short_time``."""
    return f"{max(0.0, seconds):.1f} s" if seconds < 60 else short_time(seconds)
