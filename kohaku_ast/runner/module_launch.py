"""Modules, folders and zips: what Python starts with the help of ``runpy``.

``python -m pkg.mod``, ``python folder`` and ``python archive.zip`` run a function of ``runpy``,
and its frames stand in every traceback. So it runs here too; only the code that it finds is
given another one if there are overrides.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

from kohaku_ast.errors import SourceError, near
from kohaku_ast.frames import hidden
from kohaku_ast.runner.launch import Launch, StandardInput, absolute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType


class ModuleLaunch(Launch):
    """A module as ``python -m NAME``, or a folder or zip as ``python PATH``, would start it."""

    __slots__ = ("module", "package")
    has_file = from_file = False  # runpy gives it a file and a loader, and leaves them

    def __init__(self, shown: str, module: str, argv: Sequence[str] = ()) -> None:
        """*module* is ``__main__`` for a folder or zip *shown*.

        Finds the file without importing anything; raises SourceError if there is none.
        """
        self.shown, self.module = shown, module
        is_main = module == "__main__"
        self.argv = [shown if is_main else "-m", *argv]
        self.path0 = absolute(shown) if is_main else os.getcwd()
        spec = _find(module, [self.path0] if is_main else [self.path0, *sys.path[1:]])
        self.filename, self.data = _source(spec, shown, is_main)
        self.package = (spec.parent or "") if spec else ""

    def compile(self) -> CodeType | None:
        """None: runpy compiles it."""
        return None

    @hidden
    def execute(self, codes: Sequence[CodeType | None], namespace: dict[str, object]) -> None:
        """Run the module as runpy does, with the first of *codes* if it is one; then the rest."""
        first, *rest = codes
        _run_module(self, first)
        for code in rest:
            if code is not None:
                exec(code, namespace)


def find_launch(script: str, argv: Sequence[str] = (), is_module: bool = False) -> Launch:
    """How Python would start *script*: a module, standard input, a folder, a zip or a file."""
    if is_module:
        return ModuleLaunch(script, script, argv)
    if script == "-":
        return StandardInput(argv)
    if is_runnable_folder(script):
        return ModuleLaunch(script, "__main__", argv)
    if not os.path.exists(script) and is_module_name(script):
        return ModuleLaunch(script, script, argv)
    return Launch(script, argv)


def split_function(script: str) -> tuple[str, str]:
    """``"train.py:main"`` -> ``("train.py", "main")``."""
    path, colon, name = script.rpartition(":")
    if colon and name.isidentifier() and not os.path.exists(script) and os.path.exists(path):
        return path, name
    return script, ""


def find_to_read(script: str, is_module: bool = False) -> Launch | None:
    """As ``find_launch``, to look at the text of *script* and not to run it; ``~`` is the home.

    None for what can be read only once, standard input or a pipe: it would be used up; a device may
    never end.
    """
    path = os.path.expanduser(script)
    if path == "-" or (os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))):
        return None
    return find_launch(path, (), is_module)


def is_runnable_folder(path: str) -> bool:
    """Whether *path* is a folder or an archive, which Python looks for ``__main__`` in."""
    if os.path.isdir(path):
        return True
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def is_module_name(name: str) -> bool:
    """Whether *name* is spelled like a module and one of that name can be found."""
    parts = name.split(".")
    if not all(map(str.isidentifier, parts)):
        return False
    return PathFinder.find_spec(parts[0], [os.getcwd(), *sys.path[1:]]) is not None


def _find(module: str, path: list[str]) -> ModuleSpec | None:
    """The spec of *module*, or of its ``__main__`` if it is a package; parents are not run."""
    spec = None
    places: list[str] | None = path
    parts = module.split(".")
    for number in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:number]), places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or [])
    if spec is not None and spec.submodule_search_locations is not None:
        return PathFinder.find_spec(f"{module}.__main__", places)
    return spec


def _source(spec: ModuleSpec | None, shown: str, is_main: bool) -> tuple[str, bytes]:
    """The file and the text that will run."""
    if spec is None or spec.origin is None or spec.loader is None:
        if is_main:
            kind = "a directory" if os.path.isdir(shown) else "an archive"
            raise SourceError(f"{shown!r} is {kind} without a __main__.py: name the script in it")
        raise SourceError(f"no module named {shown!r}, or it has no __main__{_nearby(shown)}")
    try:
        data: bytes = spec.loader.get_data(spec.origin)  # type: ignore[attr-defined]
    except (AttributeError, OSError) as error:
        raise SourceError(f"cannot read the source of {shown!r}: {error}") from error
    return spec.origin, data


def _nearby(name: str) -> str:
    first = name.partition(".")[0]
    files = [os.path.splitext(file)[0] for file in os.listdir(os.getcwd())]
    found = near(first, files, 1)
    return f". Did you mean {found[0]!r}?" if found else ""


@hidden
def _run_module(launch: ModuleLaunch, code: CodeType | None) -> None:
    """Run the module as ``__main__``, which is in ``sys.modules`` by now; *code* in place of its
    own code if given.
    """
    import runpy

    if code is not None:
        for name in ("_get_module_details", "_get_main_module_details"):
            setattr(runpy, name, _with_code(runpy, name, code))
    del code
    runpy._run_module_as_main(  # type: ignore[attr-defined]
        launch.module, launch.module != "__main__"
    )


def _with_code(runpy: object, name: str, code: CodeType) -> Callable[..., object]:
    """The function of *runpy* that finds code, for one call; then the original is back."""
    original: Callable[..., tuple[str, ModuleSpec, CodeType]] = getattr(runpy, name)

    def details(*arguments: object) -> tuple[str, ModuleSpec, CodeType]:
        setattr(runpy, name, original)  # first: for a package it calls itself by this name
        found, spec, _ = original(*arguments)
        return found, spec, code

    return details
