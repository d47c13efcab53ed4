"""What a run in a process of its own is started with."""

from __future__ import annotations

import ast

from kohaku_ast.runner.bound import Binder, Bound
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.override import Override
from kohaku_ast.transform.source import decode, parse_text
from kohaku_ast.transform.third_party import Import


def bind(launch: Launch) -> Bound:
    """*launch* with an override, so that it is the rewritten program that runs."""
    return Binder(launch, [Override("unrelated", 1, "test", 0)], capture=True).bind()


def imports(launch: Launch) -> list[Import]:
    """Everything that the script imports at its top, the standard library too: more than a warm
    server imports for users.
    """
    found = []
    for node in parse_text(decode(launch.data, launch.filename).text, launch.filename).body:
        if isinstance(node, ast.Import):
            found += [Import(alias.name, "", node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module != "__future__":
            found.append(Import(node.module or "", "*", node.lineno))
    return [one for one in found if one.module != "__main__"]
