"""What a run in a process of its own is started with."""

from __future__ import annotations

import ast

from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.overrides import Override
from kohaku_ast.transform.find.modules import LibraryImport
from kohaku_ast.transform.find.source import decode, parse_text


def bind(launch: Launch) -> Bound:
    """*launch* with an override, so that it is the rewritten program that runs."""
    return Binder(launch, [Override("unrelated", 1, "test", 0)], capture=True).bind()


def imports(launch: Launch) -> list[LibraryImport]:
    """Everything that the script imports at its top, the standard library too: more than a warm
    server imports for users.
    """
    found = []
    for node in parse_text(decode(launch.data, launch.filename).text, launch.filename).body:
        if isinstance(node, ast.Import):
            found += [LibraryImport(alias.name, "", node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module != "__future__":
            found.append(LibraryImport(node.module or "", "*", node.lineno))
    return [one for one in found if one.module != "__main__"]
