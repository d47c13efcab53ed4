"""Rule: names bound by ``import``, ``def``, ``class``, ``with ... as``, ``case`` or by an
unpacking are bound again right after.
"""

from __future__ import annotations

from kohaku_ast.transform.bindings import Definition
from kohaku_ast.transform.sites import Site


def rebind_site(definition: Definition) -> Site:
    """One more statement, ``name = value``, after the one that binds the name."""
    name = definition.name
    node, change = definition.bound_at
    return Site(node, change, f"{name} = {{}}", definition.line, name, definition)
