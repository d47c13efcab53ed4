"""What a file calls the things that it has from KohakuEngine."""

from __future__ import annotations

import ast
from collections.abc import Iterator

PACKAGE = "kohakuengine"


def is_theirs(module: str | None) -> bool:
    """Whether *module* is KohakuEngine, or inside it."""
    return (module or "").split(".")[0] == PACKAGE


class TheirNames:
    """Tells what an expression of one file stands for."""

    def __init__(self, tree: ast.Module) -> None:
        #: Name in the file -> name in KohakuEngine.
        self.own: dict[str, str] = {}
        #: How the file writes the package: ``kohakuengine``, ``kogine``.
        self.packages: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and is_theirs(node.module) and not node.level:
                self.own.update({one.asname or one.name: one.name for one in node.names})
            elif isinstance(node, ast.Import):
                names = [one for one in node.names if is_theirs(one.name)]
                self.packages |= {one.asname or one.name for one in names}

    @property
    def is_used(self) -> bool:
        """Whether the file has anything of it."""
        return bool(self.own or self.packages)

    def of(self, node: ast.AST) -> str:
        """The name in KohakuEngine that *node* stands for, else ``""``: ``Config.from_globals``."""
        if isinstance(node, ast.Name):
            return self.own.get(node.id, "")
        if not isinstance(node, ast.Attribute):
            return ""
        if ast.unparse(node.value) in self.packages:
            return node.attr
        owner = self.of(node.value)
        return f"{owner}.{node.attr}" if owner else ""

    def calls(self, tree: ast.AST, name: str) -> Iterator[ast.Call]:
        """Where *tree* calls *name*."""
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        return (call for call in calls if self.of(call.func) == name)
