"""Places in a script's text where a value can be put, and the edits that put it there."""

from __future__ import annotations

import ast
from dataclasses import dataclass

MARKER = "__kogine__"
"""The name that stands for the given values in rewritten text (``lr = __kogine__["lr"]``).

It is text only: in the compiled code every use of it is a constant (see ``lower.py``).
"""


@dataclass(frozen=True)
class Site:
    """A place that takes a value, whatever the value is."""

    #: The node of the original tree that the place belongs to.
    node: ast.AST
    #: ``replace``: in place of the expression *node*; ``after``: a statement after the
    #: statement *node*; ``inside``: a statement at the start of the block of *node*;
    #: ``keyword``: one more keyword in the call *node*; ``annotated``: a value for the
    #: annotation *node*.
    change: str
    #: The text, with ``{}`` where the value goes.
    template: str
    #: The line that has to run for the value to be used.
    line: int


@dataclass(frozen=True)
class Edit:
    """A Site with its value written out."""

    node: ast.AST
    change: str
    text: str
    line: int
    #: The full target whose value it is.
    target: str


def marker(target: str) -> str:
    """The text that stands for the value given to *target*."""
    return f"{MARKER}[{target!r}]"


def fill(site: Site, value: str, target: str) -> Edit:
    """The Edit that puts the text *value*, given to *target*, at *site*."""
    return Edit(site.node, site.change, site.template.replace("{}", value), site.line, target)
