"""What a script that runs inside this process borrows of it, and how it is given back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from kohaku_ast.runner.launch import Launch

_MAINS = ("__main__", "__mp_main__")


@contextmanager
def borrowed(module: ModuleType, launch: Launch) -> Iterator[None]:
    """``__main__``, ``sys.argv``, ``sys.path`` and the working folder belong to *module* inside.

    Modules of the script's own folder that are imported inside are forgotten after, so that
    the next run reads them anew; libraries stay.
    """
    mains = {name: sys.modules.get(name) for name in _MAINS}
    argv, path, folder = sys.argv, list(sys.path), os.getcwd()
    finders, before = list(sys.meta_path), set(sys.modules)
    sys.argv = launch.argv
    sys.path.insert(0, launch.path0)
    sys.modules["__main__"] = module
    if mains["__mp_main__"] is not None:
        sys.modules["__mp_main__"] = module
    try:
        yield
    finally:
        _forget_local(set(sys.modules) - before, launch.path0)
        for name, main in mains.items():
            if main is not None:
                sys.modules[name] = main
        sys.argv, sys.path[:], sys.meta_path[:] = argv, path, finders
        os.chdir(folder)


def _forget_local(names: set[str], folder: str) -> None:
    """Drop the modules of *names* that lie in the script's folder and not in a library."""
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and _is_below(file, folder) and "site-packages" not in file:
            del sys.modules[name]


def _is_below(file: str, folder: str) -> bool:
    return os.path.realpath(file).startswith(os.path.join(os.path.realpath(folder), ""))
