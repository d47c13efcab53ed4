"""Rule: the guard is taken out of the module and becomes a text of its own, to be run later."""

from __future__ import annotations

import ast

from kohaku_ast.transform.guard import find_guards
from kohaku_ast.transform.sites import Edit


def extract_guards(tree: ast.Module) -> list[Edit]:
    """An Edit for each guard of the module, in the order of the file."""
    return [Edit(guard, "extract", "", guard.lineno, "") for guard in find_guards(tree)]
