"""The rewritten text of a script, for people: as a whole, and against the original."""

from __future__ import annotations

import ast
import codecs
import difflib
from collections.abc import Iterator, Sequence

from kohaku_ast.transform.compile import prove
from kohaku_ast.transform.deep import with_room
from kohaku_ast.transform.parameters import Parameter, find_parameters
from kohaku_ast.transform.plan import make_plan
from kohaku_ast.transform.request import Request
from kohaku_ast.transform.source import Source


def transformed_text(source: Source, request: Request) -> str:
    """The text that is compiled for *request*; raises what ``build_program`` raises."""
    return with_room(
        lambda: prove(source, list(make_plan(source, request).edits)).text, source.filename
    )


def request_all(source: Source) -> Request:
    """The Request for every parameter that a person would tune."""
    settings = [one for one in find_parameters(source) if one.is_setting and not one.refused]
    targets = [(one.target, True, False) for one in _apart(settings)]
    return Request(targets=tuple(targets))


def _apart(parameters: Sequence[Parameter]) -> Iterator[Parameter]:
    """*parameters* without those that hold another one (a dict whose entries are there), and
    without the second of two that share a place.
    """
    places = {id(site.node) for one in parameters for site in one.sites}
    taken: set[int] = set()
    for one in parameters:
        replaced = [site.node for site in one.sites if site.change == "replace"]
        own = {id(node) for node in replaced}
        inside = {id(inner) for node in replaced for inner in ast.walk(node)} - own
        if not inside & places and not own & taken:
            taken |= own
            yield one


def in_bytes(text: str, source: Source, data: bytes) -> bytes:
    """*text* as a file like that of *source*: its encoding, and its byte order mark if
    *data*, the bytes of the file, has one.
    """
    return _mark(data) + text.encode(source.encoding)


def difference(source: Source, text: str, name: str, data: bytes) -> bytes:
    """The unified diff from *source*, the file *name*, to *text*."""
    old, new = (_lines(f"{_mark(data).decode()}{each}") for each in (source.text, text))
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    whole = "".join(line if line[-1:] in "\r\n" else f"{line}\n{_NO_END}" for line in lines)
    return whole.encode(source.encoding, "backslashreplace")


_NO_END = "\\ No newline at end of file\n"


def _mark(data: bytes) -> bytes:
    return codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""


def _lines(text: str) -> list[str]:
    """With their ends; a form feed ends no line of Python."""
    starts = Source("", text).line_starts
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)]) if start < end]
