"""What a script takes and what it gives, read off its text: nothing of it is run or imported."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from kohaku_ast.transform.find.bindings import find_definitions
from kohaku_ast.transform.find.entrypoints import find_entrypoint
from kohaku_ast.transform.find.inspection import inspect_source, with_modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from kohaku_ast.transform.find.bindings import Definition
    from kohaku_ast.transform.find.parameters import Parameter
    from kohaku_ast.transform.find.source import Source

RETURN = "return"
"""Stands for what the call that starts the script returns: no global can have this name."""

#: Annotations that say the same in every script. A default's type says nothing: another is fine.
_TYPES = {one.__name__: one for one in (int, float, str, bool, bytes, list, dict, set, tuple)}
#: With one of these a script may have globals that its text does not name.
_OPENERS = ("globals", "exec", "vars", "locals")


@dataclass(frozen=True)
class ScriptNames:
    """The names of one script."""

    #: Name that a value may be given by (full and short targets) -> the full target.
    targets: dict[str, str] = field(default_factory=dict)
    #: Those of *targets* that another node's output of that name fills.
    linked: frozenset[str] = frozenset()
    #: Those that a person would tune, by their shortest targets.
    settings: tuple[str, ...] = ()
    #: Global -> the line that binds it first.
    globals: dict[str, int] = field(default_factory=dict)
    #: Whether it may have other globals, too.
    is_open: bool = False
    #: Whether a call of its own starts it, so that it returns something.
    returns: bool = False
    #: Global -> the type that its annotation promises.
    hints: dict[str, Any] = field(default_factory=dict)


def find_names(source: Source) -> ScriptNames:
    """The ScriptNames of *source*; raises SyntaxError as ``compile`` does."""
    found = inspect_source(source)
    parameters = [one for one in with_modules(found).parameters if not one.refused]
    settings = [one for one in found.listed() if not one.refused]
    definitions = find_definitions(source.tree)
    start = find_entrypoint(source)
    return ScriptNames(
        targets=_targets(parameters),
        linked=frozenset(_linked(parameters, settings)),
        settings=tuple([one.short for one in settings]),
        globals=_globals(source.tree, definitions),
        is_open=_is_open(source.tree, definitions),
        returns=bool(start.calls or start.marked),
        hints=_hints(definitions),
    )


def _targets(parameters: list[Parameter]) -> dict[str, str]:
    targets = {one.target: one.target for one in parameters}
    for one in parameters:
        targets.setdefault(one.short, one.target)
    return targets


def _linked(parameters: list[Parameter], settings: list[Parameter]) -> Iterator[str]:
    """Globals, and what a person would tune. The rest (a function, a module, a local deep inside)
    may have the name of somebody's output by chance.
    """
    for one in parameters:
        if one.kind == "global":
            yield one.target
    yield from (one.short for one in settings if one.short.isidentifier())


def _globals(tree: ast.Module, definitions: list[Definition]) -> dict[str, int]:
    names: dict[str, int] = {}
    for one in definitions:
        names.setdefault(one.name, getattr(one.node, "lineno", 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            for name in node.names:
                names.setdefault(name, node.lineno)
        elif isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
            names.setdefault(node.target.id, node.lineno)
    return names


def _is_open(tree: ast.Module, definitions: list[Definition]) -> bool:
    return any(one.form == "star" for one in definitions) or any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _OPENERS
        for node in ast.walk(tree)
    )


def _hints(definitions: list[Definition]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for one in definitions:
        if isinstance(one.annotation, ast.Name) and one.annotation.id in _TYPES:
            hints.setdefault(one.name, _TYPES[one.annotation.id])
    return hints
