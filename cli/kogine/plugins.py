"""``kogine plugins``: what other installed packages add to kogine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import click
from kogine.command import Command, kogine
from kogine.command_with_script import chosen_format
from kogine.options import TABLE_FORMATS, format_options
from kogine.report import print_rows

from kohaku_ast.errors import PluginError
from kohaku_ast.plugins import GROUPS, Plugin, find_plugins

_COLUMNS = ("group", "name", "package", "version", "place", "state")
_EMPTY = "No installed package adds engines, executors, loggers, config readers or commands."


@click.command(cls=Command, examples=("kogine plugins", "kogine plugins --format json"))
@format_options("Output", TABLE_FORMATS)
def plugins(**form: Any) -> Callable[[], int]:
    """List what other installed packages add to kogine: engines of pipelines, executors for --on,
    loggers, readers of config files, and commands; and why one cannot be used.
    """
    shape = chosen_format(form)
    rows = [_row(one) for kind in GROUPS for one in _listed(kind)]
    return lambda: print_rows(shape, _COLUMNS, rows, {}, _EMPTY)


def _listed(kind: str) -> Iterator[Plugin]:
    for one in find_plugins(kind).values():
        yield one
        yield from one.rivals


def _row(one: Plugin) -> dict[str, Any]:
    return {
        "group": one.group,
        "name": one.name,
        "package": one.package or None,
        "version": one.version or None,
        "place": one.place,
        "state": _state(one),
    }


def _state(one: Plugin) -> str:
    """``ready``, or why it cannot be used."""
    kind = next(kind for kind, group in GROUPS.items() if group == one.group)
    if one.name in _own_names(kind):
        return f"not used: kogine has its own {one.name!r}"
    plugin = find_plugins(kind)[one.name]
    if plugin.rivals:
        others = [each.origin for each in (plugin, *plugin.rivals) if each.place != one.place]
        return f"not used: {', '.join(others) or 'another package'} has the name, too"
    try:
        found = one.load()
    except PluginError as error:
        cause = error.__cause__
        return f"cannot be loaded: {type(cause).__name__}: {cause}"
    is_command = kind != "commands" or isinstance(found, click.Command)
    if not is_command:
        return f"not used: it is {found!r}, no command of click"
    if kind == "engines" and one.name in _names_in(_OF_SYSTEMS):
        return f"ready for pipelines; systems have their own {one.name!r}"
    return "ready"


_OF_SYSTEMS = "kohaku_ast.systems.engine:ENGINES"
_OWN = {
    "engines": "kohaku_ast.pipeline.engine:ENGINES",
    "executors": "kohaku_ast.executors.clusters:KINDS",
    "loggers": "kohaku_ast.helpers.backends:BACKENDS",
    "config_readers": "kohaku_ast.config.config_files:ENDINGS",
}
"""Kind of plug-in -> where the names of ours are, which no plug-in can take."""


def _own_names(kind: str) -> set[str]:
    if kind == "commands":
        return {*kogine.places}
    return _names_in(_OWN[kind])


def _names_in(place: str) -> set[str]:
    module, _, attribute = place.partition(":")
    return {name.lstrip(".") for name in getattr(import_module(module), attribute)}
