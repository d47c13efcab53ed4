"""Text in, code out: finds what a script defines and rewrites it. Never runs user code."""

import sys


def is_safe_path() -> bool:
    """Whether an option (``-P``, ``-I``, ``PYTHONSAFEPATH``) keeps the folder of a program out of
    ``sys.path``.
    """
    return bool(getattr(sys.flags, "safe_path", sys.flags.isolated))


def shared_path() -> list[str]:
    """``sys.path`` without the folder of the program that runs: kogine's own, or that of a flow.
    Python has put it in front, unless the path is safe: then the first entry is a library's.
    """
    return sys.path[not is_safe_path() :]
