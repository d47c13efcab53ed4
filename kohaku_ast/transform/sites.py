"""Places in a script's text where a value can be put, and the edits that put it there."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from kohaku_ast.transform.bindings import Definition

MARKER = "__kogine__"
"""The name that stands for the given values in rewritten text (``lr = __kogine__["lr"]``).

It is text only: in the compiled code every use of it is a constant (see ``lower.py``).
"""


@dataclass(frozen=True)
class Site:
    """A place that takes a value, whatever the value is."""

    #: The node of the original tree that the place belongs to.
    node: ast.AST
    #: ``replace``: in place of the expression *node*; ``annotated``: a value for the annotated
    #: name *node*; ``keyword``: one more keyword in the call *node*; ``before`` and ``after``: a
    #: statement above or below the statement *node*.
    change: str
    #: The text, with ``{}`` where the value goes: a statement for ``before`` and ``after``, an
    #: expression for the others.
    template: str
    #: The line that has to run for the value to be used.
    line: int
    #: The name that a new keyword or a new statement gives the value to; empty for a statement
    #: that sets something below the name.
    name: str = ""
    #: What a new statement binds again, or sets something below.
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
    """The text that stands for the value given to *target*."""
    return f"{MARKER}[{target!r}]"


def fill(site: Site, value: str, target: str) -> Edit:
    """The Edit that puts the text *value*, given to *target*, at *site*."""
    return Edit(
        site.node,
        site.change,
        site.template.replace("{}", value),
        site.line,
        target,
        site.name,
        value,
        site.definition.shown if site.definition else None,
    )
