"""``build_program``: from a script's text and a Request to a Program."""

from __future__ import annotations
import __future__

import ast
import warnings
from dataclasses import dataclass
from types import CodeType

from kohaku_ast.errors import EntrypointError, SourceError, TransformError, near
from kohaku_ast.transform.bindings import find_definitions
from kohaku_ast.transform.deep import with_room
from kohaku_ast.transform.disk_caches import stale_notes, uses_numba
from kohaku_ast.transform.literals import called_name
from kohaku_ast.transform.lower import lower, lower_capture
from kohaku_ast.transform.plan import Plan, make_plan
from kohaku_ast.transform.positions import check_and_place
from kohaku_ast.transform.program import Meant, Program
from kohaku_ast.transform.request import Request
from kohaku_ast.transform.rewrite import rewrite
from kohaku_ast.transform.rules.entry_call import find_marked
from kohaku_ast.transform.rules.extract import extract_guards
from kohaku_ast.transform.sites import MARKER, Edit
from kohaku_ast.transform.source import Source, parse_text


def build_program(source: Source, request: Request) -> Program:
    """The Program of *source* for *request*.

    Raises the errors of ``make_plan`` for targets, SyntaxError as ``compile`` does, and
    TransformError if the rewrite cannot be proved.
    """
    return with_room(lambda: _built(source, request), source.filename)


def _built(source: Source, request: Request) -> Program:
    plan = make_plan(source, request)
    entry_name = _entry_name(source, request)
    split = request.split or bool(entry_name)
    proved = prove(source, [*plan.edits, *(extract_guards(source.tree) if split else ())])
    whole = ast.Module([node for part in (proved.module, *proved.guards) for node in part.body], [])
    sites = lower(whole) if plan.edits else []
    if request.capture and plan.call is not None and not entry_name:
        lower_capture(whole, plan.call)
    guards = () if entry_name else proved.guards  # the function is called in their place
    noted = list(source.parser_warnings)
    segments = _compiled(proved.module, guards, source.filename, noted)
    targets = [one.target for one in plan.meant if one]
    return Program(
        filename=source.filename,
        segments=segments,
        meant=_meant(plan),
        sites=sites,
        entry_name=entry_name,
        call_name=called_name(plan.call.func) if plan.call is not None else "",
        warnings=_plain(noted, plan),
        notes=stale_notes(source, targets) if targets else [],
        numba=bool(targets) and uses_numba(source),
    )


@dataclass(frozen=True)
class Proved:
    """A rewrite that is proved; its trees have the positions of the script."""

    text: str
    module: ast.Module
    #: The guards that were taken out of the module.
    guards: tuple[ast.Module, ...] = ()


def prove(source: Source, edits: list[Edit]) -> Proved:
    """*source* with *edits* made.

    Raises SourceError if it uses our own marker itself, and TransformError if an edit cannot be
    made or the result be proved.
    """
    if edits and MARKER in source.text:
        raise SourceError(f"{source.filename}: cannot rewrite a script that uses the name {MARKER}")
    made = rewrite(source, edits)
    module, *guards = (_parsed(text, source) for text in (made.text, *made.extracted))
    check_and_place(source, module, edits, guards)
    return Proved(made.text, module, tuple(guards))


def _parsed(text: str, source: Source) -> ast.Module:
    """The tree of the rewritten *text*; the script itself has been parsed by now."""
    try:
        return parse_text(text, source.filename)
    except SyntaxError as error:
        raise TransformError(
            f"{source.filename}:{error.lineno}: the rewrite of this line is not Python. "
            "Nothing was run; this is a bug of kohaku_ast, please report it."
        ) from None


def _compiled(
    module: ast.Module,
    guards: tuple[ast.Module, ...],
    filename: str,
    noted: list[warnings.WarningMessage],
) -> list[tuple[str, CodeType]]:
    flags = _future_flags(module)
    parts = [("module", module), *(("guard", guard) for guard in guards)]
    with warnings.catch_warnings(record=True) as more:
        warnings.simplefilter("always")
        segments = [
            (role, compile(part, filename, "exec", flags, dont_inherit=True))
            for role, part in parts
        ]
    noted.extend(more)
    return segments


def _future_flags(tree: ast.Module) -> int:
    """The ``from __future__`` features of the file: they hold in every segment."""
    flags = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                # An unknown feature is for the compiler to refuse.
                flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
    return flags


def _entry_name(source: Source, request: Request) -> str:
    """The function to call after the module: as asked for, or as marked in the script."""
    if request.entrypoint:
        known = {one.name for one in find_definitions(source.tree)}
        if request.entrypoint not in known:
            found = near(request.entrypoint, sorted(known))
            hint = f" Did you mean {' or '.join(map(repr, found))}?" if found else ""
            raise EntrypointError(f"{source.filename}: no function {request.entrypoint!r}.{hint}")
        return request.entrypoint
    marked = find_marked(source.tree)
    if len(marked) > 1:
        raise EntrypointError(
            f"{source.filename}: several functions are marked as entrypoint: {', '.join(marked)}"
        )
    return marked[0] if marked else ""


def _meant(plan: Plan) -> list[Meant | None]:
    return [
        Meant(one.target, one.reading, one.line, one.default, one.path, one.module) if one else None
        for one in plan.meant
    ]


def _plain(noted: list[warnings.WarningMessage], plan: Plan) -> list[tuple[str, str, int]]:
    """The compiler's warnings as plain values, without those of text that was replaced."""
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
