"""``find_entrypoint``: how a script starts; ``Reachability``: which of its lines every run
executes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from kohaku_ast.transform.find.bindings import FUNCTIONS, always_runs, find_guards, is_guard
from kohaku_ast.transform.find.calls import entry_calls, find_functions, find_marked_entrypoints
from kohaku_ast.transform.find.paths import called_name, nodes_of
from kohaku_ast.transform.find.source import Source

_PARSERS = {
    "ArgumentParser", "OptionParser", "HfArgumentParser", "parse_args", "parse_known_args",
    "getopt", "gnu_getopt", "docopt",
}  # fmt: skip
_STARTERS = {
    "absl": {"run"},
    "click": {"command", "group"},
    "typer": {"run", "Typer"},
    "fire": {"Fire"},
    "tyro": {"cli"},
    "hydra": {"main"},
    "simple_parsing": {"parse"},
}
"""Package -> its functions that read the command line."""


@dataclass(frozen=True)
class EntryCall:
    """A call to a function of the script that starts the program."""

    text: str
    line: int


@dataclass(frozen=True)
class Entrypoint:
    """How a script starts when it is run."""

    #: The lines of ``if __name__ == "__main__":``.
    guards: tuple[int, ...] = ()
    #: The calls that the guards make (without a guard: that the end of the module makes).
    calls: tuple[EntryCall, ...] = ()
    #: The function marked ``@kohaku_ast.entrypoint``; empty if none is.
    marked: str = ""
    #: Whether the script reads ``sys.argv``, itself or through a parser.
    reads_argv: bool = False


def find_entrypoint(source: Source) -> Entrypoint:
    """The Entrypoint of *source*; nothing is run."""
    tree = source.tree
    calls = entry_calls(tree, find_functions(tree))
    return Entrypoint(
        guards=tuple(guard.lineno for guard in find_guards(tree)),
        calls=tuple(EntryCall(_text(source, call), call.lineno) for call in calls),
        marked=next(iter(find_marked_entrypoints(source)), ""),
        reads_argv=reads_argv(tree),
    )


def _text(source: Source, call: ast.Call) -> str:
    text = source.segment(call)
    return ast.unparse(call) if "\n" in text or "\r" in text else text


def reads_argv(tree: ast.Module) -> bool:
    """Whether *tree* reads the command line."""
    nodes = nodes_of(tree)
    starters = {name for package in _imported(nodes) for name in _STARTERS.get(package, ())}
    return any(_reads(node, starters) for node in nodes)


def _imported(nodes: list[ast.AST]) -> set[str]:
    """The top-level packages that the script imports."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def _reads(node: ast.AST, starters: set[str]) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "sys" and any(alias.name in ("argv", "*") for alias in node.names)
    if isinstance(node, ast.Attribute):
        if node.attr in ("argv", "orig_argv"):
            return isinstance(node.value, ast.Name) and node.value.id == "sys"
        # `@click.command` needs no call.
        return node.attr in starters and isinstance(node.value, ast.Name)
    return isinstance(node, ast.Call) and called_name(node.func) in _PARSERS | starters


_ENDS = ("exit", "_exit", "quit", "abort")
_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Match, ast.Try)


class Reachability:
    """The lines of a script that every run executes, apart from those that a branch, a loop or
    an exit may skip.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.conditional = set(_conditional_lines(tree.body))
        #: Line -> the function of the module that it stands in.
        self.inside: dict[int, str] = {}
        for function in _functions(tree.body):
            lines = range(function.body[0].lineno, (function.end_lineno or 0) + 1)
            self.inside.update(dict.fromkeys(lines, function.name))
        calls = entry_calls(tree, find_functions(tree))
        self.called = {
            called_name(call.func) for call in calls if call.lineno not in self.conditional
        }

    def runs(self, line: int) -> bool:
        """Whether every run executes *line*; a line in a function, if every run calls the
        function.
        """
        return self.is_unconditional(line) and self.inside.get(line, "") in {"", *self.called}

    def is_unconditional(self, line: int) -> bool:
        """Whether *line* stands in no branch, even if its function may not be called."""
        return line not in self.conditional


def _functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions and methods that stand in no other function."""
    for node in body:
        if isinstance(node, FUNCTIONS):
            yield node
        else:
            for block in ("body", "orelse", "finalbody"):
                yield from _functions(getattr(node, block, []))


def _conditional_lines(body: list[ast.stmt]) -> Iterator[int]:
    for index, node in enumerate(body):
        if isinstance(node, ast.For | ast.AsyncFor):  # what it goes through is evaluated always
            yield from range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
        elif _is_branch(node):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)
        elif isinstance(node, ast.If):
            yield from _conditional_lines(node.body)
            for other in node.orelse:
                yield from range(other.lineno, (other.end_lineno or other.lineno) + 1)
        else:
            yield from _conditional_lines(getattr(node, "body", []))
        if _leaves(node) and body[index + 1 :]:
            yield from range(body[index + 1].lineno, (body[-1].end_lineno or 0) + 1)
            return


def _is_branch(node: ast.stmt) -> bool:
    if is_guard(node):
        assert isinstance(node, ast.If)
        return not always_runs(node)
    return isinstance(node, _BRANCHES) or type(node).__name__ == "TryStar"  # Python 3.11


def _leaves(node: ast.stmt) -> bool:
    """Whether nothing after *node* runs: ``return``, ``raise``, ``sys.exit()``."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return called_name(node.value.func) in _ENDS
    return isinstance(node, (ast.Return, ast.Raise))
