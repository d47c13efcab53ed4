"""Rule: ``NAME = value`` and ``NAME: int = value``; the name has a right side to itself."""

from __future__ import annotations

from kohaku_ast.transform.bindings import Definition
from kohaku_ast.transform.sites import Site


def assign_site(definition: Definition) -> Site:
    """The right side, wherever it stands (``a, b = 1, 2`` has one for each name)."""
    assert definition.value is not None
    return Site(definition.value, "replace", "{}", definition.line)


def declared_site(definition: Definition) -> Site:
    """``lr: float`` gets a value."""
    return Site(definition.node, "annotated", "{}", definition.line)
