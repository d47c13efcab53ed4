"""How a script starts: its guards, the call in them, and whether it reads its arguments."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from kohaku_ast.transform.guard import find_guards
from kohaku_ast.transform.literals import called_name
from kohaku_ast.transform.parameters import find_functions
from kohaku_ast.transform.rules.entry_call import entry_calls, find_marked
from kohaku_ast.transform.source import Source

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
"""Package -> the names by which it reads the command line."""


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
        marked=next(iter(find_marked(tree)), ""),
        reads_argv=reads_argv(tree),
    )


def _text(source: Source, call: ast.Call) -> str:
    text = source.segment(call)
    return ast.unparse(call) if "\n" in text or "\r" in text else text


def reads_argv(tree: ast.Module) -> bool:
    """Whether anything in *tree* takes its values from the command line."""
    nodes = list(ast.walk(tree))
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
