"""Plug-ins: what other installed packages add, by entry points, one group for each kind.

A registry looks here only for a name that it does not have itself: ``importlib.metadata`` takes
36 ms. A name of ours is never taken by a plug-in.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

from kohaku_ast.errors import PluginError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from importlib.metadata import EntryPoint
    from typing import Any

GROUPS = {
    "engines": "kohaku_ast.engines",
    "executors": "kohaku_ast.executors",
    "loggers": "kohaku_ast.loggers",
    "config_readers": "kohaku_ast.config_readers",
    "commands": "kogine.commands",
}
"""Kind of plug-in -> the group of its entry points."""


class Plugin:
    """One entry point of an installed package. Frozen; nothing of the package is imported yet."""

    __slots__ = ("_entry_point", "group", "name", "package", "rivals", "version")

    def __init__(self, entry_point: EntryPoint) -> None:
        self._entry_point = entry_point
        self.group, self.name = entry_point.group, entry_point.name
        found = entry_point.dist
        #: The package that has it, and its version; empty if its metadata do not say so.
        self.package = str(found.metadata["Name"] or "") if found is not None else ""
        self.version = str(found.version or "") if found is not None else ""
        #: Other packages with the same name in the group: then nobody can say which is meant.
        self.rivals: list[Plugin] = []

    @property
    def place(self) -> str:
        """``package.module:attribute``."""
        return self._entry_point.value

    @property
    def origin(self) -> str:
        """``sample-plugins 1.0``."""
        return f"{self.package} {self.version}".strip() or "an unknown package"

    def load(self) -> Any:
        """What the entry point names, imported now. Raises PluginError."""
        if self.rivals:
            others = ", ".join(f"{one.origin} ({one.place})" for one in self.rivals)
            raise PluginError(f"{self} is in other packages, too: {others}. Uninstall all but one.")
        try:
            # Standard output may be JSON, or that of the user's script.
            with redirect_stdout(sys.stderr):
                return self._entry_point.load()
        except (Exception, SystemExit) as error:
            raise self.error("cannot be loaded", error) from error

    def call(self, *arguments: object) -> Any:
        """What the function, or class, that the entry point names returns for *arguments*. Raises
        PluginError.
        """
        function = self.load()
        if not callable(function):
            raise PluginError(f"{self} is {function!r}: it must be a function or a class.")
        try:
            return function(*arguments)
        except Exception as error:
            raise self.error("raised", error) from error

    def error(self, what: str, error: BaseException) -> PluginError:
        """The error that says that it has done *what*, because of *error*."""
        return PluginError(f"{self} {what}: {type(error).__name__}: {error}")

    def __str__(self) -> str:
        """``the plug-in 'lab' (kohaku_ast.engines, lab_plugins:Lab) of lab-plugins 1.0``."""
        return f"the plug-in {self.name!r} ({self.group}, {self.place}) of {self.origin}"


def find_plugins(kind: str, own: Collection[str] = ()) -> dict[str, Plugin]:
    """Name -> the plug-in of that *kind*, one of ``GROUPS``, but for the names of our *own*.
    Nothing of them is imported.
    """
    found: dict[str, Plugin] = {}
    for one in _all_plugins(GROUPS[kind]):
        first = found.setdefault(one.name, one)
        if first is not one:
            first.rivals.append(one)
    return {name: found[name] for name in sorted(found) if name not in own}


def _all_plugins(group: str) -> Iterator[Plugin]:
    from importlib.metadata import entry_points

    try:
        yield from map(Plugin, entry_points(group=group))
    except Exception as error:  # damaged metadata of any package
        sys.stderr.write(f"kogine: note: the plug-ins cannot be listed: {error!r}\n")
