"""``kogine transform``: the rewritten source that ``kogine run`` compiles."""

from __future__ import annotations

from collections.abc import Callable

from kogine.asked import Asked, ask, need_script, show_syntax_error, shown_path
from kogine.options import TRANSFORM_OPTIONS
from kogine.reader import Arguments, read
from kogine.written import print_bytes

from kohaku_ast.errors import UsageError
from kohaku_ast.transform.shown import difference, in_bytes, request_all, transformed_text


def transform(arguments: list[str]) -> Callable[[], int]:
    """Read and check everything; what comes back prints the text."""
    read_ = read(arguments, TRANSFORM_OPTIONS)
    need_script(read_, "transform")
    if read_.argv:
        raise UsageError("transform runs nothing: leave out '--' and what follows it")
    try:
        asked = ask(read_, "transform")
    except SyntaxError as error:
        status = show_syntax_error(error)
        return lambda: status
    shown = _shown(asked, read_)
    return lambda: print_bytes(shown)


def _shown(asked: Asked, read_: Arguments) -> bytes:
    is_specific = bool(read_.sets or read_.values)
    request = asked.request if is_specific else request_all(asked.source)
    text = transformed_text(asked.source, request)
    if "--diff" in read_.flags:
        return difference(asked.source, text, shown_path(asked.path), asked.data)
    return in_bytes(text, asked.source, asked.data)
