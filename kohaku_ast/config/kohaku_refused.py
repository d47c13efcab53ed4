"""What a KohakuEngine config does that one of ours cannot."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from kohaku_ast.config.kohaku_names import TheirNames
from kohaku_ast.config.text_edits import TextEdit
from kohaku_ast.transform.source import Source

_OWN_NAMES = "the file's own names are its Config already, else write Config({...})"
_GONE = {
    "capture_globals": "every name that the file assigns is an override: leave it out",
    "CaptureGlobals": "every name that the file assigns is an override: leave it out",
    "ConfigGenerator": "a generator is taken as it is: leave it out",
    "Use": "values need no wrapper: leave it out",
    "RawArg": "write the value itself",
    "FormatArg": "the script's own annotation decides: write the value itself",
    "coerce_value": "write the value itself",
    "load_config_file": "write Config.from_file(path), or Sweep.from_file(path)",
    "load_from_dict": "write Config.from_dict({'globals_dict': ...})",
    "Config.from_dict": "the field is called 'globals_dict', not 'globals'",
    "Config.from_globals": _OWN_NAMES,
    "Config.from_context": _OWN_NAMES,
}
_FIELDS = ("globals_dict", "args", "kwargs", "metadata")
_CHANGES = ("update", "setdefault", "pop", "clear", "append", "extend", "insert")


def refused(
    source: Source, theirs: TheirNames, edits: Sequence[TextEdit]
) -> Iterator[tuple[int, str]]:
    """Line and words for what stays as it is and will not work; *edits* are made away with it."""
    for node in ast.walk(source.tree) if theirs.is_used else ():
        if hasattr(node, "lineno") and not _is_edited(source, node, edits):
            said = _gone(node, theirs) or _changed(node)
            if said:
                yield node.lineno, said


def _is_edited(source: Source, node: ast.AST, edits: Sequence[TextEdit]) -> bool:
    start, end = source.span(node)
    return any(edit.start <= start and end <= edit.end for edit in edits if edit.end > edit.start)


def _gone(node: ast.AST, theirs: TheirNames) -> str:
    name = theirs.of(node)
    return f"{name}: {_GONE[name]}" if name in _GONE else ""


def _changed(node: ast.AST) -> str:
    """A Config that is changed after it was made."""
    for target in _changed_ones(node):
        inner = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(inner, ast.Attribute) and inner.attr in _FIELDS:
            shown = ast.unparse(target)
            return f"{shown} is changed: a Config is frozen, write config | Config(...)"
    return ""


def _changed_ones(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, (ast.Assign, ast.Delete)):
        return node.targets
    if isinstance(node, ast.AugAssign):
        return [node.target]
    function = node.func if isinstance(node, ast.Call) else None
    is_change = isinstance(function, ast.Attribute) and function.attr in _CHANGES
    return [function.value] if is_change and isinstance(function, ast.Attribute) else []
