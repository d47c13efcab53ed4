"""Our own frames are cut out of what a user sees; his stay."""

from __future__ import annotations

import os

from kohaku_ast.errors import KogineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

#: The file of every generated function, as tracebacks have it.
FILENAME = "<pipeline of kohaku_ast>"
_PACKAGE = os.path.dirname(os.path.dirname(__file__))
_OURS = tuple(os.path.join(_PACKAGE, folder, "") for folder in ("pipeline", "engines"))
#: Functions of ours that call a node: an exception that has no such frame is a bug of ours.
_CALLERS = {"call", "call_async"}


class RemoteTraceback(Exception):  # noqa: N818  # shown as the cause; it says where, not what
    """The traceback in the process where an exception was raised."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def cut(error: BaseException) -> None:
    """Leave of the traceback what lies below our first call of the user's code. Nothing is left
    of a KogineError of ours, which speaks for itself, and of what came from another process.
    """
    at, called = error.__traceback__, False
    while at:
        code = at.tb_frame.f_code
        if called and not _is_ours(code):
            error.__traceback__ = at
            return
        called = _calls_nodes(code)
        at = at.tb_next
    if isinstance(error, KogineError) or isinstance(error.__cause__, RemoteTraceback):
        error.__traceback__ = None


def _is_ours(code: CodeType) -> bool:
    return code.co_filename == FILENAME or code.co_filename.startswith(_OURS)


def _calls_nodes(code: CodeType) -> bool:
    return code.co_filename == FILENAME or (
        code.co_name in _CALLERS and code.co_filename.startswith(_OURS)
    )
