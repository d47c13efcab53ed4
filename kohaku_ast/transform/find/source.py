"""Source: the text of a script, how it is decoded and parsed, and where each position lies."""

from __future__ import annotations

import ast
import io
import os
import re
import sys
import tokenize
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from kohaku_ast.errors import (
    KogineError,
    MissingScript,
    SourceError,
    UnreadableScript,
)
from kohaku_ast.files import read_input

if TYPE_CHECKING:
    from concurrent.futures import Future


# Only these end a line for Python's tokenizer; str.splitlines() would also break at a
# form feed or U+2028 and shift every line below.
_LINE_END = re.compile(r"\r\n|\r|\n")


def plain_newlines(text: str) -> str:
    r"""*text* of a script with ``\n`` for each end of a line."""
    return _LINE_END.sub("\n", text)


@dataclass(frozen=True)
class Source:
    """The text of a script, with positions as ``ast`` counts them."""

    #: The path that tracebacks show.
    filename: str
    #: The text as decoded, newlines as they are in the file, without the BOM.
    text: str
    #: The encoding of the file, e.g. ``"utf-8"`` or ``"iso-8859-1"``.
    encoding: str = "utf-8"
    #: The folder in which its local modules are found: the first entry of its ``sys.path``.
    folder: str = ""
    #: The package that it belongs to; its relative imports start from there.
    package: str = ""

    @property
    def file(self) -> str:
        """The name of the file without its folder, for messages."""
        return os.path.basename(self.filename)

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        return _LINE_END.split(self.text)

    @cached_property
    def newline(self) -> str:
        """The file's own line end (that of its first line)."""
        found = _LINE_END.search(self.text)
        return found.group() if found else "\n"

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset in the text at which each line starts."""
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def offset(self, line: int, column: int) -> int:
        """The offset in the text of an ``ast`` position (line from 1, column in UTF-8 bytes)."""
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode("utf-8")[:column].decode("utf-8"))
        return self.line_starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Start and end offset of *node* in the text."""
        start = self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        end = self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        return start, end

    def segment(self, node: ast.AST) -> str:
        """The text of *node* as it is written."""
        start, end = self.span(node)
        return self.text[start:end]

    @property
    def tree(self) -> ast.Module:
        """The syntax tree; raises SyntaxError as ``compile`` does."""
        return self._parsed[0]

    @property
    def parser_warnings(self) -> list[warnings.WarningMessage]:
        """The warnings of Python's parser (of an invalid escape, for example)."""
        return self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[ast.Module, list[warnings.WarningMessage]]:
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            return ast.parse(self.text, self.filename), noted

    def line_of(self, node: ast.AST) -> str:
        """The place of *node* as messages write it."""
        return self.place(node.lineno)  # type: ignore[attr-defined]

    def place(self, line: int) -> str:
        """*line* as messages write it: ``train.py:12``, ``nb.ipynb, cell 3, line 2``."""
        words = self.line_words(line)
        return f"{self.file}:{line}" if words[:4] == "line" else f"{self.file}, {words}"

    def line_words(self, line: int) -> str:
        """``line 12``; of a notebook ``cell 3, line 2``."""
        if not self.filename.lower().endswith(".ipynb"):
            return f"line {line}"
        from kohaku_ast.notebook.notebook_text import line_words  # here: most scripts are none

        return line_words(self.text, line)


def parse_text(text: str, filename: str) -> ast.Module:
    """The tree of *text*, without the parser's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, filename)


def decode(data: bytes, filename: str, folder: str = "", package: str = "") -> Source:
    """The Source of *data*; raises SourceError if Python could not decode it either."""
    if is_bytecode(data):
        raise SourceError(
            f"{filename}: is compiled bytecode and has no text to rewrite: name the .py file that "
            "it was compiled from"
        )
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise SourceError(f"{filename}: cannot decode the script: {error}") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise SourceError(
            f"{filename}:{line}: source code cannot contain null bytes: is this a Python script?"
        )
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    folder = folder or os.path.dirname(os.path.realpath(filename))
    return Source(filename, text, encoding, folder, package)


def is_bytecode(data: bytes) -> bool:
    """Whether *data* are those of a ``.pyc`` file, of whatever version of Python."""
    return data[2:4] == b"\r\n" and b"\0" in data[4:16]


def read_bytes(path: str) -> bytes:
    """The bytes of the script at *path*; raises SourceError if it cannot be read."""
    try:
        return read_input(path)
    except OSError as error:
        kind = MissingScript if isinstance(error, FileNotFoundError) else UnreadableScript
        raise kind(f"can't open file {path!r}: {error.strerror}") from error


Result = TypeVar("Result")

_STACK = 512 * 2**20
# Python compiles a sum of 2,900 terms; to walk it takes several calls for each term.
_LIMIT = 100_000


def with_room(function: Callable[[], Result], filename: str) -> Result:
    """The result of ``function()``, which is called again on a deep stack if the usual one is too
    small.

    Raises SourceError if the deep one is too small as well.
    """
    try:
        return function()
    except RecursionError:
        pass
    try:
        return _on_deep_stack(function)
    except KogineError:
        raise
    except (RecursionError, RuntimeError, ValueError) as error:
        raise SourceError(f"{filename}: nested too deeply to be rewritten: {error}") from None


def _on_deep_stack(function: Callable[[], Result]) -> Result:
    import threading  # only deeply nested scripts need these two
    from concurrent.futures import Future

    future: Future[Result] = Future()
    size, limit = threading.stack_size(_STACK), sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(_LIMIT)
        thread = threading.Thread(target=_fulfil, args=(future, function))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    return future.result()


def _fulfil(future: Future[Result], function: Callable[[], Result]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)
