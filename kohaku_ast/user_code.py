"""Which code is the user's own and which a library's, and the version of a library."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any

_OURS = os.path.dirname(os.path.abspath(__file__))
_PYTHON = (os.path.dirname(os.__file__), os.path.dirname(os.path.realpath(os.__file__)))
OUR_FOLDER = os.path.join(_OURS, "")
GENERATED_FILE = "<pipeline of kohaku_ast>"
"""The file name of the generated code of pipelines in tracebacks."""
_LIBRARIES = (OUR_FOLDER, *(folder + os.sep for folder in _PYTHON))
_MADE_BY_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE


@lru_cache(maxsize=4096)
def is_local_file(path: str) -> bool:
    """Whether *path* is neither the standard library nor an installed package.

    Code without a file (``<stdin>``, a cell of a notebook) is the user's own; so is a package in an
    editable install.
    """
    if path.startswith("<frozen"):
        return False
    parts = path.replace("\\", "/").split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    return not path.startswith(_LIBRARIES)


def is_local_function(function: FunctionType) -> bool:
    """Whether the user wrote *function*."""
    if not is_local_file(function.__code__.co_filename):
        return False
    # Generated code (`<string>`) belongs to the module that made it.
    return not function.__code__.co_filename.startswith("<") or is_local_name(
        function.__module__ or "__main__"
    )


def is_library_function(function: FunctionType) -> bool:
    """Whether name and version identify *function*: its library has it under that name. A wrapper
    that a library makes around a user's function is none.
    """
    return not is_local_function(function) and is_defined_by_library(function)


def is_library_class(cls: type) -> bool:
    """The same for a class. A class that a library made at run time is none."""
    if is_local_name(home_of(cls)):
        return False
    return not is_made_by_python(cls) or is_defined_by_library(cls)


def is_defined_by_library(thing: Any) -> bool:
    """Whether a library has *thing* under its own name."""
    module = sys.modules.get(home_of(thing))
    if module is None or is_local_module(module):
        return False
    found: Any = module
    for part in name_of(thing).split("."):
        held = held_by(found)
        found = held[part] if part in held else asked(found, part)
    return found is thing


def asked(owner: object, name: str) -> Any:
    """What *owner* answers for *name*; None if it raises, whatever that is."""
    try:
        return getattr(owner, name, None)
    except Exception:  # of a property or a __getattr__ of the user's
        return None


_CLASSES = vars(type)


def held_by(value: object) -> dict[str, Any]:
    """The attributes that *value* itself has. No code of its class runs: an object that a library
    makes lazily may raise anything, or import modules, when somebody asks it for an attribute.
    """
    for cls in _CLASSES["__mro__"].__get__(type(value)):
        own = _CLASSES["__dict__"].__get__(cls).get("__dict__")
        if own is not None:
            is_pythons = type(own) in (GetSetDescriptorType, MemberDescriptorType)
            found = own.__get__(value) if is_pythons else None
            return found if type(found) is dict else {}
    return {}


def attribute(value: object, name: str) -> Any:
    """An attribute of *value* or its class, as it is stored; None if there is none."""
    held = held_by(value)
    if name in held:
        return held[name]
    classes = map(_CLASSES["__dict__"].__get__, _CLASSES["__mro__"].__get__(type(value)))
    return next((names[name] for names in classes if name in names), None)


def is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
    """As ``isinstance``, which asks lazy objects for their ``__class__``."""
    return issubclass(type(value), kinds)


def home_of(thing: Any) -> str:
    """The module of a class or function, by its name; empty if it has none."""
    found = _CLASSES["__module__"].__get__(thing) if is_a(thing, type) else thing.__module__
    return found if type(found) is str else ""


def is_local_name(name: str) -> bool:
    """Whether the loaded module *name* is the user's own."""
    module = sys.modules.get(name)
    return module is None or is_local_module(module)


def is_local_module(module: ModuleType) -> bool:
    """Whether the user wrote *module*: a file, a folder, a notebook, the prompt."""
    name = str(attribute(module, "__name__") or "")
    if name in sys.builtin_module_names:
        return False
    path = attribute(module, "__file__")
    if isinstance(path, str):
        return is_local_file(path)
    spec = attribute(module, "__spec__")
    if spec is not None and attribute(spec, "origin") in ("built-in", "frozen"):
        return False
    folders = _folders(module)
    if folders:
        return all(is_local_file(os.path.join(folder, "x.py")) for folder in folders)
    if "__builtins__" in held_by(module):  # Python code ran in it: a notebook, the prompt, exec
        return True
    if spec is not None or name.startswith("_cython_"):  # Cython's types are in there
        return False
    # ModuleType("settings") was called by the library that has a package of the name, or the user.
    package = sys.modules.get(name.partition(".")[0])
    return package is None or package is module or is_local_module(package)


def _folders(module: object) -> list[str]:
    found = attribute(module, "__path__")
    try:
        return [one for one in found or () if isinstance(one, str)]
    except Exception:  # anything can stand in sys.modules
        return []


def name_of(thing: Any) -> str:
    """The qualified name of a class or function."""
    is_class = is_a(thing, type)
    return str(_CLASSES["__qualname__"].__get__(thing) if is_class else thing.__qualname__)


def is_made_by_python(cls: type) -> bool:
    """Whether a ``class`` statement, not C, made *cls*: its attributes can be set."""
    return bool(_CLASSES["__flags__"].__get__(cls) & _MADE_BY_PYTHON)


def is_stdlib(module: str) -> bool:
    """Whether the module *module* comes with Python."""
    return module.partition(".")[0] in sys.stdlib_module_names


def library_label(module: str, name: str = "") -> str:
    """What identifies an object of a library: its name and the version of the distribution. For a
    compiled module of the user's own, it is the digest of the file.
    """
    return f"{module}.{name} {_version(module)}"


@lru_cache(maxsize=4096)
def _version(module: str) -> str:
    loaded = sys.modules.get(module)
    path = attribute(loaded, "__file__")
    if isinstance(path, str) and is_local_file(path) and not path.endswith(".py"):
        from hashlib import blake2b  # it loads OpenSSL

        with open(path, "rb") as file:
            return blake2b(file.read(), digest_size=16).hexdigest()
    return distribution_version(module.partition(".")[0])


@lru_cache(maxsize=1024)
def distribution_version(package: str) -> str:
    """The version of the top-level package *package*, loaded or not. It is empty for the standard
    library, since Python's version is in every key.
    """
    if is_stdlib(package):
        return ""
    return _installed().get(_normalized(package)) or _version_by_metadata(package)


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    """Distribution -> version, by the names of folders: 0.1 ms, importlib.metadata takes 40."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            stem, kind = os.path.splitext(name)
            if kind in (".dist-info", ".egg-info"):
                distribution, _, version = stem.partition("-")
                found.setdefault(_normalized(distribution), version)
    return found


def _normalized(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _version_by_metadata(package: str) -> str:
    """The versions of the distributions that contain *package* but have another name."""
    from importlib import metadata

    names = metadata.packages_distributions().get(package, ())
    versions = [f"{name} {metadata.version(name)}" for name in sorted(set(names))]
    found = attribute(sys.modules.get(package), "__version__")
    return ", ".join(versions) or (found if isinstance(found, str) else "")
