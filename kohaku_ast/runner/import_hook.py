"""Gives modules other code when they are loaded: those with overrides, and the script itself.

On the warm path of runs with overrides.

The loaders of Python's own import system ask ``get_code`` for the code of a file. That method is
replaced while the script runs, so that no finder stands in ``sys.meta_path``, and a module is
matched wherever Python has found it: beside the script, through ``PYTHONPATH``, in a folder that
the script has added to ``sys.path``, by a computed name, or by its path. Spec, loader, class and
cached path are Python's, and no bytecode is written.

A module that nobody could find before the run is bound to its overrides when it is imported.
"""

from __future__ import annotations

import os
from _frozen_importlib_external import SourcelessFileLoader, SourceLoader  # as in main_module.py
from zipimport import zipimporter

from kohaku_ast.errors import KogineError, RefusedTarget, SourceError
from kohaku_ast.frames import hidden, keep_builtins, say, untraced, without_resume
from kohaku_ast.runner.loaded_modules import in_sight
from kohaku_ast.transform.program.bound_program import BoundProgram, fill

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType
    from typing import Any, TypeAlias

    from kohaku_ast.transform.program.bound_program import Prepared

    Namespace: TypeAlias = dict[str, object]


class Patches:
    """Attributes of Python's own modules and classes that are replaced while a script runs."""

    def __init__(self) -> None:
        self._before: list[tuple[object, str, object]] = []

    def __bool__(self) -> bool:
        """Whether something is replaced."""
        return bool(self._before)

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Let ``owner.name`` be what *make* returns for Python's own one. A script that runs inside
        another one has its own overrides alone.
        """
        before = getattr(owner, name)
        own = getattr(before, "__kogine__", before)
        new = make(own)
        new.__kogine__ = own
        self._before.append((owner, name, before))
        setattr(owner, name, new)

    def undo(self) -> None:
        """Put back what was there before."""
        for owner, name, before in reversed(self._before):
            setattr(owner, name, before)
        self._before.clear()


_LOADERS = (SourceLoader, SourcelessFileLoader, zipimporter)


def watch_imports(
    patches: Patches, prepared: Prepared, after: Mapping[str, Callable[[Namespace], object]]
) -> None:
    """Put the overrides of *prepared* in force for all later imports; *after* has what is to be
    called with the namespace of a module as soon as it has been loaded.
    """
    codes = ModuleCodes(prepared, after)
    for loader in _LOADERS:
        patches.replace(loader, "get_code", codes.method)


class ModuleCodes:
    """The code of each module that has other code than its file."""

    def __init__(
        self, prepared: Prepared, after: Mapping[str, Callable[[Namespace], object]]
    ) -> None:
        self.prepared, self.after = prepared, after
        #: The files with overrides, by their path and by what the system knows them by.
        self.files: dict[object, BoundProgram] = {}
        for _, file, given in prepared.every():
            if given.program.sites:
                self._add(file, given)

    def _add(self, file: str, given: BoundProgram) -> None:
        self.files[file] = given
        number = _file_number(file)
        if number is not None:
            self.files[number] = given

    def method(self, own: Callable[[Any, str], CodeType | None]) -> Callable[..., object]:
        """The method ``get_code`` of a loader, whose own one is *own*."""
        find = self.find

        @hidden
        def get_code(self: Any, fullname: str) -> CodeType | None:
            found = _interrupted(find, fullname, self)
            if found is not None:
                return found
            code = own(self, fullname)
            act = after.get(fullname)
            return code if act is None or code is None else _interrupted(_then, code, act)

        after = self.after
        get_code.__doc__ = own.__doc__
        return get_code

    @hidden
    def find(self, name: str, loader: Any) -> CodeType | None:
        """The code of the module *name*; None for the file's own."""
        path = getattr(loader, "path", "")
        given = self.files.get(path) or self.files.get(_file_number(path))
        if given is None and name in self.prepared.modules and path:
            self.prepared.modules[name][1].findings.namesakes.add(path)
        if given is None and self.prepared.later is None:
            return None
        return untraced(self._code_of, given, name, loader)

    def _code_of(self, given: BoundProgram | None, name: str, loader: Any) -> CodeType | None:
        if given is None and self.prepared.later:
            given = in_sight(self._bind_late, name, loader)
        return None if given is None else joined(given.codes(), given.program.filename)

    def _bind_late(self, name: str, loader: Any) -> BoundProgram | None:
        """Bind the module *name*, which the *loader* has found, to its overrides, if it has any.

        Ends the script, with a message and status 2, if one of them cannot be applied.
        """
        waiting = self.prepared.later
        assert waiting is not None
        aimed = waiting.of_module(name, _submodules(loader, name))
        if not aimed:
            return None
        try:
            file = loader.get_filename(name)
            given = waiting.bind(file, _source(loader, file, name), aimed)
        except (KogineError, SyntaxError) as error:
            if isinstance(error, SyntaxError):
                return None  # Python's own message follows
            self._stop(error)
            raise SystemExit(2) from None
        self.prepared.modules[name] = file, given
        self._add(file, given)
        return given

    def _stop(self, error: KogineError) -> None:
        """Note that *error* ends the run, and print it unless who runs the script raises it."""
        findings = self.prepared.given.findings
        if findings.stopped is None:
            findings.stopped = error
            if findings.prints:
                say(f"kogine: error: {error}\n")


@hidden
def _interrupted(call: Callable[..., CodeType | None], *arguments: object) -> CodeType | None:
    """What *call* returns; a Ctrl-C meanwhile shows where the script imports, and no frame of
    *call*.
    """
    try:
        return call(*arguments)
    except KeyboardInterrupt as interrupt:
        raise interrupt.with_traceback(None) from None


@hidden
def _file_number(path: object) -> tuple[int, int] | None:
    """What the system knows a file by, whatever its path; None if there is none."""
    try:
        found = os.stat(path)  # type: ignore[arg-type]
    except (OSError, TypeError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _submodules(loader: Any, name: str) -> Callable[[str], bool]:
    """Returns whether the package *name* has a file for the module of a name in it."""
    if not loader.is_package(name):
        return lambda inner: False
    folder = os.path.dirname(loader.get_filename(name))

    def has(inner: str) -> bool:
        path = os.path.join(folder, inner)
        return os.path.isdir(path) or os.path.isfile(f"{path}.py")

    return has


def _source(loader: Any, file: str, name: str) -> bytes:
    """The text that the module was compiled from; RefusedTarget if there is none."""
    if not file.endswith(".py"):
        raise RefusedTarget(
            f"cannot override anything in the module {name!r}: {file} is compiled and has no text"
        )
    try:
        data: bytes = loader.get_data(file)
    except OSError as error:
        raise SourceError(f"cannot read the text of the module {name!r}: {error}") from None
    return data


_GLOBALS = "(lambda: 0).__globals__"
"""The namespace of a hidden frame: from Python 3.12 on ``globals()`` passes such a frame over."""


def joined(codes: list[CodeType], filename: str) -> CodeType:
    """One code that runs *codes* in order in one namespace; its own frame is hidden."""
    if len(codes) == 1:
        return codes[0]
    names = [f"segment {number}".encode() for number in range(len(codes))]
    lines = "\n".join(f"exec({name!r}, {_GLOBALS})" for name in names)
    code = compile(lines, filename, "exec", dont_inherit=True)
    return without_resume(fill(code, dict(zip(names, codes))))


def _then(code: CodeType, act: Callable[[Namespace], object]) -> CodeType:
    """Code that runs *code* and then calls *act* with the namespace; its own frame is hidden."""
    lines = f"exec(b'code', {_GLOBALS})\n[b'act'][0]({_GLOBALS})"
    both = compile(lines, code.co_filename, "exec", dont_inherit=True)
    return without_resume(fill(both, {b"code": code, b"act": act}))
