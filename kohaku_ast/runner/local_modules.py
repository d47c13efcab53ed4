"""Finds the modules that are the script's own, and those that another process cannot import.

State of this process: ``_registry``, ``_places_there``.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
import threading
from _imp import is_frozen
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType

from kohaku_ast.frames import contextmanager
from kohaku_ast.runner.launch import interpreter
from kohaku_ast.runner.loaded_modules import shadowed_by
from kohaku_ast.user_code import is_local_module

MAINS = ("__main__", "__mp_main__")
_OURS = ("kohaku_ast", "kogine")


class LocalModules:
    """Finds the loaded modules of one folder, and those that have a name of one of its files: a
    process of its own would import the file. For the same modules it answers from memory.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._modules: dict[str, ModuleType] = {}
        self._local: set[str] = set()
        #: Names of files beside the script that are also those of other modules, which it hides.
        self.shadows: set[str] = set()

    def find(self, modules: Mapping[str, ModuleType]) -> set[str]:
        """Their names. A sweep calls it before every run: 400 modules take 0.5 ms."""
        if modules != self._modules:
            self.shadows = _importable(shadowed_by([self.folder], modules) - {*_OURS})
            hidden = {name for name in modules if name.partition(".")[0] in self.shadows}
            self._modules, self._local = dict(modules), find_local(modules, self.folder) | hidden
        return self._local


def _importable(names: set[str]) -> set[str]:
    """Those of *names* that are not of the interpreter, nor of what it loads at its start."""
    if not names & sys.stdlib_module_names:
        return names
    return {name for name in names if not is_frozen(name)} - _loaded_at_start()


@functools.cache
def _loaded_at_start() -> frozenset[str]:
    """The modules that a script finds in ``sys.modules``, and those that are built in."""
    import subprocess

    command = [*interpreter(), "-c", "import sys; print(*sys.modules)"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return frozenset((*sys.builtin_module_names, *done.stdout.decode().split()))


def taken_from(own: Iterable[ModuleType], modules: Mapping[str, ModuleType]) -> set[str]:
    """Those of *modules*, by name, that have imported one of *own* or a function or class of it."""
    mine = set(map(id, own))
    for one in own:
        made = (value for value in vars(one).values() if _is_made_in(one, value))
        mine.update(map(id, made))
    return {name for name, one in modules.items() if not mine.isdisjoint(map(id, _values_of(one)))}


def _is_made_in(module: ModuleType, value: object) -> bool:
    return isinstance(value, (type, FunctionType)) and value.__module__ == module.__name__


def _values_of(module: ModuleType) -> list[object]:
    try:
        return list(vars(module).values())
    except TypeError:  # anything can stand in sys.modules
        return []


def find_local(modules: Mapping[str, ModuleType], folder: str) -> set[str]:
    """The names of the *modules* with files below *folder* that belong to no library."""
    is_local = _locator(folder)
    return {
        name
        for name, module in modules.items()
        if name not in MAINS and name.partition(".")[0] not in _OURS and _lies(module, is_local)
    }


def _lies(module: ModuleType, is_local: Callable[[str], bool]) -> bool:
    """Whether its file is local; of a namespace package, all its folders."""
    try:
        names = vars(module)
        places = [names["__file__"]] if names.get("__file__") else list(names.get("__path__", ()))
        return bool(places) and all(map(is_local, places))
    except Exception:  # anything can stand in sys.modules
        return False


@functools.lru_cache(maxsize=16)
def _locator(folder: str) -> Callable[[str], bool]:
    """Returns whether a file is below *folder* and of no library; remembers folders, for speed."""
    top = os.path.join(os.path.realpath(folder), "")
    libraries = tuple(
        os.path.join(os.path.realpath(one), "") for one in set(sysconfig.get_paths().values())
    )
    folders: dict[str, bool] = {}

    def is_local(file: str) -> bool:
        place = os.path.dirname(file)
        if place not in folders:
            real = os.path.join(os.path.realpath(place), "")
            folders[place] = real.startswith(top) and not _in_library(real, libraries, top)
        return folders[place]

    return is_local


def _in_library(place: str, libraries: tuple[str, ...], top: str) -> bool:
    """Whether *place* is in an installed library, without the script itself in it."""
    below = place[len(top) :].split(os.sep)
    inside = tuple(one for one in libraries if one.startswith(top))
    return "site-packages" in below or "dist-packages" in below or place.startswith(inside)


def is_users(name: str, module: ModuleType) -> bool:
    """Whether the user wrote the module *name*, in whatever folder it is."""
    if name in MAINS or name.partition(".")[0] in _OURS or not _places(module):
        return False
    return is_local_module(module)


def is_own(names: Mapping[str, object], folder: str) -> bool:
    """Whether *names* are the globals of a module below *folder* that belongs to no library."""
    file = names.get("__file__")
    return isinstance(file, str) and _locator(folder)(file)


_PRINT_PLACES = """\
import sys
from importlib.util import find_spec
if sys.path[:1] == [""]:
    del sys.path[0]  # the working folder: a script does not import from there
def places(name):
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return []
    return [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
print({name: places(name) for name in sys.argv[1:]})
"""
_EVERYWHERE = ("kohaku_ast", "kogine", "cloudpickle")
_registry = threading.RLock()
"""Guards cloudpickle's registry of modules to send by value, which all threads share."""

_places_there: dict[str, list[str]] = {}
"""Module -> its file and its folders in a fresh interpreter; none if it is not found there."""


def lacking_in_fresh(path0: str) -> list[ModuleType]:
    """The top-level modules and packages that a script in *path0* could not import in a fresh
    interpreter: they were found because of the way in which this process was started.
    """
    usual = {*map(os.path.realpath, sysconfig.get_paths().values()), os.path.realpath(path0)}
    doubtful = {name: one for name, one in _tops().items() if folder_of(one) not in usual}
    found = _find_fresh(doubtful)
    return [one for name, one in doubtful.items() if not _is_same(one, found[name])]


def lacking_elsewhere(path: Iterable[str], own: Sequence[str]) -> list[ModuleType]:
    """The top-level modules that were found in what the script, or its folder, has added to the
    search path *own*, and that *path*, of the process that has started this one, does not find.
    """
    usual = {os.path.realpath(one) for one in (*path, *own)}
    added = {os.path.realpath(one) for one in sys.path if isinstance(one, str)} - usual
    return [one for one in _tops().values() if folder_of(one) in added] if added else []


@contextmanager
def by_value(modules: Sequence[ModuleType]) -> Iterator[None]:
    """Inside, cloudpickle pickles functions and classes of *modules* as a whole, not by name."""
    import cloudpickle  # type: ignore[import-untyped]  # it has no types

    with _registry:
        others = cloudpickle.list_registry_pickle_by_value()
        new = [one for one in dict.fromkeys(modules) if one.__name__ not in others]
        for one in new:
            cloudpickle.register_pickle_by_value(one)
        try:
            yield
        finally:
            for one in new:
                cloudpickle.unregister_pickle_by_value(one)


def folder_of(module: ModuleType) -> str:
    """The folder from which *module*, a top-level one, can be imported; empty for none."""
    places = _places(module)
    return os.path.dirname(os.path.realpath(places[-1])) if places else ""


def _tops() -> dict[str, ModuleType]:
    """The top-level modules from files, without Python's own and ours."""
    skipped = {*sys.stdlib_module_names, *MAINS, *_EVERYWHERE}
    return {
        name: one
        for name, one in list(sys.modules.items())
        if "." not in name and name not in skipped and _is_usual(name, one)
    }


def _is_usual(name: str, module: ModuleType) -> bool:
    return getattr(module, "__name__", None) == name and bool(_places(module))


def _places(module: ModuleType) -> list[str]:
    """Its file and its folders, if it has any."""
    try:
        names = vars(module)
        places = [names.get("__file__"), *names.get("__path__", ())]
    except Exception:  # anything can stand in sys.modules
        return []
    return [one for one in places if isinstance(one, str)]


def _is_same(module: ModuleType, places: Sequence[str]) -> bool:
    found = {os.path.realpath(one) for one in places}
    return bool(found) and found == {os.path.realpath(one) for one in _places(module)}


def _find_fresh(names: Iterable[str]) -> dict[str, list[str]]:
    """Module -> its file and folders in a fresh interpreter; none if that one finds nothing."""
    new = [name for name in names if name not in _places_there]
    if new:
        import subprocess

        done = subprocess.run(
            [*interpreter(), "-c", _PRINT_PLACES, *new], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, text=True,
        )  # fmt: skip
        _places_there.update({name: [] for name in new})
        if done.returncode == 0:
            from ast import literal_eval

            places_of = literal_eval(done.stdout)
            _places_there.update(
                {name: list(filter(None, places)) for name, places in places_of.items()}
            )
    return {name: _places_there[name] for name in names}
