"""Which lines of a script run whenever the script does, as far as its text tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kohaku_ast.transform.guard import always_runs, is_guard
from kohaku_ast.transform.literals import called_name
from kohaku_ast.transform.parameters import find_functions
from kohaku_ast.transform.rules.entry_call import entry_calls

_ENDS = ("exit", "_exit", "quit", "abort")
_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Match, ast.Try)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Certain:
    """Tells certain lines from those that a branch, a loop or an exit may leave out."""

    def __init__(self, tree: ast.Module) -> None:
        self.doubtful = set(_doubtful(tree.body))
        #: Line -> the function of the module in whose body it stands.
        self.inside: dict[int, str] = {}
        for function in _functions(tree.body):
            lines = range(function.body[0].lineno, (function.end_lineno or 0) + 1)
            self.inside.update(dict.fromkeys(lines, function.name))
        calls = entry_calls(tree, find_functions(tree))
        self.called = {called_name(call.func) for call in calls if call.lineno not in self.doubtful}

    def runs(self, line: int) -> bool:
        """Whether *line* runs; of a function, if the script certainly calls it as it starts."""
        return self.is_plain(line) and self.inside.get(line, "") in {"", *self.called}

    def is_plain(self, line: int) -> bool:
        """Whether *line* stands in no branch; its function, if any, may still not be called."""
        return line not in self.doubtful


def _functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions and methods that are in no other one."""
    for node in body:
        if isinstance(node, _FUNCTIONS):
            yield node
        else:
            for block in ("body", "orelse", "finalbody"):
                yield from _functions(getattr(node, block, []))


def _doubtful(body: list[ast.stmt]) -> Iterator[int]:
    for index, node in enumerate(body):
        if _is_branch(node):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)
        elif isinstance(node, ast.If):
            yield from _doubtful(node.body)
            for other in node.orelse:
                yield from range(other.lineno, (other.end_lineno or other.lineno) + 1)
        else:
            yield from _doubtful(getattr(node, "body", []))
        if _leaves(node) and body[index + 1 :]:
            yield from range(body[index + 1].lineno, (body[-1].end_lineno or 0) + 1)
            return


def _is_branch(node: ast.stmt) -> bool:
    if is_guard(node):
        assert isinstance(node, ast.If)
        return not always_runs(node)
    return isinstance(node, _BRANCHES) or type(node).__name__ == "TryStar"  # Python 3.11


def _leaves(node: ast.stmt) -> bool:
    """Whether nothing behind *node* runs: ``return``, ``raise``, ``sys.exit()``."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return called_name(node.value.func) in _ENDS
    return isinstance(node, (ast.Return, ast.Raise))
