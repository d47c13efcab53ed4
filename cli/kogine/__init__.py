"""The command ``kogine``. From here on Ctrl-C ends it without any output, before a traceback could
show our code; ``kohaku_ast/sigint.py`` takes over once it is imported.
"""

import _signal  # type: ignore[import-not-found]  # the module signal creates enums first
import sys

COMPLETE = "_KOGINE_COMPLETE"
"""The environment variable with which a shell asks for completion, as click names it."""


def restore_sigint() -> None:
    """Give SIGINT back its usual handler, for a program that imports us."""
    global _is_silent
    if _is_silent and _signal.getsignal(_signal.SIGINT) is _signal.SIG_DFL:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    _is_silent = False


def _is_command() -> bool:
    """Whether the first file of the process imports us, and not in a thread."""
    frame = sys._getframe(2)
    while frame.f_back is not None and (
        frame.f_code.co_filename.startswith("<frozen importlib")
        or frame.f_globals.get("__name__") == "runpy"
    ):
        frame = frame.f_back
    return frame.f_back is None and frame.f_globals.get("__name__") in ("__main__", "runpy")


def _silence() -> bool:
    try:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    except ValueError:  # in a thread
        return False
    return True


_started = sys.argv[0].replace("\\", "/").rpartition("/")
# An installed command, or the `-m` that sys.argv has while `python -m kogine` looks for
# `__main__.py`. By name first: the look at the frames takes time, in which Ctrl-C would show them.
_is_silent = (
    (_started[2].startswith("kogine") or _started[2] == "-m" or _started[0].endswith("kogine"))
    and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
    and _silence()
)
if not _is_command():
    restore_sigint()


def load_ipython_extension(shell: object) -> None:
    """``%load_ext kogine`` in a notebook."""
    from kogine.magics import load  # nobody else needs it

    load(shell)
