"""A pickler that notes which modules the bytes name, and which objects are in them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from io import BytesIO
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]  # it has no types

Modules = Mapping[str, ModuleType]
PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
"""Classes of values that are equal or not, and never the same or not."""

_UNSHARED = (*PLAIN, tuple, frozenset, type, FunctionType, BuiltinFunctionType, ModuleType)
_TRACKED: Mapping[type, str] = getattr(
    cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", {}
)


class Named:
    """A global of a module, pickled by its name."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self.module, self.name = module, name

    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (self.module, self.name)


Names = Mapping[int, Named]
"""Identity of an object -> the global that it is."""


def names_of(modules: Modules) -> Names:
    """The objects that are globals of *modules*; classes and functions have names anyway."""
    return {
        id(value): Named(module, name)
        for module in modules.values()
        for name, value in vars(module).items()
        if not (name.startswith("__") or isinstance(value, _UNSHARED))
    }


class NamingPickler(cloudpickle.CloudPickler):  # type: ignore[misc]
    """Pickles things of *modules* by their names; these have to be in ``sys.modules``."""

    def __init__(self, modules: Modules, names: Names) -> None:
        self.file = BytesIO()
        super().__init__(self.file)
        self.modules, self.names = modules, names
        #: Those of the modules that the bytes name.
        self.named: set[str] = set()
        #: Identities of the objects that are in the bytes.
        self.held: set[int] = set()

    def reducer_override(self, value: Any) -> Any:
        """How *value* is pickled: asked by pickle for all but plain values and containers."""
        if id(value) in self.names:
            return self.names[id(value)].__reduce__()
        if isinstance(value, ModuleType) and self.modules.get(value.__name__) is value:
            self.named.add(value.__name__)
            return __import__, (value.__name__, None, None, ["__name__"])
        made = super().reducer_override(value)
        if made is NotImplemented and isinstance(value, (type, FunctionType)):
            self.named.update({value.__module__} & self.modules.keys())
        elif not (isinstance(value, BuiltinFunctionType) or _is_member(value)):
            self.held.add(id(value))
        return _untracked(value, made) if isinstance(value, type) else made


def _is_member(value: object) -> bool:
    """Whether *value* is one of those that its class holds itself: of an enum."""
    members = getattr(type(value), "__members__", None)
    return isinstance(members, Mapping) and value in members.values()


def _untracked(value: type, made: Any) -> Any:
    """*made* for a class that is pickled whole. Where it was made, cloudpickle would give back
    that very class, with its bases of another time.
    """
    mark = _TRACKED.get(value)
    if mark is None or not isinstance(made, tuple):
        return made
    new = uuid.uuid4().hex
    return made[0], tuple(new if one == mark else one for one in made[1]), *made[2:]
