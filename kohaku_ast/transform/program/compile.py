"""``build_program``: from a script's text and a Request to a Program. ``_build`` is the whole way.

``__kogine__["lr"]`` becomes an expression of constants (``lower``). When a Program is bound to
values, ``bound_program.py`` puts other constants in the place of these. So nothing is added to the
script's globals, locals or builtins, and no name is looked up.
"""

from __future__ import annotations
import __future__

import ast
import warnings
from collections.abc import Sequence
from types import CodeType

from kohaku_ast.errors import EntrypointError, near
from kohaku_ast.notebook.notebook_text import is_notebook
from kohaku_ast.transform.edit.edits import (
    PlannedEdits,
    additions,
    extract_guards,
    is_text_value,
    plan_edits,
)
from kohaku_ast.transform.edit.proof import Proved, prove
from kohaku_ast.transform.edit.rewrite import apply_edits
from kohaku_ast.transform.find.assignments import MARKER, WATCHING, marker
from kohaku_ast.transform.find.bindings import find_definitions
from kohaku_ast.transform.find.calls import find_marked_entrypoints
from kohaku_ast.transform.find.default_notes import dead_notes, inherited_notes, repeated_notes
from kohaku_ast.transform.find.disk_caches import (
    compiles_bytecode,
    stale_notes,
    uses_numba,
)
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.paths import called_name, is_setting, nodes_of
from kohaku_ast.transform.find.source import Source, with_room
from kohaku_ast.transform.program.program import (
    CAPTURE,
    Program,
    Request,
    ResolvedTarget,
    placeholder,
)
from kohaku_ast.value_types import core

_RUNNERS = ("exec", "eval", "compile")
"""The functions of Python that run a text."""


def build_program(source: Source, request: Request) -> Program:
    """The Program of *source* for *request*.

    Raises the errors of ``plan_edits``, SyntaxError as ``compile`` does, and those of
    ``apply_edits`` and ``prove``.
    """
    return with_room(lambda: _build(source, request), source.filename)


def _build(source: Source, request: Request) -> Program:
    parameters = find_parameters(source)
    plan = plan_edits(source, parameters, request)
    entry_name = _entry_name(source, request)
    guards = extract_guards(source.tree) if request.split or entry_name else []
    added = additions(source.tree, {name: marker(name) for name in request.added})
    values = [*added, *plan.edits]
    edits = [*values, *guards]
    rewritten = apply_edits(source, edits)
    proved = prove(source, edits, rewritten)
    whole = _whole(proved)
    sites = lower(whole) if values else []
    if request.capture and plan.call is not None and not entry_name:
        lower_capture(whole, plan.call)
    bodies = () if entry_name else proved.guards  # the entrypoint is called in their place
    parts = [("module", proved.module), *(("guard", guard) for guard in bodies)]
    segments, compiler_warnings = compile_segments(parts, source.filename)
    overridden = [one for one in plan.parameters if one]
    targets = [one.target for one in overridden]
    return Program(
        filename=source.filename,
        segments=segments,
        meant=_resolved_targets(plan, request),
        sites=sites,
        added=list(request.added),
        entry_name=entry_name,
        call_name=called_name(plan.call.func) if plan.call is not None else "",
        warnings=_plain_warnings([*source.parser_warnings, *compiler_warnings], plan),
        notes=[
            *stale_notes(source, targets),
            *repeated_notes(source, overridden),
            *inherited_notes(source, overridden, parameters),
        ]
        if targets
        else [],
        dead=dead_notes(source, overridden, parameters),
        numba=bool(targets or added) and uses_numba(source),
        is_pure=bool(targets) and compiles_bytecode(source),
        runs_texts=any(getattr(one, "id", "") in _RUNNERS for one in nodes_of(source.tree)),
    )


def _whole(proved: Proved) -> ast.Module:
    """The module and the guards that were split off, to be changed in place."""
    return ast.Module([node for part in (proved.module, *proved.guards) for node in part.body], [])


def compile_segments(
    parts: Sequence[tuple[str, ast.Module]], filename: str
) -> tuple[list[tuple[str, CodeType]], list[warnings.WarningMessage]]:
    """The code of *parts*, each with its role, the module first; and the compiler's warnings."""
    flags = _future_flags(parts[0][1])
    if is_notebook(filename):
        flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT  # as in a cell
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        segments = [
            (role, compile(part, filename, "exec", flags, dont_inherit=True))
            for role, part in parts
        ]
    return segments, noted


def _future_flags(tree: ast.Module) -> int:
    """The flags of the file's ``from __future__`` features, for every segment."""
    flags = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                # The compiler refuses an unknown feature.
                flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
    return flags


def _entry_name(source: Source, request: Request) -> str:
    """The function to call after the module: that of *request*, else the one marked in the
    script.
    """
    if request.entrypoint:
        definitions = find_definitions(source.tree)
        known = {one.name for one in definitions}
        own = [one for one in definitions if one.name == request.entrypoint]
        if own and all(one.value is not None and is_setting(one.value) for one in own):
            raise EntrypointError(
                f"{source.filename}:{own[0].line}: {request.entrypoint!r} is no function, and "
                "cannot start the script"
            )
        if request.entrypoint not in known:
            found = near(request.entrypoint, sorted(known))
            hint = f" Did you mean {' or '.join(map(repr, found))}?" if found else ""
            raise EntrypointError(f"{source.filename}: no function {request.entrypoint!r}.{hint}")
        return request.entrypoint
    marked = find_marked_entrypoints(source)
    if len(marked) > 1:
        raise EntrypointError(
            f"{source.filename}: several functions are marked as entrypoint: {', '.join(marked)}"
        )
    return marked[0] if marked else ""


def _resolved_targets(plan: PlannedEdits, request: Request) -> list[ResolvedTarget | None]:
    kinds = [kind for _, kind, _ in request.targets]
    return [_resolved(one, kind) if one else None for one, kind in zip(plan.parameters, kinds)]


def _resolved(one: Parameter, kind: bool | str) -> ResolvedTarget:
    # The reading of a call is kept only if the value goes through it: so two runs differ whose
    # values are [1, 2] and np.array([1, 2]).
    is_plain = core(one.reading)[0] != "call" or is_text_value(kind, one)
    reading = one.reading if is_plain else ("optional", ("any",))
    return ResolvedTarget(
        one.target, reading, one.line, one.default, one.path, one.module, one.later, one.option
    )


def _plain_warnings(
    noted: list[warnings.WarningMessage], plan: PlannedEdits
) -> list[tuple[str, str, int]]:
    """Warnings of parser and compiler as plain values, without those of text that was replaced."""
    replaced = [
        range(edit.node.lineno, edit.node.end_lineno + 1)  # type: ignore[attr-defined]
        for edit in plan.edits
        if edit.change == "replace"
    ]
    return [
        (one.category.__name__, str(one.message), one.lineno)
        for one in noted
        if not any(one.lineno in lines for lines in replaced)
    ]


SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_REPEATED = (*SCOPES, ast.For, ast.AsyncFor, ast.While)


def lower(tree: ast.Module) -> list[tuple[str, int, bool | None]]:
    """Replace every marker in *tree*; returns target, line and whether it may run several times,
    of site 0, 1, ...
    """
    lowering = _Lowering()
    lowering.visit_all(tree)
    return lowering.sites


class _Lowering:
    def __init__(self) -> None:
        self.sites: list[tuple[str, int, bool | None]] = []

    def visit_all(self, tree: ast.Module) -> None:
        """Visit every node, with a stack of our own: expressions can be deeper than Python's."""
        waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
        while waiting:
            node, repeated = waiting.pop()
            inner = repeated or isinstance(node, _REPEATED)
            for name, value in ast.iter_fields(node):
                items = value if isinstance(value, list) else [value]
                for position, item in enumerate(items):
                    new = self.replacement(item, inner)
                    if new is not item:
                        items[position] = new
                        if not isinstance(value, list):
                            setattr(node, name, new)
                    elif isinstance(item, ast.AST):
                        waiting.append((item, inner))

    def replacement(self, node: object, repeated: bool) -> object:
        if self.is_marker(node):
            return self.value(node, repeated)  # type: ignore[arg-type]
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
            return self.field(node, node.value)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and self.is_marker(node.func.value)
        ):
            return self.setter(node, node.func.value, repeated)  # type: ignore[arg-type]
        return node

    def is_marker(self, node: object) -> bool:
        return (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id == MARKER
            and isinstance(node.slice, ast.Constant)
        )

    def value(self, node: ast.Subscript, repeated: bool) -> ast.expr:
        """``(<first>[<key>], <track>[<mark>], <value>)[<choice>]``."""
        number = self.add(node, repeated)

        def constant(kind: str) -> ast.expr:
            return ast.copy_location(ast.Constant(placeholder(kind, number)), node)

        parts = [
            _subscript(constant("first"), constant("key"), node),
            _subscript(constant("track"), constant("mark"), node),
            constant("value"),
        ]
        whole = ast.copy_location(ast.Tuple(parts, ast.Load()), node)
        return _subscript(whole, constant("choice"), node)

    def setter(self, node: ast.Call, marker: ast.Subscript, repeated: bool) -> ast.expr:
        """``marker.set(cfg)`` -> ``<setter>[cfg:value]()``: an error of the assignment is raised
        in the script's own frame. A slice: the compiler warns of bytes with another pair. Another
        method than ``set`` is its third part.
        """
        assert isinstance(node.func, ast.Attribute)
        name = node.func.attr
        method = None if name == "set" else ast.copy_location(ast.Constant(name), node)
        # What is only watched is no use of the value.
        value = None if name in WATCHING else self.value(marker, repeated)
        number = len(self.sites) - 1 if value else self.add(marker, None)
        pair = ast.copy_location(ast.Slice(node.args[0], value, method), node)
        setter = ast.copy_location(ast.Constant(placeholder("setter", number)), node)
        node.func = _subscript(setter, pair, node)
        node.args = []
        return node

    def field(self, node: ast.Subscript, kind: ast.Attribute) -> ast.expr:
        """``MARKER.default[value]`` -> ``<default>[value]``: what a field of that kind takes."""
        if isinstance(kind.value, ast.Name) and kind.value.id == MARKER:
            node.value = ast.copy_location(ast.Constant(placeholder(kind.attr)), kind)
        return node

    def add(self, node: ast.Subscript, repeated: bool | None) -> int:
        assert isinstance(node.slice, ast.Constant)
        self.sites.append((str(node.slice.value), node.lineno, repeated))
        return len(self.sites) - 1


def _subscript(value: ast.expr, index: ast.expr, where: ast.expr) -> ast.Subscript:
    return ast.copy_location(ast.Subscript(value, index, ast.Load()), where)


def lower_capture(tree: ast.Module, call: ast.Call) -> None:
    """Make *tree* store the value that the call at the place of *call* returns; of a coroutine,
    the value of the call that runs it (``asyncio.run(main())``).
    """
    awaited = {node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}
    if isinstance(call.func, ast.Name) and call.func.id in awaited:
        call = _call_around(tree, call)
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                value[:] = [_captured(item, call) for item in value]
            elif isinstance(value, ast.AST):
                setattr(node, name, _captured(value, call))


def _call_around(tree: ast.Module, call: ast.Call) -> ast.Call:
    """The call that *call* is an argument of, else *call* itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _place(call) in map(_place, node.args):
            return node
    return call


def _captured(node: object, call: ast.Call) -> object:
    if not isinstance(node, ast.Call) or _place(node) != _place(call):
        return node
    constant = ast.copy_location(ast.Constant(CAPTURE), node)
    return ast.copy_location(ast.Subscript(constant, node, ast.Load()), node)


def _place(node: ast.expr) -> tuple[int, int, int | None, int | None]:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset
