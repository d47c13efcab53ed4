"""Commands that have commands of their own: ``kogine workflow run``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from kohaku_ast.errors import UsageError, unknown


def start_subcommand(
    group: str, places: Mapping[str, str], arguments: list[str]
) -> Callable[[], int]:
    """What the command that *arguments* begin with makes of those behind it.

    *places* has the ``module:function`` of each command. Raises UsageError for a name that is none.
    """
    name = next(iter(arguments), "")
    if not name:
        from kogine.commands import commands

        return commands([group, "--help"]) or (lambda: 0)
    if name not in places:
        raise UsageError(unknown(f"{group} command", name, places))
    module, _, function = places[name].partition(":")
    start: Callable[[], int] = getattr(import_module(f"kogine.{module}"), function)(arguments[1:])
    return start
