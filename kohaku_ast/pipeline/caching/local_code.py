"""Which code is the user's own, to be followed, and which a library's, known by its version."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from types import FunctionType, ModuleType

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PYTHON = (os.path.dirname(os.__file__), os.path.dirname(os.path.realpath(os.__file__)))
_LIBRARIES = tuple(folder + os.sep for folder in (_OURS, *_PYTHON))


@lru_cache(maxsize=4096)
def is_local_file(path: str) -> bool:
    """Whether *path* is neither the standard library nor an installed package.

    What has no file (``<stdin>``, a cell of a notebook) is the user's own; so is a package that
    is installed for editing.
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
    # Generated code (`<string>`) belongs to whoever made it.
    return not function.__code__.co_filename.startswith("<") or is_local_name(
        function.__module__ or "__main__"
    )


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
    return "__builtins__" in vars(module)  # Python code ran in it: a notebook, the prompt, exec


def library_label(module: str, name: str = "") -> str:
    """How a thing of a library counts: its name, and the version of its distribution."""
    return f"{module}.{name} {_version(module.partition('.')[0])}"


@lru_cache(maxsize=1024)
def _version(package: str) -> str:
    """The version of the top package *package*; nothing for the standard library."""
    if package in sys.stdlib_module_names:
        return ""  # every key holds Python's version
    found = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(found, str):
        return found
    from importlib import metadata  # 36 ms, and only a package without __version__ needs it

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
