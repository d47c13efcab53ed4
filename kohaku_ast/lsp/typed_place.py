"""What stands at the cursor of a config: a target that is typed, or a value. The text before the
cursor alone decides, since the rest is seldom a whole config at that moment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from kohaku_ast.lsp.data_parts import header_steps, is_header, toml_steps
from kohaku_ast.lsp.document_text import Span
from kohaku_ast.lsp.flow_scan import FlowScan, Frame, unquoted

_DICTS = ("_overrides", "_sweep", "globals_dict")
_MAKERS = ("Config", "Sweep")
_RESERVED_TABLES = ("_overrides", "_sweep")


@dataclass(frozen=True)
class TypedPlace:
    """What is typed."""

    #: What is typed so far, with its opening quote; a completion replaces it.
    span: Span
    typed: str
    #: The target whose value is typed; None if a target is typed.
    target: str | None
    #: What the tables around it give of the target: ``Args.``.
    above: str = ""
    #: Whether only a name of Python can stand here.
    is_name: bool = False
    #: Whether a separator has to follow a target.
    wants_separator: bool = True
    #: Whether the value is one of an axis.
    is_axis: bool = False
    #: Whether it stands at the top of the config, where reserved names may stand.
    is_top: bool = False
    #: Whether it is the head of a table of TOML.
    is_header: bool = False


def typed_place(text: str, cursor: int, form: str) -> TypedPlace | None:
    """The place at *cursor* in the *text* of a config; None where nothing is to be completed."""
    before = text[:cursor]
    find = {"py": _in_python, "toml": _in_toml, "json": _in_json, "yaml": _in_yaml}[form]
    found = find(before)
    if found is None:
        return None
    rest = re.compile(r"[\w.\-()]*[\"']?" if found.typed[:1] in ("'", '"') else r"[\w\-.]*")
    end = rest.match(text, cursor)
    stop = end.end() if end else cursor
    follows = re.compile(r"[ \t]*[:=]").match(text, stop)
    wants = found.wants_separator and follows is None
    return TypedPlace(
        Span(found.span.start, stop), found.typed, found.target, found.above, found.is_name,
        wants, found.is_axis, found.is_top, found.is_header,
    )  # fmt: skip


def _token(frame: Frame, cursor: int) -> tuple[Span, str] | None:
    """The token that ends at the *cursor*; an empty one if a blank stands there. None if the item
    has other tokens before it.
    """
    if frame.first < 0:
        return Span(cursor, cursor), ""
    is_single = frame.first == frame.token_start
    if frame.last == cursor and is_single and not _is_closed(frame.token):
        return Span(frame.token_start, cursor), frame.token
    return None


def _is_closed(token: str) -> bool:
    """Whether *token* is a text that has its end."""
    return token[-1:] in ("'", '"') and len(token) > 1 and token[0] == token[-1]


# --- Python --------------------------------------------------------------------------------------


def _in_python(text: str) -> TypedPlace | None:
    scan = FlowScan(text, "py")
    frames, frame = scan.frames, scan.frames[-1]
    found = None if scan.is_comment else _token(frame, len(text))
    if found is None:
        return None
    span, typed = found
    if len(frames) == 1:
        return _top_of_python(text, frame, span, typed)
    owner = frames[-2]
    if frame.bracket == "(" and frame.head in _MAKERS and frame.key is not None:
        return TypedPlace(span, typed, frame.key, is_axis=frame.head == "Sweep")
    if frame.bracket == "(" and frame.head in _MAKERS:
        return TypedPlace(span, typed, None, is_name=True)
    if frame.bracket == "{" and _is_dict_of_targets(frames):
        is_axis = owner.key == "_sweep" or owner.head == "Sweep"
        key = None if frame.key is None else unquoted(frame.key)
        return TypedPlace(span, typed, key, is_axis=is_axis)
    return _in_python_list(frames, span, typed)


def _top_of_python(text: str, frame: Frame, span: Span, typed: str) -> TypedPlace | None:
    if frame.key is not None:
        is_name = frame.key.isidentifier()
        return TypedPlace(span, typed, frame.key) if is_name else None
    is_first = span.start == 0 or text[span.start - 1] in "\r\n"
    is_name = typed == "" or typed.isidentifier()
    if not is_first or not is_name:
        return None
    return TypedPlace(span, typed, None, is_name=True, is_top=True)


def _is_dict_of_targets(frames: list[Frame]) -> bool:
    """Whether the dict at the end of *frames* has targets as keys."""
    owner = frames[-2]
    if len(frames) == 2:
        return owner.key in _RESERVED_TABLES
    return owner.head in _MAKERS and owner.key in (None, "globals_dict")


def _in_python_list(frames: list[Frame], span: Span, typed: str) -> TypedPlace | None:
    """A value in the list of an axis."""
    if frames[-1].bracket not in ("[", "(") or len(frames) < 3 or frames[-2].key is None:
        return None
    owner = frames[-2]
    is_axis = frames[-3].key == "_sweep" or "Sweep" in (owner.head, frames[-3].head)
    return TypedPlace(span, typed, unquoted(owner.key or ""), is_axis=True) if is_axis else None


# --- data files ----------------------------------------------------------------------------------


def _in_json(text: str) -> TypedPlace | None:
    scan = FlowScan(text, "json")
    keys = [[unquoted(one.key)] if one.key is not None else [] for one in scan.frames[1:-1]]
    if len(scan.frames) < 2:
        return None
    return _in_frame(scan.frames[-1], [key for one in keys for key in one], len(text))


def _in_toml(text: str) -> TypedPlace | None:
    scan = FlowScan(text, "toml")
    top, frame = scan.frames[0], scan.frames[-1]
    if scan.is_comment:
        return None
    if len(scan.frames) == 2 and frame.bracket == "[" and top.key is None:
        found = _token(frame, len(text))
        is_plain = found is not None and not found[1].startswith(("'", '"'))
        span, typed = found if found is not None and is_plain else (Span(0, 0), "")
        return (
            TypedPlace(span, typed, None, is_header=True, wants_separator=False)
            if is_plain
            else None
        )
    heads = [one for one in top.parts if is_header(one, text)]
    keys = [key for key, _ in header_steps(heads[-1], text)] if heads else []
    for one in scan.frames[:-1]:
        keys += [key for key, _ in toml_steps(one.key, 0)] if one.key is not None else []
    return _in_frame(frame, keys, len(text))


def _in_frame(frame: Frame, keys: list[str], cursor: int) -> TypedPlace | None:
    """The place in *frame*, inside the tables *keys*."""
    found = _token(frame, cursor)
    if found is None:
        return None
    span, typed = found
    if frame.bracket == "[":
        return _of_value(span, typed, keys)
    if frame.key is None:
        return _of_key(span, typed, keys)
    return _of_value(span, typed, [*keys, *(key for key, _ in toml_steps(frame.key, 0))])


def _of_key(span: Span, typed: str, keys: list[str]) -> TypedPlace | None:
    """A key that is typed inside the tables *keys*."""
    if keys and keys[0].startswith("_") and keys[0] not in _RESERVED_TABLES:
        return None
    inside = keys[1:] if keys and keys[0] in _RESERVED_TABLES else keys
    if keys[:1] == ["_sweep"] and inside:
        return None
    above = "".join(f"{key}." for key in inside)
    return TypedPlace(span, typed, None, above, is_top=not keys)


def _of_value(span: Span, typed: str, keys: list[str]) -> TypedPlace | None:
    """A value that is typed below *keys*."""
    is_axis = keys[:1] == ["_sweep"]
    inside = keys[1:] if keys and keys[0] in _RESERVED_TABLES else keys
    return TypedPlace(span, typed, ".".join(inside), is_axis=is_axis) if inside else None


# --- YAML ----------------------------------------------------------------------------------------

_KEY = re.compile(
    r"(?P<indent> *)(?P<items>(?:- +)*)"
    r"(?P<key>\"(?:\\.|[^\"\\])*\"|'[^']*'|[^\s\"'#&*!|>%@`\[\]{},-][^#\[\]{}]*?|-[^\s#:][^#]*?)"
    r"[ ]*:(?:[ \t]+(?P<value>.*)|$)"
)
_BLOCK = re.compile(r"(?:[&!]\S+ +)*[|>][-+0-9]*[ ]*(?:#.*)?$")
_COMMENT = re.compile(r"(?:^|[ \t])#")


def _in_yaml(text: str) -> TypedPlace | None:
    starts = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))]
    tables: list[tuple[int, str]] = []
    after = 0  # what a value in brackets, or a block of text, has taken
    for start, end in pairwise(starts):
        line = text[start:end].rstrip("\r\n")
        if start < after or not line.strip():
            continue
        found = _KEY.match(line)
        if found is None and line.lstrip()[:1] == "{":
            scan = FlowScan(text, "yaml", start, is_value=True)
            if scan.is_open:
                return _in_flow(scan, [], len(text))
            after = scan.end
        if found is None:
            continue
        _enter(tables, len(found["indent"]) + len(found["items"]), unquoted(found["key"]))
        value, place = found["value"] or "", start + found.start("value")
        if value[:1] in ("{", "["):
            scan = FlowScan(text, "yaml", place, is_value=True)
            if scan.is_open:
                return _in_flow(scan, [key for _, key in tables], len(text))
            after = scan.end
        elif _BLOCK.match(value):
            after = _end_of_block(text, end, len(found["indent"]))
    return None if len(text) < after else _last_line(text, starts[-1], tables)


def _enter(tables: list[tuple[int, str]], indent: int, key: str) -> None:
    """*key* stands at *indent*: the tables that are not left of it have ended."""
    while tables and tables[-1][0] >= indent:
        tables.pop()
    tables.append((indent, key))


def _end_of_block(text: str, start: int, indent: int) -> int:
    """The end of the block of text that starts at *start*: of its lines, all have more *indent*."""
    line = re.compile(rf"(?: {{{indent + 1}}}[^\r\n]*|[ \t]*)(?:\r\n|\r|\n|\Z)")
    while start < len(text) and (found := line.match(text, start)):
        start = found.end()
    return start if start < len(text) else len(text) + 1


def _in_flow(scan: FlowScan, keys: list[str], cursor: int) -> TypedPlace | None:
    inner = [unquoted(one.key) for one in scan.frames[:-1] if one.key is not None]
    return None if scan.is_comment else _in_frame(scan.frames[-1], [*keys, *inner], cursor)


def _last_line(text: str, start: int, tables: list[tuple[int, str]]) -> TypedPlace | None:
    """The place at the end of *text*, whose last line starts at *start*."""
    line, tables = text[start:], [*tables]
    found = _KEY.match(line)
    if found and found["value"] is not None:
        _enter(tables, len(found["indent"]) + len(found["items"]), unquoted(found["key"]))
        return _typed_value(text, start + found.start("value"), [key for _, key in tables])
    if line.lstrip()[:1] == "{":
        scan = FlowScan(text, "yaml", start, is_value=True)
        return _in_flow(scan, [], len(text)) if scan.is_open else None
    indent = len(line) - len(line.lstrip(" "))
    is_item = line[indent:].startswith("- ")
    typed = line[indent:].removeprefix("- ").lstrip()
    if _COMMENT.search(line) or ":" in typed:
        return None
    keys = [key for own, key in tables if own < indent or (is_item and own == indent)]
    span = Span(len(text) - len(typed), len(text))
    return _of_value(span, typed, keys) if is_item else _of_key(span, typed, keys)


def _typed_value(text: str, start: int, keys: list[str]) -> TypedPlace | None:
    value = text[start:]
    if value[:1] in ("{", "["):
        scan = FlowScan(text, "yaml", start, is_value=True)
        return _in_flow(scan, keys, len(text)) if scan.is_open else None
    if _COMMENT.search(value) or _is_closed(value) or " " in value:
        return None
    return _of_value(Span(start, len(text)), value, keys)
