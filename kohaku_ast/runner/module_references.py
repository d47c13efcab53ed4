"""Values of a config that refer to modules beside the script.

The config has imported these modules for itself; the script imports them again, in every run. An
edited script would have one module where these are two. So such a value is pickled, and unpickled
with the script's own modules at its place in the script.
"""

from __future__ import annotations

import marshal
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from importlib.machinery import PathFinder
from io import BytesIO
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import cloudpickle  # type: ignore[import-untyped]  # it has no types

from kohaku_ast.frames import contextmanager
from kohaku_ast.runner.launch import folders_of
from kohaku_ast.runner.local_modules import find_local
from kohaku_ast.transform import shared_path
from kohaku_ast.transform.program.bound_program import Pickled, is_plain

if TYPE_CHECKING:
    from kohaku_ast.config.config import Config
    from kohaku_ast.runner.launch import Launch


def refer_to_script_modules(
    values: Mapping[str, object], config: Config, launch: Launch
) -> dict[str, object]:
    """*values*, with a Pickled for each one that refers to a module which the script imports."""
    result = dict(values)
    for siblings in config.siblings:
        for modules in siblings.folders():
            result |= _pickled(result, modules, launch)
    if all(map(is_plain, result.values())):
        return result
    # Modules of this process are hidden from a script that runs in it. A function or class of such
    # a module is pickled; an object is not: it is the caller's, who may look into it afterwards.
    local = {name: sys.modules[name] for name in find_local(sys.modules, launch.path0)}
    return result | _pickled(result, local, launch, only_names=True)


def _pickled(
    values: Mapping[str, object], modules: Modules, launch: Launch, only_names: bool = False
) -> dict[str, Pickled]:
    """The Pickled of those of *values* that refer to *modules*."""
    if not modules:
        return {}
    with _visible(modules):
        names = names_of(modules)
        parts: list[_Part] = []
        for name, value in values.items():
            if type(value) is not Pickled and (id(value) in names or not is_plain(value)):
                part = _part({name: value}, modules, names)
                if part and not (only_names and part.objects) and _are_found(part.named, launch):
                    parts.append(part)
        joined = [_joined(group, modules, names) for group in _groups(parts)]
    return {
        name: Pickled(part.data, name, value)
        for part in joined
        for name, value in part.values.items()
    }


class _Part:
    """Values pickled together."""

    def __init__(self, values: Mapping[str, object], pickler: NamingPickler) -> None:
        self.values = values
        self.data = pickler.file.getvalue()
        self.named, self.objects = pickler.named, pickler.objects


def _part(values: Mapping[str, object], modules: Modules, names: Names) -> _Part | None:
    """*values* pickled; None if they cannot be pickled, or refer to none of *modules*."""
    pickler = NamingPickler(modules, names)
    try:
        # pickle does not call reducer_override for a list, which may be a global of the module.
        pickler.dump({name: names.get(id(value), value) for name, value in values.items()})
    except Exception:  # whatever the values' own classes raise: such a value stays as it is
        return None
    return _Part(values, pickler) if pickler.named else None


def _groups(parts: list[_Part]) -> list[list[_Part]]:
    """*parts* in groups: those with an object in common are pickled together, so that it stays
    one object.
    """
    groups: list[list[_Part]] = []
    for part in parts:
        joined = [one for one in groups if any(part.objects & other.objects for other in one)]
        groups = [one for one in groups if one not in joined]
        groups.append([*(inner for one in joined for inner in one), part])
    return groups


def _joined(group: list[_Part], modules: Modules, names: Names) -> _Part:
    if len(group) == 1:
        return group[0]
    values = {name: value for part in group for name, value in part.values.items()}
    return _part(values, modules, names) or group[0]


@contextmanager
def _visible(modules: Modules) -> Iterator[None]:
    """Inside, pickle finds *modules* by their names."""
    modules = {name: one for name, one in modules.items() if sys.modules.get(name) is not one}
    before = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(before)


def _are_found(names: set[str], launch: Launch) -> bool:
    """Whether the script's own imports find the same files for these modules."""
    return all(_is_found(sys.modules[name.partition(".")[0]], launch) for name in names)


def _is_found(module: ModuleType, launch: Launch) -> bool:
    # Not in our first folder, which is that of the flow's caller: the script has its own there.
    spec = PathFinder.find_spec(module.__name__, [*folders_of(launch), *shared_path()])
    if spec is None:
        return False
    own = getattr(module, "__file__", None)
    if own and spec.origin:
        return bool(os.path.realpath(own) == os.path.realpath(spec.origin))
    return set(spec.submodule_search_locations or ()) == set(getattr(module, "__path__", ()))


Modules = Mapping[str, ModuleType]
PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
"""Classes of values whose identity nobody asks for: equal is as good as the same."""

_UNSHARED = (*PLAIN, tuple, frozenset, type, FunctionType, BuiltinFunctionType, ModuleType)
_TRACKED: Mapping[type, str] = getattr(
    cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", {}
)


class ModuleGlobal:
    """A global of a module, which is pickled by its name."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self.module, self.name = module, name

    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (self.module, self.name)


Names = Mapping[int, ModuleGlobal]
"""Identity of an object -> the global that it is."""


def names_of(modules: Modules) -> Names:
    """The objects that are globals of *modules*; pickle names classes and functions itself."""
    return {
        id(value): ModuleGlobal(module, name)
        for module in modules.values()
        for name, value in vars(module).items()
        if not (name.startswith("__") or isinstance(value, _UNSHARED))
    }


class PlacePickler(cloudpickle.CloudPickler):  # type: ignore[misc]
    """Pickles code with the name of its file, which cloudpickle leaves out: tracebacks of another
    process show the user's lines.
    """

    def reducer_override(self, value: Any) -> Any:
        """How *value* is pickled; pickle calls it for all but plain values and containers."""
        if type(value) is CodeType:
            try:
                # Version 2: equal code has equal bytes, by which a worker knows what it has.
                return marshal.loads, (marshal.dumps(value, 2),)
            except ValueError:  # a constant that marshal does not know
                return NotImplemented
        return super().reducer_override(value)


def dumps_with_places(value: object) -> bytes:
    """*value* pickled by a PlacePickler, for a process with the same version of Python."""
    file = BytesIO()
    PlacePickler(file).dump(value)
    return file.getvalue()


class NamingPickler(PlacePickler):
    """Pickles *modules* and their globals by name; they have to be in ``sys.modules``."""

    def __init__(self, modules: Modules, names: Names) -> None:
        self.file = BytesIO()
        super().__init__(self.file)
        self.modules, self.names = modules, names
        #: The names of those modules that the bytes refer to.
        self.named: set[str] = set()
        #: Identities of the objects that are in the bytes.
        self.objects: set[int] = set()

    def reducer_override(self, value: Any) -> Any:
        """How *value* is pickled; pickle calls it for all but plain values and containers."""
        if id(value) in self.names:
            return self.names[id(value)].__reduce__()
        if isinstance(value, ModuleType) and self.modules.get(value.__name__) is value:
            self.named.add(value.__name__)
            return __import__, (value.__name__, None, None, ["__name__"])
        made = super().reducer_override(value)
        if made is NotImplemented and isinstance(value, (type, FunctionType)):
            self.named.update({value.__module__} & self.modules.keys())
        elif not (isinstance(value, BuiltinFunctionType) or _is_member(value)):
            self.objects.add(id(value))
        return _untracked(value, made) if isinstance(value, type) else made


def _is_member(value: object) -> bool:
    """Whether *value* is a member of an enum, which belongs to its class."""
    members = getattr(type(value), "__members__", None)
    return isinstance(members, Mapping) and value in members.values()


def _untracked(value: type, made: Any) -> Any:
    """*made*, for a class that is pickled as a whole, under a new mark: by the old one cloudpickle
    would find the very same class in this process, with the bases that it had before.
    """
    mark = _TRACKED.get(value)
    if mark is None or not isinstance(made, tuple):
        return made
    new = uuid.uuid4().hex
    return made[0], tuple(new if one == mark else one for one in made[1]), *made[2:]
