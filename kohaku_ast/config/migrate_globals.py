"""What KohakuEngine needs to collect a file's names, and we do not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kohaku_ast.config.kohaku_names import TheirNames
from kohaku_ast.config.text_edits import TextEdit, whole_lines
from kohaku_ast.transform.source import Source


def edit_captures(source: Source, theirs: TheirNames) -> Iterator[TextEdit]:
    """Without the functions and statements that only collect the file's names."""
    for node in source.tree.body:
        if _only_collects(node, theirs):
            start, end = whole_lines(source, node)
            yield TextEdit(_above(source, start), end, "")
        elif isinstance(node, ast.With) and _is_capture(node, theirs):
            yield from _dedented(source, node)


def outside_captures(source: Source, theirs: TheirNames) -> Iterator[tuple[str, int]]:
    """Names, with their lines, that are assigned outside the file's capture_globals() blocks."""
    blocks = [one for one in source.tree.body if isinstance(one, ast.With)]
    if not any(_is_capture(one, theirs) for one in blocks):
        return
    for node in source.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            is_plain = isinstance(target, ast.Name) and not target.id.startswith("_")
            if is_plain and not _only_collects(node, theirs):
                yield ast.unparse(target), node.lineno


def _only_collects(node: ast.stmt, theirs: TheirNames) -> bool:
    """``def config_gen(): return Config.from_globals()``, or ``CONFIG = ...`` of it."""
    if isinstance(node, ast.FunctionDef) and node.name == "config_gen":
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        returned = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
        return _collects(returned, theirs)
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CONFIG":
        return _collects(node.value, theirs)
    return False


def _collects(value: ast.expr | None, theirs: TheirNames) -> bool:
    name = theirs.of(value.func) if isinstance(value, ast.Call) else ""
    return name in ("Config.from_globals", "Config.from_context")


def _is_capture(node: ast.With, theirs: TheirNames) -> bool:
    call = node.items[0].context_expr
    name = theirs.of(call.func) if isinstance(call, ast.Call) else ""
    return len(node.items) == 1 and name in ("capture_globals", "CaptureGlobals")


def _dedented(source: Source, node: ast.With) -> Iterator[TextEdit]:
    """The block's own lines, without the ``with`` above them."""
    starts, first = source.line_starts, node.body[0]
    if first.lineno == node.lineno:  # `with capture_globals() as c: lr = 1`
        yield TextEdit(source.span(node)[0], source.span(first)[0], "")
        return
    yield TextEdit(starts[node.lineno - 1], starts[_header_end(node)], "")
    inside = _inside_texts(node)
    for line in range(_header_end(node) + 1, (node.end_lineno or 0) + 1):
        start = starts[line - 1]
        blank = len(source.lines[line - 1]) - len(source.lines[line - 1].lstrip())
        if line not in inside:
            yield TextEdit(start, start + min(first.col_offset, blank), "")


def _header_end(node: ast.With) -> int:
    return node.items[0].context_expr.end_lineno or node.lineno


def _inside_texts(node: ast.With) -> set[int]:
    """Lines that go on with a string: blanks at their start belong to it."""
    texts = [
        one
        for one in ast.walk(node)
        if isinstance(one, ast.JoinedStr)
        or (isinstance(one, ast.Constant) and isinstance(one.value, (str, bytes)))
    ]
    return {line for one in texts for line in range(one.lineno + 1, (one.end_lineno or 0) + 1)}


def _above(source: Source, start: int) -> int:
    """Where the blank lines above *start* begin."""
    place = start
    while source.text[:place].endswith(("\n\n", "\r\n\r\n")):
        place -= len(source.newline)
    return place
