"""What a notebook that runs as a script finds in its process, and how its errors are printed.

A traceback shows the lines of the cell, by ``nb.ipynb, cell 3``: the file holds JSON, which
Python's own printing would show.
"""

from __future__ import annotations

import builtins
import os
import re
import sys
from typing import TYPE_CHECKING, Any

from kohaku_ast.errors import BrokenInstallation, SourceError
from kohaku_ast.frames import hidden
from kohaku_ast.notebook.notebook_text import SUFFIX, line_words, place_in, script_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from traceback import TracebackException
    from types import CodeType, TracebackType

_NAMES = ("get_ipython", "display")
INSTALL = 'pip install "kohaku-ast[notebook]"'


def text_of(path: str) -> bytes:
    """The notebook at *path* as a script; empty if it is gone."""
    try:
        with open(path, "rb") as file:
            return script_data(file.read(), path)
    except (OSError, SourceError):
        return b""


def line_words_of(path: str, line: int) -> str:
    """*line* of the script of the notebook at *path* as messages write it: ``cell 3, line 2``."""
    return line_words(text_of(path).decode("utf-8", "surrogatepass"), line)


def enter(path: str, data: bytes) -> None:
    """Let the script *data* of the notebook at *path* find what a cell finds, as far as its text
    names it: ``get_ipython`` and ``display``, which start a shell of IPython at their first call.
    """
    text = data.decode("utf-8", "surrogatepass")
    _show_lines(path, text)
    if "%matplotlib" in text or "%pylab" in text:
        # Figures were for the page: here they are not to open windows, which wait for the user.
        os.environ.setdefault("MPLBACKEND", "agg")
    _show_warnings()
    for name in _NAMES:
        if name in text and not hasattr(builtins, name):
            setattr(builtins, name, _starting(name))
    show_errors()


def show_errors() -> None:
    """Have the errors of notebooks printed with their cells, unless the user prints errors."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = print_error


def _show_warnings() -> None:
    """Have warnings name the cells of notebooks, unless the user formats them."""
    import warnings

    own = warnings.formatwarning
    if own.__module__ != "warnings":
        return

    def format_warning(
        message: Any, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if filename.lower().endswith(SUFFIX):
            import linecache

            line = linecache.getline(filename, lineno) if line is None else line
            text = "".join(linecache.getlines(filename))
            number, lineno = place_in(text, lineno)
            filename = f"{filename}, cell {number}"
        return own(message, category, filename, lineno, line)

    warnings.formatwarning = format_warning


def _show_lines(path: str, text: str) -> None:
    """Let tracebacks, pdb and ``inspect`` find the lines of *text* at *path*."""
    import linecache

    lines = [f"{row}\n" for row in text.split("\n")]
    linecache.cache[path] = (len(text), None, lines, path)


def compile_cells(data: bytes, path: str) -> CodeType:
    """The code of the script *data* of the notebook at *path*; it may await outside of functions.

    Raises SyntaxError.
    """
    code: CodeType = compile(data, path, "exec", _TOP_LEVEL_AWAIT, dont_inherit=True)
    return code


@hidden
def run_cells(code: CodeType, namespace: dict[str, object]) -> None:
    """Run *code*; what it awaits outside of functions, in a new event loop."""
    awaited = eval(code, namespace)
    if not code.co_flags & _AWAITS:
        return
    import asyncio

    try:
        asyncio.run(awaited)
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != code.co_filename:
            trace = trace.tb_next
        raise error.with_traceback(trace)  # noqa: B904  # the same one, without frames of asyncio


_TOP_LEVEL_AWAIT = 0x2000
"""``ast.PyCF_ALLOW_TOP_LEVEL_AWAIT``, without the import."""
_AWAITS = 0x80
"""``inspect.CO_COROUTINE``."""


def _starting(name: str) -> Callable[..., object]:
    def start(*values: object, **options: object) -> object:
        _start_shell()
        return getattr(builtins, name)(*values, **options)

    start.__name__ = start.__qualname__ = name
    return hidden(start)


@hidden
def _start_shell() -> None:
    """A shell of IPython whose names are those of ``__main__``. It replaces what stands for
    ``get_ipython`` and ``display``. Raises BrokenInstallation without IPython.
    """
    try:
        from IPython.core.interactiveshell import InteractiveShell
        from IPython.display import display
        from traitlets.config import Config
    except ImportError as error:
        raise BrokenInstallation(
            f"a magic or command of this notebook needs IPython ({error}): {INSTALL}"
        ) from None
    main, hook, shown = sys.modules["__main__"], sys.excepthook, sys.displayhook
    config = Config()
    config.HistoryManager.enabled = False  # the user's history is of what he has typed
    shell: Any = InteractiveShell.instance(
        config=config, user_module=main, user_ns=vars(main), colors="nocolor"
    )
    sys.modules["__main__"], sys.excepthook, sys.displayhook = main, hook, shown
    shell.system = shell.system_raw  # without a terminal of its own, whose lines end by \r\n
    builtins.get_ipython = lambda: shell  # type: ignore[attr-defined]
    builtins.display = display  # type: ignore[attr-defined]


def check_needs(shown: str, data: bytes) -> None:
    """Raise BrokenInstallation if a line of the notebook needs IPython, which is not there."""
    from importlib.util import find_spec

    rows = data.decode("utf-8", "surrogatepass").split("\n")
    for line, row in enumerate(rows, start=1):
        if row.lstrip().startswith("get_ipython().") and find_spec("IPython") is None:
            number, inner = place_in("\n".join(rows), line)
            raise BrokenInstallation(
                f"{shown}, cell {number}, line {inner}: {row.strip()} needs IPython: {INSTALL}"
            )


# --- errors ---------------------------------------------------------------------------------------


class CellError(Exception):
    """What a cell has raised in a kernel."""

    #: The traceback as Jupyter shows it, in colours.
    shown = ""

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError would show its repr

    @classmethod
    def of(cls, name: str, message: str, shown: str) -> CellError:
        """An exception of a class *name*, a subclass of Python's own of that name."""
        own = getattr(builtins, name, Exception)
        fields = {"__module__": "builtins", "shown": shown}
        try:
            error: CellError = type(name, (cls, own), fields)(message)
        except TypeError:  # it is no exception, or one with more parts than a message
            error = type(name, (cls,), fields)(message)
        vars(error)["__notes__"] = [_COLOURS.sub("", shown).rstrip()]  # Python 3.11 prints them
        return error


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def print_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """An excepthook: *error* as Python prints it, with lines by their cells."""
    if sys.stderr is None:
        return
    if isinstance(error, CellError) and sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        sys.stderr.write(error.shown)
    else:
        sys.stderr.write(error_text(error, trace))


def error_text(error: BaseException, trace: TracebackType | None) -> str:
    """*error* as Python prints it, with the lines of notebooks by their cells; that of a kernel as
    Jupyter prints it.
    """
    if isinstance(error, CellError):
        return _COLOURS.sub("", error.shown)
    from traceback import TracebackException

    made = TracebackException(type(error), error, trace, compact=True)
    _name_cells(made)
    return "".join(made.format())


def _name_cells(made: TracebackException) -> None:
    import linecache

    for frame in made.stack:
        if frame.filename.lower().endswith(".ipynb") and frame.lineno is not None:
            text = "".join(linecache.getlines(frame.filename))
            number, line = place_in(text, frame.lineno)
            frame.line  # noqa: B018  # it is read, and kept, by the line that the frame has now
            moved = frame.lineno - line
            frame.filename, frame.lineno = f"{frame.filename}, cell {number}", line
            if getattr(frame, "end_lineno", None) is not None:
                frame.end_lineno -= moved  # type: ignore[attr-defined]
    for other in (made.__cause__, made.__context__, *(getattr(made, "exceptions", None) or ())):
        if other is not None:
            _name_cells(other)


def explain_cell(path: str, data: bytes) -> int:
    """Print why Python cannot compile the cell; the exit status."""
    text = data.decode("utf-8", "surrogatepass")
    try:
        compile_cells(data, path)
    except SyntaxError as error:
        _place_in_cell(error, path, text)
        sys.stderr.write(error_text(error.with_traceback(None), None))
        return 1
    return 0


def _place_in_cell(error: SyntaxError, path: str, text: str) -> None:
    line = error.lineno or 1
    number, inner = place_in(text, line)
    error.filename, error.lineno = f"{path}, cell {number}", inner
    error.text = text.split("\n")[line - 1] + "\n"  # Python has looked into the file
    if error.end_lineno:
        error.end_lineno -= line - inner
