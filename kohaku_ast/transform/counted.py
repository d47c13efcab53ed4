"""Which of a name's definitions count: those that a careful person would edit."""

from __future__ import annotations

from kohaku_ast.transform.bindings import Arms, Definition

_NEVER = {"for", "except", "star", "declared"}


def counted(definitions: list[Definition]) -> list[Definition]:
    """The definitions of one name that an override replaces, the first one first.

    The first in the file; those in sibling arms of its branches; and later ones that would
    throw the override away: unconditional, and not made from the old value. Empty if the
    name is bound only by or inside loops, or by ``except``.
    """
    usable = [one for one in definitions if not one.looped and one.form not in _NEVER]
    if not usable:
        return _declared(definitions)
    first, chosen = usable[0], usable[:1]
    for one in usable[1:]:
        if one.reads_itself():
            continue
        is_sibling = _are_siblings(one.arms, first.arms) and not _is_logic(one, chosen)
        if is_sibling or _is_unconditional(one.arms, first.arms):
            chosen.append(one)
    return chosen


def _declared(definitions: list[Definition]) -> list[Definition]:
    """``lr: float``: overriding it gives the annotation a value."""
    return [one for one in definitions if one.form == "declared" and not one.looped][:1]


def _is_unconditional(later: Arms, first: Arms) -> bool:
    """Whether the later one runs whenever the first one did."""
    return first[: len(later)] == later


def _are_siblings(one: Arms, other: Arms) -> bool:
    """Whether the two stand in different arms of one `if`, `try` or `match`."""
    other_arms = dict(other)
    return any(statement in other_arms and other_arms[statement] != arm for statement, arm in one)


def _is_logic(one: Definition, chosen: list[Definition]) -> bool:
    """Whether, in its own arm, it is a later conditional re-assignment."""
    return any(
        len(earlier.arms) < len(one.arms) and _is_unconditional(earlier.arms, one.arms)
        for earlier in chosen
    )
