"""Edits in, text out: everything that is not edited stays as it was, to the byte."""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence
from dataclasses import dataclass

from kohaku_ast.errors import BrokenInstallation, TransformError
from kohaku_ast.transform.sites import Edit
from kohaku_ast.transform.source import Source
from kohaku_ast.transform.units import Line, Unit, find_line, make_unit

Splice = tuple[int, int, str]
"""Start and end offset of a part of the text, and what takes its place."""


@dataclass(frozen=True)
class Rewritten:
    """The text of a script with the edits made."""

    text: str
    #: What was taken out, each a text of its own, in the order of the file.
    extracted: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Made:
    """What the edits of one unit make of it."""

    unit: Unit
    splices: list[Splice]
    #: What stays in the module of a unit that is taken out; None if it is not.
    rest: str | None = None


def rewrite(source: Source, edits: Sequence[Edit]) -> Rewritten:
    """The text of *source* with *edits* made; edits at one place keep their order.

    Raises TransformError for an edit that cannot be made, and BrokenInstallation if libcst is
    missing.
    """
    units = _by_unit(source, edits)
    made = [_make(source, unit, own) for unit, own in units]
    splices = [splice for one in made for splice in one.splices]
    taken = [one for one in made if one.rest is not None]
    extracted = [_spliced(source, one.unit.start, one.unit.end, splices) for one in taken]
    for one in taken:
        unit = one.unit
        splices = [splice for splice in splices if not unit.start <= splice[0] <= unit.end]
        splices.append((unit.start, unit.end, one.rest or ""))
    return Rewritten(_spliced(source, 0, len(source.text), splices), tuple(extracted))


def _by_unit(source: Source, edits: Sequence[Edit]) -> list[tuple[Unit, list[Edit]]]:
    """The edits of each unit, outer units before those in their blocks."""
    lines: dict[int, tuple[Line, list[Edit]]] = {}
    for edit in edits:
        line = find_line(source, edit.node)
        lines.setdefault(id(line.statements[0]), (line, []))[1].append(edit)
    units = [
        (make_unit(source, line, any(edit.change == "extract" for edit in own)), own)
        for line, own in lines.values()
    ]
    return sorted(units, key=lambda one: one[0].start)


def _spliced(source: Source, start: int, end: int, splices: list[Splice]) -> str:
    """The text from *start* to *end* with *splices*."""
    # Those of inner units first: a class may end with its last method.
    own = [splice for splice in splices[::-1] if start <= splice[0] <= end]
    pieces = []
    for first, last, text in sorted(own, key=lambda splice: splice[:2]):
        pieces += [source.text[start:first], text]
        start = last
    return "".join([*pieces, source.text[start:end]])


def _make(source: Source, unit: Unit, edits: list[Edit]) -> _Made:
    """Make *edits* in their unit by the libcst pass."""
    try:
        # For an edit alone: this import takes longer than all else that a cold run does.
        from kohaku_ast.transform.libcst_pass import NotReadError, edit_statement
    except ImportError as error:
        why = str(error).partition("\n")[0]
        raise BrokenInstallation(
            f"to rewrite a script takes libcst: pip install libcst ({why})"
        ) from error
    try:
        made = edit_statement(unit.text, [_placed(unit, edit) for edit in edits])
    except NotReadError as error:
        return _without_libcst(source, unit, edits, str(error))
    if made.left:
        lost = made.left[0]
        raise TransformError(
            f"{source.filename}:{lost.line}: libcst has no node where the value of "
            f"{lost.target!r} goes. Nothing was run; this is a bug of kohaku_ast, please report it."
        )
    if not made.extracted:
        return _Made(unit, _splices(unit, made.text))
    return _Made(unit, _splices(unit, made.extracted), "".join(unit.split(made.text)))


def _placed(unit: Unit, edit: Edit) -> tuple[Edit, int, int]:
    """*edit* with the bytes in the unit's text at which its node begins and ends."""
    start, end = unit.source.span(edit.node)
    if edit.change not in ("replace", "keyword"):
        end = start  # that of a statement may be in a block
    elif isinstance(edit.node, ast.GeneratorExp):
        start = end - 1  # its brackets may be those of a call: its place is the last one
    return edit, unit.byte(start), unit.byte(end)


def _splices(unit: Unit, printed: str) -> list[Splice]:
    return [(*piece, text) for piece, text in zip(unit.pieces, unit.split(printed))]


def _without_libcst(source: Source, unit: Unit, edits: list[Edit], why: str) -> _Made:
    """The edits that need no layout, in text that libcst cannot read: an expression in the place
    of another, a value behind an annotation, and all lines of a guard.
    """
    splices: list[Splice] = []
    for edit in edits:
        start, end = source.span(edit.node)
        if edit.change == "replace":
            # Brackets of a generator may be those of the call it is the argument of.
            in_brackets = isinstance(edit.node, ast.GeneratorExp)
            splices.append((start, end, f"({edit.text})" if in_brackets else edit.text))
        elif edit.change == "annotated":
            splices.append((end, end, f" = {edit.text}"))
        elif edit.change != "extract":
            raise TransformError(
                f"{os.path.basename(source.filename)}:{edit.line}: cannot override "
                f"{edit.target!r}: libcst, which makes the edit, cannot read this statement "
                f"({why}). Write the statement in another way, or override something in it."
            )
    is_taken = any(edit.change == "extract" for edit in edits)
    return _Made(unit, splices, "" if is_taken else None)
