"""The scripts of the configs that are open, each read once for each of its versions."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from kohaku_ast.errors import KogineError, SourceError
from kohaku_ast.runner.fitting import ScriptTargets
from kohaku_ast.runner.launch import Launch
from kohaku_ast.transform.find.inspection import Inspection, inspect_source
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.source import Source, decode, read_bytes, with_room

OpenText = Callable[[str], "str | None"]
"""The text of a file that is open in the editor, by its path; None if it is not open."""
MOST_BYTES = 4 * 2**20
"""A larger file is data, and to read it would stop the editor."""


class KnownScript:
    """One version of a script that can be parsed."""

    def __init__(self, source: Source) -> None:
        """Raises SyntaxError and SourceError."""
        self.source = source
        self.targets = with_room(lambda: ScriptTargets(source), source.filename)
        self._modules: dict[str, dict[str, Parameter]] = {}
        #: The files of modules that were read with it -> their stamps.
        self.read: dict[str, object] = {}

    @cached_property
    def inspection(self) -> Inspection:
        """Its parameters with their help."""
        return inspect_source(self.source)

    @cached_property
    def described(self) -> dict[str, Parameter]:
        """Full target -> its parameter with its help."""
        return {one.target: one for one in self.inspection.parameters}

    def find(self, target: str) -> tuple[Parameter, str]:
        """The parameter that *target* means, with its help, and the path of its file.

        Raises a KogineError.
        """
        try:
            found, path, module = self.targets.find(target)
        finally:
            self.note_modules()
        described = self._in_module(path) if module else self.described
        return described.get(found.target, found), path

    def note_modules(self) -> None:
        """Remember the stamps of the modules that have been read."""
        for path in (*self.targets.modules, *self._modules):
            if path not in self.read:
                self.read[path] = _file_stamp(path)

    @property
    def is_current(self) -> bool:
        """Whether the modules that were read with it are as they were."""
        return all(_file_stamp(path) == stamp for path, stamp in self.read.items())

    def _in_module(self, path: str) -> dict[str, Parameter]:
        if path not in self._modules:
            found = inspect_source(decode(read_bytes(path), path))
            self._modules[path] = {one.target: one for one in found.parameters}
        return self._modules[path]

    def modules(self) -> list[tuple[str, str]]:
        """Name and path of the modules of the user's own that it imports."""
        return [(one.name, one.path) for one in self.targets.targets.reach.modules]

    def module_parameters(self, path: str) -> list[Parameter]:
        """The parameters of the module at *path*; none of one that cannot be read."""
        try:
            return list(self._in_module(path).values())
        except (KogineError, SyntaxError):
            return []


@dataclass
class Version:
    """What is known about the script at one path."""

    #: What the text was read from; another stamp is another version.
    stamp: object
    #: The last version that could be parsed; None if none could.
    script: KnownScript | None
    #: Why the present text cannot be read; empty if it can.
    error: str = ""
    line: int = 0


class KnownScripts:
    """The scripts by their paths."""

    def __init__(self, open_text: OpenText) -> None:
        self.open_text = open_text
        self.versions: dict[str, Version] = {}

    def get(self, path: str) -> Version:
        """The present version of the script at *path*."""
        known, stamp = self.versions.get(path), self._stamp(path)
        if known is not None and known.stamp == stamp and _is_current(known):
            return known
        found = self._read(path, stamp)
        if found.script is None and known is not None:
            found.script = known.script
        self.versions[path] = found
        return found

    def _stamp(self, path: str) -> object:
        text = self.open_text(path)
        return _file_stamp(path) if text is None else text

    def _read(self, path: str, stamp: object) -> Version:
        try:
            return Version(stamp, KnownScript(self._source(path)))
        except SyntaxError as error:
            return Version(stamp, None, f"{error.msg}", error.lineno or 0)
        except (KogineError, ValueError, RecursionError, OSError) as error:
            return Version(stamp, None, str(error))

    def _source(self, path: str) -> Source:
        text = self.open_text(path)
        folder = os.path.dirname(os.path.realpath(path))
        if text is not None and path.lower().endswith(".py"):
            return Source(path, text.removeprefix("\ufeff"), folder=folder)
        launch = Launch(path)
        if len(launch.data) > MOST_BYTES:
            raise SourceError(f"{path}: larger than {MOST_BYTES:,} bytes")
        return decode(launch.data, path, folder)

    def forget(self) -> None:
        """Read each script again when it is needed next: files of the project have changed."""
        for version in self.versions.values():
            version.stamp = object()


def _is_current(known: Version) -> bool:
    return known.script is None or bool(known.error) or known.script.is_current


def _file_stamp(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError as error:
        return type(error).__name__
    return (found.st_mtime_ns, found.st_size)
