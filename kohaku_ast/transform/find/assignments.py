"""A Site is a place in a script's text that takes a value; an Edit is a Site with its value.

Here are the sites of assignments (a new right side, a statement after the assignment, a path below
its name). Those of calls stand in ``calls.py``, those of options in ``options.py``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from kohaku_ast.transform.find.bindings import Definition
from kohaku_ast.transform.find.source import Source

MARKER = "__kogine__"
"""The name that stands for the overriding values in rewritten text (``lr = __kogine__["lr"]``).

It stands in the text only: in the compiled code each use of it is a constant (see ``lower``).
"""


@dataclass(frozen=True)
class Site:
    """A place that takes a value."""

    #: The node of the original tree that the place belongs to.
    node: ast.AST
    #: ``replace``: in place of the expression *node*; ``wrap``: around the expression *node*;
    #: ``annotated``: a value for the annotated name *node*; ``keyword`` and ``argument``: one more
    #: keyword, or argument by position, in the call *node*; ``before`` and ``after``: a statement
    #: above or below the statement *node*.
    change: str
    #: The text, with ``{}`` where the value goes: a statement for ``before`` and ``after``, an
    #: expression for the others. In one for ``wrap``, MARKER alone stands for *node*.
    template: str
    #: The line that has to run for the value to be used.
    line: int
    #: The name that a new keyword or a new statement gives the value to; empty for a statement
    #: that sets a path below the name.
    name: str = ""
    #: The definition whose name a new statement binds again or sets a path below.
    definition: Definition | None = None


@dataclass(frozen=True)
class Edit:
    """A Site with its value written out; or ``extract``: *node* becomes a text of its own."""

    node: ast.AST
    change: str
    text: str
    line: int
    #: The full target whose value it is.
    target: str
    #: As in the Site.
    name: str = ""
    #: The value alone, as it stands in *text*.
    value: str = ""
    #: The node whose position the new code takes, if that is not *node*.
    shown_at: ast.AST | None = None


def marker(target: str) -> str:
    """The text that stands for the value of *target*."""
    return f"{MARKER}[{target!r}]"


def fill(site: Site, value: str, target: str) -> Edit:
    """The Edit that puts *value*, the text of the value of *target*, at *site*."""
    bound = site.definition
    is_there = bound is not None and site.node is bound.bound_at[0]
    return Edit(
        site.node,
        site.change,
        site.template.replace("{}", value),
        site.line,
        target,
        site.name,
        value,
        bound.shown if bound and is_there else None,
    )


def assign_site(definition: Definition) -> Site:
    """The right side of an assignment (``a, b = 1, 2`` has one for each name)."""
    assert definition.value is not None
    return Site(definition.value, "replace", "{}", definition.line)


def declared_site(definition: Definition) -> Site:
    """``lr: float``, which gets a value."""
    return Site(definition.node, "annotated", "{}", definition.line)


def rebind_site(definition: Definition) -> Site:
    """One more statement, ``name = value``, after the one that binds the name."""
    name = definition.name
    node, change = definition.bound_at
    return Site(node, change, f"{name} = {{}}", definition.line, name, definition)


def path_site(definition: Definition, binds_once: bool) -> Site:
    """A statement that sets a path below the name: an item of a mapping, else an attribute.

    It binds the name again, since the path may lead into an object that cannot be changed and is
    replaced by a copy. *binds_once*: it may stand in an enum, which would refuse that; there the
    path is set in the expression.
    """
    if binds_once and definition.form == "value" and definition.value is not None:
        value = definition.value
        return Site(value, "wrap", MADE, value.lineno, definition=definition)
    template = f"{{}}.set({definition.name})"
    if not binds_once:
        template = f"{definition.name} = {template}"
    node, change = definition.bound_at
    return Site(node, change, template, definition.line, definition=definition)


WATCHING = ("before", "check")
"""The methods of a marker that only read what stands at its path, above and below a statement."""

MADE = f"{{}}.set({MARKER})"
"""Around an expression: the object that it makes, in which a path is set."""

MADE_BY_FACTORY = f"(lambda make: lambda: {{}}.set(make()))({MARKER})"
"""Around a factory: a factory in whose objects a path is set."""


def join_calls(edits: list[Edit]) -> list[Edit]:
    """*edits*, in which one factory takes the place of all that add a keyword to the call of one
    class: ``default_factory=Opt`` becomes ``default_factory=lambda: Opt(lr=1, name="adam")``.
    """
    keywords: dict[int, list[Edit]] = {}
    for edit in edits:
        if edit.change == "wrap" and edit.name:
            keywords.setdefault(id(edit.node), []).append(edit)
    joined: list[Edit] = []
    for edit in edits:
        if edit.change != "wrap" or not edit.name:
            joined.append(edit)
        elif own := keywords.pop(id(edit.node), None):
            given = ", ".join(f"{one.name}={one.text}" for one in own)
            joined.append(replace(edit, text=f"lambda: {MARKER}({given})", name=""))
    return joined


def join_unpacked(source: Source, edits: list[Edit]) -> list[Edit]:
    """*edits*, in which one replacement takes the place of all that bind the names of one statement
    again, if they bind every one of its names.
    """
    bound: dict[int, dict[str, Edit]] = {}
    for edit in edits:
        if edit.change == "after" and edit.name:
            bound.setdefault(id(edit.node), {})[edit.name] = edit
    whole = {node: own for node, own in bound.items() if _binds_all(own)}
    joined: list[Edit] = []
    for edit in edits:
        own = whole.get(id(edit.node)) if edit.change == "after" and edit.name else None
        if own is None:
            joined.append(edit)
        elif own:
            joined += _replacement(source, edit, {name: one.value for name, one in own.items()})
            own.clear()  # the other names of the statement stand in that replacement
    return joined


def _binds_all(edits: dict[str, Edit]) -> bool:
    """Whether *edits*, by name, give every name of their one statement a value."""
    names = _target_names(next(iter(edits.values())).node)
    return names is not None and set(edits) == set(names)


def _target_names(node: ast.AST) -> list[str] | None:
    """The names that an assignment binds; None if it binds more than plain names."""
    if not isinstance(node, ast.Assign):
        return None
    names: list[str] = []
    waiting: list[ast.expr] = list(node.targets)
    while waiting:
        target = waiting.pop()
        if isinstance(target, ast.Name):
            names.append(target.id)
        elif isinstance(target, (ast.Tuple, ast.List)):
            waiting.extend(target.elts)
        elif isinstance(target, ast.Starred):
            waiting.append(target.value)
        else:
            return None
    return names


def _replacement(source: Source, edit: Edit, values: dict[str, str]) -> list[Edit]:
    assert isinstance(edit.node, ast.Assign)
    first, *others = edit.node.targets
    edits = [Edit(edit.node.value, "replace", _pattern(first, values), edit.line, edit.target)]
    for other in others:
        text = f"{source.segment(other)} = {_pattern(other, values)}"
        edits.append(Edit(edit.node, "after", text, edit.line, edit.target))
    return edits


def _pattern(target: ast.expr, values: dict[str, str]) -> str:
    """The target with each name's value in its place: ``(a, *b)`` -> ``(1, *[2, 3])``."""
    if isinstance(target, ast.Name):
        return values[target.id]
    if isinstance(target, ast.Starred):
        return f"*{_pattern(target.value, values)}"
    assert isinstance(target, (ast.Tuple, ast.List))
    return f"({', '.join(_pattern(element, values) for element in target.elts)},)"
