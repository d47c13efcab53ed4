"""Rule: names bound by ``import``, ``def``, ``class``, ``with ... as``, ``case`` or by an
unpacking are bound again right after.
"""

from __future__ import annotations

from kohaku_ast.transform.bindings import Definition
from kohaku_ast.transform.sites import Site

_AT_START = {"with", "case"}  # their block must see the value


def rebind_site(definition: Definition) -> Site:
    """One more statement, ``name = value``, after the one that binds the name."""
    change = "inside" if definition.form in _AT_START else "after"
    return Site(definition.node, change, f"{definition.name} = {{}}", definition.line)
