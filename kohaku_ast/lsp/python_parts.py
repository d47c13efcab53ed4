"""The parts of a Python config, from its text: it is not run, so that only literals have values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from kohaku_ast.config.python_file import ModuleNames, scope_nodes
from kohaku_ast.lsp.document_text import UNKNOWN, ConfigParts, DocumentText, Part, Span
from kohaku_ast.transform.find.paths import called_name
from kohaku_ast.transform.find.source import Source, parse_text

_FIELDS = (
    "globals_dict", "args", "kwargs", "argv", "metadata", "new_globals", "outputs", "inputs",
    "artifacts",
)  # fmt: skip
"""The keywords of Config that are no targets."""
_MISFITS = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)


def read_python(text: str, path: str) -> ConfigParts:
    """The parts of the Python config *path* with the content *text*."""
    try:
        tree = parse_text(text, path)
        names = ModuleNames.of(text, path)
    except SyntaxError as error:
        span = DocumentText(text).line_span(error.lineno or 1)
        return ConfigParts(error=f"not Python: {error.msg}", error_span=span)
    except (ValueError, RecursionError, MemoryError) as error:
        return ConfigParts(error=f"not Python: {error}")
    found = _Reader(Source(path, text), tree)
    makes_configs = {"config_gen", "CONFIG"} & names.defined.keys()
    parts = [
        one
        for one in found.assigned()
        if one.key.startswith("_") or (not makes_configs and one.key in names.defined)
    ]
    return ConfigParts(
        [*parts, *found.calls()], read=frozenset(names.read), bases=list(found.bases())
    )


class _Reader:
    """Finds the parts in one file."""

    def __init__(self, source: Source, tree: ast.Module) -> None:
        self.source, self.tree = source, tree

    def assigned(self) -> Iterator[Part]:
        """The names that the file binds at its top level."""
        for node in scope_nodes(self.tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    yield from self.bound(target, node.value)
            elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
                yield from self.bound(node.target, node.value)
            elif isinstance(node, ast.AugAssign):
                yield from self.bound(node.target, None)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield self.defined(node)

    def bound(self, target: ast.expr, value: ast.expr | None) -> Iterator[Part]:
        if isinstance(target, ast.Name):
            yield self.part(target.id, self.span(target), value, is_name=True)
            return
        for inner in ast.walk(target):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield self.part(inner.id, self.span(inner), None, is_name=True)

    def defined(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Part:
        start = self.source.offset(node.lineno, node.col_offset)
        found = re.compile(rf"\b{re.escape(node.name)}\b").search(self.source.text, start)
        span = Span(*found.span()) if found else Span(start, start)
        return self.part(node.name, span, None, is_name=True)

    def part(self, key: str, span: Span, value: ast.expr | None, *, is_name: bool = False) -> Part:
        """The part *key* with the expression *value*; the keys of a dict are parts in it."""
        place = self.span(value) if value is not None else Span(span.end, span.end)
        made = Part(key, span, place, _literal(value), is_name=is_name)
        if isinstance(value, ast.Dict):
            made.inner = list(self.items(value))
        elif isinstance(value, (ast.List, ast.Tuple)):
            made.inner = [self.part("", self.span(one), one) for one in value.elts]
        return made

    def items(self, node: ast.Dict) -> Iterator[Part]:
        for key, value in zip(node.keys, node.values):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield self.part(key.value, self.span(key), value)

    def calls(self) -> Iterator[Part]:
        """``Config(...)`` as ``_overrides``, ``Sweep(...)`` as ``_sweep``."""
        for node in ast.walk(self.tree):
            kind = called_name(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and kind in ("Config", "Sweep"):
                name = "_overrides" if kind == "Config" else "_sweep"
                made = Part(name, self.span(node.func), self.span(node))
                made.inner = [*self.given(node, kind)]
                yield made

    def given(self, node: ast.Call, kind: str) -> Iterator[Part]:
        named = [one for one in node.keywords if kind == "Config" and one.arg == "globals_dict"]
        for given in [*node.args, *(one.value for one in named)]:
            if isinstance(given, ast.Dict):
                yield from self.items(given)
        for one in node.keywords:
            if one.arg and (kind == "Sweep" or one.arg not in _FIELDS):
                start = self.source.offset(one.lineno, one.col_offset)
                span = Span(start, start + len(one.arg))
                yield self.part(one.arg, span, one.value, is_name=True)

    def bases(self) -> Iterator[Part]:
        """The paths in ``use_config("base.py")``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and called_name(node.func) == "use_config" and node.args:
                yield self.part("_base", self.span(node.args[0]), node.args[0])

    def span(self, node: ast.AST) -> Span:
        return Span(*self.source.span(node))


def _literal(node: ast.expr | None) -> object:
    """The value of *node* if it is a literal; else UNKNOWN."""
    try:
        return UNKNOWN if node is None else ast.literal_eval(node)
    except _MISFITS:
        return UNKNOWN
