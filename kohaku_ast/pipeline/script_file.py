"""The file of a script node: what its text takes and gives, and its digest for cache keys."""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from os.path import basename

from kohaku_ast.cache.code_text import find_file, without_docstrings
from kohaku_ast.errors import PipelineError, check_type, near
from kohaku_ast.pipeline.node_like import output_names, place
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.job import launch_of, launch_parts
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.local_modules import LocalModules
from kohaku_ast.runner.overrides import Override
from kohaku_ast.store.own_modules import added_folders
from kohaku_ast.transform.find.bindings import find_definitions
from kohaku_ast.transform.find.entrypoints import find_entrypoint
from kohaku_ast.transform.find.inspection import inspect_source, with_modules
from kohaku_ast.transform.find.modules import find_module, module_names
from kohaku_ast.transform.find.source import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from kohaku_ast.pipeline.script_process import OwnProcess
    from kohaku_ast.transform.find.bindings import Definition
    from kohaku_ast.transform.find.parameters import Parameter
    from kohaku_ast.transform.find.source import Source

    #: Of a file: time of the last change, size, number.
    State = tuple[int, ...]


class ScriptFile:
    """The file of a script node, shared by its copies. Raises SourceError, and SyntaxError as
    ``compile`` does.

    The text is read again for each run, as ``Script.run`` does; the compiled Program is used
    until it changes. In another process it is the text that was sent.
    """

    def __init__(self, path: str, entrypoint: str = "", process: OwnProcess | None = None) -> None:
        self.entrypoint = entrypoint
        #: The process of its own that each run gets; None: the run is in that of the pipeline.
        self.process = process
        #: The names that the text has.
        self.names: ScriptNames
        #: Whether another process sent it; that process has checked it.
        self.is_sent = False
        self._texts: ScriptTexts | None = None  # made when a cache needs it
        self._take(Launch(path))
        self.names = find_names(source_of(self.launch))

    def _take(self, launch: Launch) -> None:
        self.launch = launch
        #: Remembers which modules are the script's own.
        self.local = LocalModules(launch.path0)
        self._binder = Binder(launch, (), self.entrypoint, capture=True)

    def binder(self) -> Binder:
        """The Binder of the text as it is now. Raises SourceError if the file is gone."""
        if not self.is_sent:
            now = self._read()
            if now.data != self.launch.data:
                self._take(now)
        return self._binder

    def check(self, targets: list[str]) -> None:
        """Raise UnknownTarget and similar errors for *targets* that the script does not have."""
        if targets:
            self._binder.check([Override(one, None, "script(inputs=...)") for one in targets])

    def digests(self) -> tuple[tuple[str, bytes], ...]:
        """Digests of the text and of the user's modules that it imports, as they are now."""
        if self._texts is None:
            self._texts = ScriptTexts(self.launch)
        return self._texts.digests()

    def _read(self) -> Launch:
        """The file as it is now, even if the working folder has changed."""
        now = Launch(self.launch.filename)
        now.shown, now.argv = self.launch.shown, self.launch.argv
        now.filename, now.path0 = self.launch.filename, self.launch.path0
        return now

    def __getstate__(self) -> dict[str, Any]:
        self.binder()
        return {
            "entrypoint": self.entrypoint,
            "process": self.process,
            "names": self.names,
            "launch": launch_parts(self.launch),
            "data": self.launch.data,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        launch = launch_of(state["launch"])
        launch.data = state["data"]
        self.entrypoint, self.names = state["entrypoint"], state["names"]
        self.process = state["process"]
        self._texts = None
        self._take(launch)
        self.is_sent = True


def source_of(launch: Launch) -> Source:
    """The text of *launch*."""
    return decode(launch.data, launch.filename, launch.path0, launch.package)


RETURN = "return"
"""Stands for the return value of the script's starting call: no global can have this name."""

#: Annotations that mean the same in every script. The type of a default does not count as one.
_TYPES = {one.__name__: one for one in (int, float, str, bool, bytes, list, dict, set, tuple)}
#: A script that calls one of these may have globals that its text does not name.
_OPENERS = ("globals", "exec", "vars", "locals")


@dataclass(frozen=True)
class ScriptNames:
    """The names of one script."""

    #: Full or short target -> the full target.
    targets: dict[str, str] = field(default_factory=dict)
    #: Those of *targets* that another node's output of that name fills.
    linked: frozenset[str] = frozenset()
    #: The short targets of the parameters that a person would tune.
    settings: tuple[str, ...] = ()
    #: The short targets of those with a literal value, tuned or not: they come first in keys.
    literals: tuple[str, ...] = ()
    #: The full targets that are in keys only if they have a value.
    unkeyed: frozenset[str] = frozenset()
    #: Global -> the first line that binds it.
    globals: dict[str, int] = field(default_factory=dict)
    #: Whether it may have other globals too.
    is_open: bool = False
    #: Whether the guard calls a function, so that there is a return value.
    returns: bool = False
    #: Global -> its annotated type.
    hints: dict[str, Any] = field(default_factory=dict)


def find_names(source: Source) -> ScriptNames:
    """The ScriptNames of *source*; raises SyntaxError as ``compile`` does."""
    found = inspect_source(source)
    parameters = [one for one in with_modules(found).parameters if not one.refused]
    settings = [one for one in found.listed() if not one.refused]
    definitions = find_definitions(source.tree)
    start = find_entrypoint(source)
    return ScriptNames(
        targets=_targets(parameters),
        linked=frozenset(_linked(parameters, settings)),
        settings=tuple([one.short for one in settings]),
        literals=tuple([one.short for one in parameters if one.target in found.literals]),
        unkeyed=frozenset([one.target for one in parameters if one.kind in _UNKEYED]),
        globals=_globals(source.tree, definitions),
        is_open=_is_open(source.tree, definitions),
        returns=bool(start.calls or start.marked),
        hints=_hints(definitions),
    )


def _targets(parameters: list[Parameter]) -> dict[str, str]:
    targets = {one.target: one.target for one in parameters}
    for one in parameters:
        targets.setdefault(one.short, one.target)
    return targets


_UNKEYED = ("stored", "keyword", "loop")
"""The kinds of parameters that older versions did not find. A new kind belongs here as well: what
is on disk stays valid.
"""


def _linked(parameters: list[Parameter], settings: list[Parameter]) -> Iterator[str]:
    """Globals, and parameters that a person would tune. Others (a function, a module, a nested
    local) may have the name of a node's output by chance.
    """
    for one in parameters:
        if one.kind == "global":
            yield one.target
    yield from (one.short for one in settings if one.short.isidentifier())


def _globals(tree: ast.Module, definitions: list[Definition]) -> dict[str, int]:
    names: dict[str, int] = {}
    for one in definitions:
        names.setdefault(one.name, getattr(one.node, "lineno", 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            for name in node.names:
                names.setdefault(name, node.lineno)
        elif isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
            names.setdefault(node.target.id, node.lineno)
    return names


def _is_open(tree: ast.Module, definitions: list[Definition]) -> bool:
    return any(one.form == "star" for one in definitions) or any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _OPENERS
        for node in ast.walk(tree)
    )


def _hints(definitions: list[Definition]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for one in definitions:
        if isinstance(one.annotation, ast.Name) and one.annotation.id in _TYPES:
            hints.setdefault(one.name, _TYPES[one.annotation.id])
    return hints


_FEW = 12  # names that a message may list


def name_outputs(
    wanted: str | Iterable[str] | Mapping[str, str] | None, name: str
) -> dict[str, str]:
    """Global of the script, or "return" -> name in the graph. Raises PipelineError."""
    if wanted is None:
        wanted = {RETURN: name}
    if hasattr(wanted, "items"):
        pairs = dict(wanted.items())
        return dict(zip(pairs, output_names(pairs.values(), repr(name))))
    check_type(wanted, Iterable, f"{name!r}: outputs are names", PipelineError)
    names = wanted.split() if isinstance(wanted, str) else list(wanted)
    if RETURN in names:
        raise PipelineError(
            f'{name!r}: what the script returns needs a name: outputs={{"return": "score"}}.'
        )
    return {one: one for one in output_names(names, repr(name))}


def check_outputs(wanted: Iterable[str], file: ScriptFile) -> None:
    """Raise PipelineError for outputs that the script's text does not have."""
    for one in wanted:
        if one == RETURN:
            if not (file.names.returns or file.entrypoint):
                raise PipelineError(_nothing_returned(file))
        elif one not in file.names.globals and not file.names.is_open:
            raise PipelineError(_no_global(one, file))


def _nothing_returned(file: ScriptFile) -> str:
    shown = basename(file.launch.shown)
    return (
        f"{shown} has no guard that calls one of its functions, so it returns nothing. Name the "
        f'globals that it gives: script({shown!r}, outputs="...").'
    )


def _no_global(name: str, file: ScriptFile) -> str:
    lines, shown = file.names.globals, basename(file.launch.shown)
    found = [f"{one!r} ({place(file.launch.filename, lines[one])})" for one in near(name, [*lines])]
    if found:
        return f"{shown} has no global {name!r}. Did you mean {' or '.join(found)}?"
    known = f" It has: {', '.join(lines)}." if 0 < len(lines) <= _FEW else ""
    return f"{shown} has no global {name!r}.{known}"


_YOUNG = 2_000_000_000  # nanoseconds; FAT counts every other second


class ScriptTexts:
    """Digests of a script and of the user's modules that it imports; rereads changed files."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._states: dict[str, State | None] = {}
        self._digests: tuple[tuple[str, bytes], ...] = ()

    def digests(self) -> tuple[tuple[str, bytes], ...]:
        """Path from the script's folder and digest of each file. It is the same object until a
        file changes.
        """
        if not self._states or not all(map(_is_same, self._states, self._states.values())):
            self._read()
        return self._digests

    def _read(self) -> None:
        folder, found = self._launch.path0, {}
        waiting = [("", self._launch.filename)]
        tree = _parsed(_bytes(self._launch.filename))
        folders = [folder, *added_folders(tree, folder)]
        self._states = {}
        while waiting:
            name, path = waiting.pop()
            if path in self._states:
                continue
            self._states[path] = _state(path)
            data = _bytes(path)
            found[_label(path, folder)] = _digest(data)
            package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
            waiting += _imported(data, package, folders)
        digests = tuple(sorted(found.items()))
        if digests != self._digests:
            self._digests = digests


def _digest(data: bytes) -> bytes:
    try:
        text = without_docstrings(ast.parse(data))
    except (SyntaxError, ValueError, RecursionError):
        text = data.decode("latin-1")
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def _label(path: str, folder: str) -> str:
    """The path from *folder*: a project that is moved keeps its results."""
    inside = os.path.relpath(path, folder)
    return os.path.basename(path) if inside.startswith("..") else inside.replace(os.sep, "/")


def _is_same(path: str, before: State | None) -> bool:
    return before is not None and _state(path) == before


def _state(path: str) -> State | None:
    """Time of the last change, size and inode of the file. None for a file that has just changed:
    within one step of the clock it could change again unnoticed.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    if time.time_ns() - found.st_mtime_ns < _YOUNG:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _parsed(data: bytes) -> ast.Module:
    try:
        return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])


def _imported(data: bytes, package: str, folders: list[str]) -> Iterator[tuple[str, str]]:
    """The user's own modules that the text may import, each with its file: in the first of
    *folders*, which is the script's own, else where Python finds it.
    """
    for name in filter(None, module_names(_parsed(data), package)):
        found = (find_module(folder, name) for folder in folders)  # one after another
        own = next(found)
        path = (
            own.path if own else find_file(name) or next((one.path for one in found if one), None)
        )
        if path is not None:
            yield name, path
