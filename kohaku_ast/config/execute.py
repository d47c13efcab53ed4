"""Runs a config's own code: its folder importable, its errors told as the config's."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, TracebackType

from kohaku_ast.config.loading import Loading, running
from kohaku_ast.errors import ConfigError, KogineError
from kohaku_ast.sigint import BLOCK, HELD, die, hear, is_silent, sigmask, silence

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def execute(loading: Loading, codes: list[CodeType]) -> None:
    """Run *codes* in the config's module; ``use_config`` in it speaks to *loading*."""
    with running(loading), own_code(loading):
        for code in codes:
            exec(code, loading.module.__dict__)


@contextmanager
def own_code(loading: Loading) -> Iterator[None]:
    """Inside, code of the config runs; what it raises becomes a ConfigError with its own frames."""
    with loading.siblings.visible(loading.folder, loading.module):
        try:
            if is_silent():
                with _interruptible():
                    yield
            else:  # for each Config of a generator
                yield
        except (Exception, SystemExit) as error:
            raise ConfigError(_told(error, loading)) from error


@contextmanager
def _interruptible() -> Iterator[None]:
    """Inside, before a script starts, code of the config hears Ctrl-C as under Python. One that it
    does not catch ends the process as it ends the script's.
    """
    hear()
    try:
        yield
    except KeyboardInterrupt:
        try:
            sigmask(BLOCK, HELD)
        except KeyboardInterrupt:
            pass
        die()
        raise
    finally:
        silence()


def _told(error: BaseException, loading: Loading) -> str:
    if isinstance(error, KogineError):
        return f"{loading.path}{_line(error.__traceback__, loading.file)}: {error}"
    shown = traceback.TracebackException.from_exception(error)
    _drop_frames(shown)
    text = "".join(shown.format()).rstrip()
    return f"config {loading.path!r} raised an exception:\n{text}{_hint(error, loading)}"


def _line(trace: TracebackType | None, file: str) -> str:
    """``:12``: the innermost line of *file* in the traceback."""
    lines = [""]
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            lines.append(f":{trace.tb_lineno}")
        trace = trace.tb_next
    return lines[-1]


def _drop_frames(shown: traceback.TracebackException) -> None:
    """Leave out the frames of this package and of the import system."""
    frames = [one for one in shown.stack if not one.filename.startswith((_OURS, "<frozen import"))]
    shown.stack = traceback.StackSummary.from_list(frames)
    for inner in (shown.__cause__, shown.__context__):
        if inner is not None:
            _drop_frames(inner)


def _hint(error: BaseException, loading: Loading) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "kohakuengine":
        return (
            "\nThis config was written for KohakuEngine: import from kohaku_ast, or let "
            f"`kogine config migrate {loading.path}` rewrite it."
        )
    return ""
