"""Rule: a path into something that the text does not show (``cfg = load()``, ``cfg.lr``) is
set right after the statement that binds the name.
"""

from __future__ import annotations

from kohaku_ast.transform.bindings import Definition
from kohaku_ast.transform.sites import Site


def path_site(definition: Definition) -> Site:
    """A statement that sets the path: by item in a mapping, by attribute elsewhere."""
    template = f"{{}}.set({definition.name})"
    node, change = definition.bound_at
    return Site(node, change, template, definition.line, definition=definition)
