"""Commands of plug-ins: each runs as click would run it alone, behind its name in kogine.

Imported for the help of kogine and for names that are no commands of its own.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import click

from kohaku_ast.errors import UsageError
from kohaku_ast.plugins import Plugin, find_plugins


@functools.cache
def command_plugins(own: tuple[str, ...]) -> dict[str, Plugin]:
    """The plug-ins that add a command, by its name, but for the names of our *own*."""
    return find_plugins("commands", own)


class _PassedOn(click.Command):
    """Hands all its words to the command of a plug-in, as click would run it alone."""

    def __init__(self, name: str, command: click.Command) -> None:
        super().__init__(name, help=command.help, add_help_option=False)
        self.command = command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **_: Any
    ) -> click.Context:
        """A context that keeps *args* as they are."""
        context = click.Context(self, info_name=info_name, parent=parent)
        context.args = [*args]
        return context

    def invoke(self, ctx: click.Context) -> Callable[[], int]:
        """The function that runs it, when kogine has read its command line."""
        modules = {name: one for name, one in sys.modules.items() if _is_of_click(name)}
        return lambda: _run(self.command, ctx.args, f"kogine {self.name}", modules)


def _is_of_click(name: str) -> bool:
    return name.partition(".")[0] == "click"


def _run(
    command: click.Command, words: list[str], name: str, modules: dict[str, ModuleType]
) -> int:
    # kogine has taken click out of sys.modules, for scripts: a second one would not know this one's
    # classes.
    sys.modules.update(modules)
    try:
        command.main(words, prog_name=name)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        raise
    return 0


def plugin_command(plugin: Plugin) -> click.Command:
    """The command that *plugin* adds. Raises PluginError and UsageError."""
    found = plugin.load()
    if not isinstance(found, click.Command):
        raise UsageError(f"{plugin} is {found!r}, which is no command of click")
    return _PassedOn(plugin.name, found)
