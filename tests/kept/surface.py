"""The surface that users touch, as lines of text: the names of ``kohaku_ast``, the errors with their
slugs, the commands with their options.

    python -m tests.kept.surface

writes ``surface.txt`` anew, from the running code. Of a class only the members that stand in the file
are compared: those that the docs name. To promise another one, write a line ``  .name`` there first.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kohaku_ast
from kohaku_ast import errors

FILE = Path(__file__).with_name("surface.txt")
_ROOT = FILE.parents[2]
_PLAIN = (bool, int, float, str, type(None), tuple, frozenset)
_OPTION = re.compile(r"  (-[^ ].*?)(?:  |$)")
_DEFAULT = re.compile(r"\[default: ([^;\]]+)")


def kept() -> list[str]:
    """The lines of the file without its heading."""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    return [line for line in lines if not line.startswith("#")]


def observed() -> list[str]:
    """The same, of the running code."""
    return ["[names]", *names(), "", "[errors]", *slugs(), "", "[commands]", *commands()]


def names() -> Iterator[str]:
    """Each public name with its kind and signature, and the members of a class that are promised."""
    promised = _promised()
    for name in sorted(kohaku_ast.__all__):
        try:
            thing = getattr(kohaku_ast, name)
        except (AttributeError, ImportError) as error:  # the difference shows them all
            yield f"broken {name}: {error}"
            continue
        yield f"{_kind(thing)} {name}{_signature(thing)}"
        for member in promised.get(name, ()):
            yield f"  .{member}{_member(thing, member)}"


def _promised() -> dict[str, list[str]]:
    """Class -> the members that the file has."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in kept():
        if line.startswith("  ."):
            found[name].append(re.split(r"\W", line[3:])[0])
        elif line and not line.startswith(" "):
            name = re.split(r"[ (]", line)[1] if " " in line else ""
            found[name] = []
    return found


def _kind(thing: Any) -> str:
    if not inspect.isclass(thing):
        return "function" if callable(thing) else type(thing).__name__
    if issubclass(thing, Warning):
        return "warning"
    return "exception" if issubclass(thing, Exception) else "class"


def _signature(thing: Any) -> str:
    """Parameters and defaults; no annotations, which name what is inside."""
    if not callable(thing) or (inspect.isclass(thing) and issubclass(thing, BaseException)):
        return ""
    found = inspect.signature(thing)
    parameters = [
        one.replace(annotation=one.empty, default=_default(one.default))
        for one in found.parameters.values()
    ]
    return str(found.replace(parameters=parameters, return_annotation=found.empty))


class _Unspoken:
    """A default that is made anew for each call, or is an object of ours."""

    def __repr__(self) -> str:
        return "..."


def _default(value: Any) -> Any:
    return value if value is inspect.Parameter.empty or type(value) in _PLAIN else _Unspoken()


def _member(kind: type, name: str) -> str:
    """How *name* is used: its signature if it is called; nothing for an attribute."""
    fields = {key for base in kind.__mro__ for key in getattr(base, "__annotations__", {})}
    if name in fields or isinstance(inspect.getattr_static(kind, name, None), property):
        return ""
    if not hasattr(kind, name):
        return "  is gone"
    return _signature(getattr(kind, name))


def slugs() -> Iterator[str]:
    """Each error and warning of ``kohaku_ast.errors`` with its slug, which messages.md has."""
    for name, thing in sorted(vars(errors).items()):
        if inspect.isclass(thing) and issubclass(thing, Exception):
            slug = getattr(thing, "slug", "no slug: a warning")
            bases = ", ".join(base.__name__ for base in thing.__bases__)
            yield f"{name}({bases}): {slug}"


def commands(words: tuple[str, ...] = ()) -> Iterator[str]:
    """Each command as its help shows it: what stands behind it, its options, their defaults."""
    text = _help(words)
    usage = " ".join(text.partition("\n\n")[0].split()).partition("Usage: ")[2]
    yield usage
    yield from sorted(filter(None, map(_option, _blocks(text))))
    for name in _below(text):
        yield from commands((*words, name))


def _option(block: list[str]) -> str:
    """An option with its default; empty for other lines of a help."""
    option = _OPTION.match(block[0])
    if option is None:
        return ""
    default = _DEFAULT.search(" ".join(line.strip() for line in block))
    return f"  {option[1].strip()}" + (f"  [default: {default[1]}]" if default else "")


def _help(words: tuple[str, ...]) -> str:
    path = os.pathsep.join([str(_ROOT), str(_ROOT / "cli")])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "100"}
    command = [sys.executable, "-m", "kogine", "help", *words]
    return subprocess.check_output(command, env=environment, text=True)


def _blocks(text: str) -> Iterator[list[str]]:
    """Each line of a table with those that go on with it, which are indented further."""
    block: list[str] = []
    for line in text.splitlines():
        if block and line.startswith("   "):
            block.append(line)
            continue
        if block:
            yield block
        block = [line]
    yield block


def _below(text: str) -> list[str]:
    """The commands of a group."""
    _, _, table = text.partition("\nCommands:\n")
    rows = textwrap.dedent(table.partition("\n\n")[0]).splitlines()
    return [row.split()[0] for row in rows if row and not row.startswith(" ")]


HEADING = """\
# What users touch, as it was when it was written; tests/kept/test_surface.py compares.
# Meant to change? Say so in CHANGELOG.md, run `python -m tests.kept.surface`, and commit the difference.
"""


if __name__ == "__main__":
    FILE.write_text(HEADING + "\n".join(observed()) + "\n", encoding="utf-8")
