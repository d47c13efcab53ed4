"""Our own modules in ``sys.modules``, and those that a script does not get, because its own have
their names. On the warm path.

State of this process: ``_hidden``, ``_depth``.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock  # threading loads more

from kohaku_ast.frames import keep_builtins
from kohaku_ast.runner import STARTED_WITH

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

_exists, _join = os.path.exists, os.path.join  # bound here: the script may change them

_hidden: dict[str, ModuleType] = {}
"""Modules of ours that are out of the script's sight."""

_depth: list[None] = []
"""One entry for each call of ``in_sight`` that runs now."""

_lock = RLock()


def loaded_by_us() -> set[str]:
    """The names of the modules that this process has loaded for us."""
    return {*sys.modules} - STARTED_WITH | {*own_modules()}


def own_modules() -> dict[str, ModuleType]:
    """Our own modules by name: a script may have modules of these names."""
    return {name: one for name, one in sys.modules.items() if is_own_name(name)}


def is_own_name(name: str) -> bool:
    """Whether a module called *name* may be ours."""
    return name.partition(".")[0] in _OURS


_OURS = ("kogine", "kohaku_ast")


def shadowed_by(folders: Sequence[str], names: Iterable[str]) -> set[str]:
    """The top-level *names* of loaded modules for which one of *folders* has a file of the same
    name before it has that of the module itself.
    """
    tops = {name.partition(".")[0] for name in names}
    return {top for top in tops if top in sys.modules and _is_shadowed(folders, top)}


def _is_shadowed(folders: Sequence[str], name: str) -> bool:
    if name.startswith("_"):
        return False
    for folder in folders:
        path = _join(folder, name)
        if _exists(path + ".py") or _exists(_join(path, "__init__.py")):
            # Not if it is that very module: the script may lie in the standard library.
            return not (getattr(sys.modules[name], "__file__", None) or "").startswith(path)
    return False


def hide_shadowed(folders: Sequence[str], names: Iterable[str]) -> None:
    """Let the script import its own ``inspect.py`` from *folders*, although we have imported
    Python's. *names* are those of modules that it may stand for.
    """
    names = {*names}
    tops = shadowed_by(folders, names)
    for name in names:
        if name.partition(".")[0] in tops:
            module = sys.modules.pop(name)
            if is_own_name(name):
                _hidden[name] = module


def hide_own(folders: Sequence[str]) -> None:
    """Hide our own modules from a script that has a module of the name of ours in *folders*."""
    # Each inline run of a sweep passes here: a look at all modules would be a tenth of its time.
    if shadowed_by(folders, _OURS):
        hide_shadowed(folders, own_modules())


def show_own() -> None:
    """Put our own modules in the place of the script's, for the rest of the process."""
    sys.modules.update(_hidden)
    _hidden.clear()


def in_sight(act: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What *act* returns, which is called while our own modules stand in ``sys.modules``: it may
    import others of ours, or pickle what they define, while the script runs.
    """
    if not _hidden:
        return act(*args, **kwargs)
    with _lock:
        tops = {name.partition(".")[0] for name in _hidden}
        theirs = {} if _depth else _exchange(tops, _hidden)
        _depth.append(None)
        try:
            return act(*args, **kwargs)
        finally:
            _depth.pop()
            if not _depth:
                _hidden.update(_exchange(tops, theirs))


def _exchange(tops: set[str], new: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """Put *new* in the place of the modules in the packages *tops*, and return those."""
    names = [name for name in sys.modules if name.partition(".")[0] in tops]
    before = {name: sys.modules.pop(name) for name in names}
    sys.modules.update(new)
    return before
