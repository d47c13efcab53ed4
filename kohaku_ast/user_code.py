"""Which code is the user's own and which a library's, and the version of a library."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from hashlib import blake2b
from types import FunctionType, ModuleType
from typing import Any

_OURS = os.path.dirname(os.path.abspath(__file__))
_PYTHON = (os.path.dirname(os.__file__), os.path.dirname(os.path.realpath(os.__file__)))
_LIBRARIES = tuple(folder + os.sep for folder in (_OURS, *_PYTHON))
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
    if is_local_name(cls.__module__):
        return False
    return not cls.__flags__ & _MADE_BY_PYTHON or is_defined_by_library(cls)


def is_defined_by_library(thing: Any) -> bool:
    """Whether a library has *thing* under its own name."""
    module = sys.modules.get(thing.__module__ or "")
    if module is None or is_local_module(module):
        return False
    found: Any = module
    for part in thing.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is thing


def is_local_name(name: str) -> bool:
    """Whether the loaded module *name* is the user's own."""
    module = sys.modules.get(name)
    return module is None or is_local_module(module)


def is_local_module(module: ModuleType) -> bool:
    """Whether the user wrote *module*: a file, a folder, a notebook, the prompt."""
    if module.__name__ in sys.builtin_module_names:
        return False
    path = getattr(module, "__file__", None)
    if isinstance(path, str):
        return is_local_file(path)
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.origin in ("built-in", "frozen"):
        return False
    folders = list(getattr(module, "__path__", ()))
    if folders:
        return all(is_local_file(os.path.join(folder, "x.py")) for folder in folders)
    if "__builtins__" in vars(module):  # Python code ran in it: a notebook, the prompt, exec
        return True
    if spec is not None or module.__name__.startswith("_cython_"):  # Cython's types are in there
        return False
    # ModuleType("settings") was called by the library that has a package of the name, or the user.
    package = sys.modules.get(module.__name__.partition(".")[0])
    return package is None or package is module or is_local_module(package)


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
    path = getattr(loaded, "__file__", None)
    if path and is_local_file(path) and not path.endswith(".py"):
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
    found = getattr(sys.modules.get(package), "__version__", "")
    return ", ".join(versions) or (found if isinstance(found, str) else "")
