"""Rule: parameter defaults, ``def main(epochs=10)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kohaku_ast.transform.rules.fields import field_site, is_field
from kohaku_ast.transform.sites import Site

Function = ast.FunctionDef | ast.AsyncFunctionDef
"""A ``def``, of either kind."""


def parameters_of(function: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Each named parameter of *function* with its default."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    missing = len(positional) - len(given.defaults)
    yield from zip(positional, [*[None] * missing, *given.defaults])
    yield from zip(given.kwonlyargs, given.kw_defaults)


def default_site(default: ast.expr) -> Site:
    """The default in place; inside ``typer.Option(0.1, "--lr")`` if it is one."""
    if is_field(default):
        assert isinstance(default, ast.Call)
        return field_site(default, default.lineno)
    return Site(default, "replace", "{}", default.lineno)
