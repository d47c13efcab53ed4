"""A config from a KohakuEngine config, and a list of what has no counterpart in kohaku_ast."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator

from kohaku_ast.errors import KogineError, SourceError
from kohaku_ast.migrate.codemod import migrated_module
from kohaku_ast.migrate.kohakuengine_names import (
    NO_COUNTERPART,
    SAME_NAMES,
    KohakuNames,
    TopStatements,
    assigned_name,
    imports_kohakuengine,
    root,
    statements,
)
from kohaku_ast.migrate.migration import Migrated, NotCarriedOver, in_order
from kohaku_ast.transform.find.inspection import Inspection
from kohaku_ast.transform.find.source import Source, decode, parse_text, read_bytes, with_room
from kohaku_ast.transform.find.targets import Targets

# isort: split
# After kohakuengine_names, whose error says how to install libcst.
import libcst as cst
from libcst.metadata import MetadataWrapper

_FIELDS = ("globals_dict", "args", "kwargs", "metadata")
_CHANGES = ("update", "setdefault", "pop", "clear", "append", "extend", "insert")
_LINE_END = re.compile(r"\r\n|\r|\n")


def migrate_kohakuengine(source: Source, file: str, script: Inspection | None = None) -> Migrated:
    """The config *source* with its comments; names that *script* lacks are reported.

    Raises SourceError for a file that libcst cannot read, or does not print as it is.
    """
    swept = _swept_names(source.tree)
    text, gaps = source.text, list[NotCarriedOver]()
    if swept or imports_kohakuengine(source.tree):
        text, gaps = with_room(lambda: _rewritten(source.text, file, swept), file)
    if script is not None:
        gaps += _unknown_names(source, parse_text(text, file), file, script)
    return Migrated(text, in_order(gaps))


def _rewritten(text: str, file: str, swept: set[str]) -> tuple[str, list[NotCarriedOver]]:
    """The text with all edits, and the parts of it that will not work."""
    start = text[: len(text) - len(text.lstrip("\f"))]  # libcst drops a form feed at the start
    module = _parsed(text[len(start) :], file)
    names = KohakuNames(MetadataWrapper(module))
    top = TopStatements.of(names, swept)
    gaps = list(_gaps(names, top, file)) if names.is_used else []
    return start + migrated_module(names, top).code, gaps


def _parsed(text: str, file: str) -> cst.Module:
    """The tree of *text*; raises SourceError with the line if libcst prints it otherwise."""
    try:
        module = cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        line = _refused_line(Source(file, text), error.raw_line)
        raise _refusal(text, file, line, "cannot read this line") from None
    if module.code == text:
        return module
    old, new = _LINE_END.split(text), _LINE_END.split(module.code)
    place = [*(one == other for one, other in zip(old, new)), False].index(False)
    printed = new[place] if place < len(new) else ""
    raise _refusal(text, file, place + 1, f"would print this line as {printed!r}")


def _refused_line(source: Source, reported: int) -> int:
    """The line that libcst cannot read; the *reported* one may be some statements below it."""
    refused: ast.stmt | None = None
    inner: Iterable[ast.stmt] = source.tree.body
    while found := next((one for one in inner if _is_refused(source, one)), None):
        refused, inner = found, list(_inner_statements(found))
    if refused is None:
        return reported
    first, last = _lines(refused)
    return reported if first <= reported <= last else first


def _inner_statements(node: ast.AST) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, (ast.excepthandler, ast.match_case)):
            yield from _inner_statements(child)


def _lines(node: ast.stmt) -> tuple[int, int]:
    """The first and the last line of *node*, decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return first, node.end_lineno or node.lineno


def _is_refused(source: Source, node: ast.stmt) -> bool:
    """Whether libcst cannot read *node* by itself."""
    first, last = _lines(node)
    starts = [*source.line_starts, len(source.text)]
    text = source.text[starts[first - 1] : starts[last]]
    before = source.lines[first - 1][: node.col_offset]
    if before.strip():
        text = source.segment(node)  # after a colon or a semicolon
    elif before:
        text = f"if 1:\n{text}"
    try:
        cst.parse_module(text)
    except cst.ParserSyntaxError:
        return True
    return False


def _refusal(text: str, file: str, line: int, why: str) -> SourceError:
    lines = _LINE_END.split(text)
    line = max(1, min(line, len(lines)))
    return SourceError(
        f"{file}:{line}: {lines[line - 1]!r}: libcst {why}. Nothing was written: write the line "
        "another way, and migrate again"
    )


# --- what has no counterpart ---------------------------------------------------------------------


def _gaps(names: KohakuNames, top: TopStatements, file: str) -> Iterator[NotCarriedOver]:
    check = _CounterpartCheck(names, top)
    names.module.visit(check)
    found = [*check.found, *_outside_captures(names, top), *_old_bases(check.bases, file)]
    yield from (NotCarriedOver(file, *one) for one in found)


class _CounterpartCheck(cst.CSTVisitor):
    """Finds the parts of a file that stay as they are and will not work.

    The nodes that *top* migrates are skipped.
    """

    def __init__(self, names: KohakuNames, top: TopStatements) -> None:
        super().__init__()
        self.names = names
        self.migrated = top.migrated
        self.capture_names = top.capture_names
        #: Line and message of each finding.
        self.found: list[tuple[int, str]] = []
        #: Line and path of each config that this one takes values from.
        self.bases: list[tuple[int, str]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Check *node*; return whether the nodes in it are checked too."""
        if node in self.migrated:
            return False
        name = self.names.of(node)
        message = _missing(name) or self._capture(node) or _changed(node)
        if message:
            self.found.append((self.names.line(node), message))
        if isinstance(node, cst.Attribute) and (name in SAME_NAMES or name in NO_COUNTERPART):
            root(node).visit(self)  # in `kohakuengine.config.Config`, `config` is not missing
            return False
        return self._call(node) if isinstance(node, cst.Call) else True

    def _call(self, node: cst.Call) -> bool:
        """Whether the arguments of *node* are checked."""
        name = self.names.of(node.func)
        if name in NO_COUNTERPART:
            node.func.visit(self)
            return False
        first = node.args[0].value if node.args else None
        path = first.evaluated_value if isinstance(first, cst.SimpleString) else None
        if name == "use_config" and isinstance(path, str):
            self.bases.append((self.names.line(node), path))
        return True

    def _capture(self, node: cst.CSTNode) -> str:
        if not isinstance(node, cst.Name) or node.value not in self.capture_names:
            return ""
        if self.names.is_no_read(node):
            return ""
        return f"{node.value} is still read: capture_globals() is not needed here, and left out"


def _missing(name: str) -> str:
    """The message for KohakuEngine's *name*; empty if it has a counterpart."""
    if name in NO_COUNTERPART:
        return f"{name}: {NO_COUNTERPART[name]}"
    is_whole = bool(name) and "." not in name and name not in SAME_NAMES
    return f"{name}: kohaku_ast has no counterpart: leave it out" if is_whole else ""


def _changed(node: cst.CSTNode) -> str:
    """The message for a change of a Config after it was made; empty if *node* is none."""
    for target in _changed_ones(node):
        inner = target.value if isinstance(target, cst.Subscript) else target
        if isinstance(inner, cst.Attribute) and inner.attr.value in _FIELDS:
            shown = ast.unparse(ast.parse(f"({cst.Module([]).code_for_node(target)}\n)"))
            return f"{shown} is changed: a Config is frozen, write config | Config(...)"
    return ""


def _changed_ones(node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    if isinstance(node, cst.Assign):
        yield from (one.target for one in node.targets)
    elif isinstance(node, cst.AugAssign):
        yield node.target
    elif isinstance(node, cst.Del):
        inner = node.target
        yield from (e.value for e in inner.elements) if isinstance(inner, cst.Tuple) else [inner]
    function = node.func if isinstance(node, cst.Call) else None
    if isinstance(function, cst.Attribute) and function.attr.value in _CHANGES:
        yield function.value


def _outside_captures(names: KohakuNames, top: TopStatements) -> Iterator[tuple[int, str]]:
    """Line and message of each name that is assigned outside capture_globals()."""
    for node in statements(names.module.body) if top.captures else ():
        name = assigned_name(node)
        if name and not name.startswith("_") and name != "CONFIG":
            why = "was outside capture_globals(), so no script got it: call it"
            yield names.line(node), f"{name!r} {why} '_{name}'"


def _old_bases(bases: list[tuple[int, str]], file: str) -> Iterator[tuple[int, str]]:
    """Line and message of each base of *file* that is not migrated yet."""
    for line, name in bases:
        if _is_old(os.path.join(os.path.dirname(file), name)):
            yield line, f"{name} is a KohakuEngine config too: migrate it as well"


def _is_old(path: str) -> bool:
    try:
        return imports_kohakuengine(decode(read_bytes(path), path).tree)
    except (KogineError, SyntaxError):
        return False


# --- the names at the top ------------------------------------------------------------------------


def _swept_names(tree: ast.Module) -> set[str]:
    """The names that are both assigned and swept, and that nothing reads."""
    top = list(_top(tree))
    targets = [one.targets for one in top if isinstance(one, ast.Assign)]
    assigned = {one[0].id for one in targets if len(one) == 1 and isinstance(one[0], ast.Name)}
    return (assigned & _axes(top)) - _names_read(tree)


def _top(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of *tree*, and those in its blocks: capture_globals() may be one."""
    for node in tree.body:
        yield node
        yield from node.body if isinstance(node, ast.With) else ()


def _axes(top: Iterable[ast.stmt]) -> set[str]:
    assigned = [node for node in top if isinstance(node, ast.Assign)]
    dicts = [
        node.value
        for node in assigned
        if isinstance(node.value, ast.Dict) and ast.unparse(node.targets[0]) == "_sweep"
    ]
    keys = [key.value for one in dicts for key in one.keys if isinstance(key, ast.Constant)]
    return {key for key in keys if isinstance(key, str) and key != "__mode__"}


def _names_read(tree: ast.AST) -> set[str]:
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in nodes if isinstance(node.ctx, ast.Load)}


def _unknown_names(
    source: Source, made: ast.Module, file: str, script: Inspection
) -> Iterator[NotCarriedOver]:
    """The names that the script lacks, which KohakuEngine set all the same."""
    if any(getattr(node, "name", "") == "config_gen" for node in made.body):
        return  # the names at the top are its own
    targets = Targets(script.source, script.parameters)
    lines = _first_lines(source.tree)
    names = {name for node in made.body for name in _assigned(node)} - _names_read(made)
    for name in names | _axes(made.body):
        if name.startswith("_") or name == "CONFIG":
            continue
        try:
            targets.resolve(name)
        except KogineError as error:
            yield NotCarriedOver(file, lines.get(name, 0), str(error).replace("\n", " "))


def _first_lines(tree: ast.Module) -> dict[str, int]:
    """Name -> its first line, as a name or as a text."""
    lines: dict[str, int] = {}
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        name = getattr(node, "id", getattr(node, "name", value))
        if isinstance(name, str) and hasattr(node, "lineno"):
            lines[name] = min(lines.get(name, node.lineno), node.lineno)
    return lines


def _assigned(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return [target.id for target in targets if isinstance(target, ast.Name)]
