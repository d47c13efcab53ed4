"""Siblings: the modules that config files import from their own folders.

A config and a script may each have a module ``helpers`` beside them. Python keeps one module of a
name, so the config's own is taken out whenever other code runs.

State of this process: ``sys.modules`` and ``sys.path`` are changed while code of a config runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import ModuleType

from kohaku_ast.frames import contextmanager


class Siblings:
    """The modules that configs of one load have imported from their own folders.

    The script may have another module of the same name, or runs that module under overrides. So
    they are in ``sys.modules`` only while code of a config runs, the same objects each time.
    """

    def __init__(self) -> None:
        #: The modules that were loaded before the first config: they are no siblings.
        self._others = {name.partition(".")[0] for name in sys.modules}
        self._kept: dict[str, dict[str, ModuleType]] = {}
        self._open: list[str] = []
        #: The config files of the load, in full, their bases, and tables of trials.
        self.configs: list[str] = []

    @classmethod
    def of_files(cls, *paths: str) -> Siblings:
        """Those of files that import nothing."""
        made = cls()
        made.configs += map(os.path.abspath, paths)
        return made

    @contextmanager
    def visible(self, folder: str, module: ModuleType) -> Iterator[None]:
        """Inside, modules of *folder* can be imported, and write no bytecode there.

        *module* is in ``sys.modules`` too: a dataclass looks up its own module there.
        """
        path, flag, outer = list(sys.path), sys.dont_write_bytecode, self._open[-1:]
        for one in outer:
            self._kept[one].update(self._take(one))
        kept = self._kept.setdefault(folder, {})
        hidden = _put({**kept, module.__name__: module})
        newest = next(reversed(sys.modules))
        self._open.append(folder)
        sys.path.insert(0, folder)
        sys.dont_write_bytecode = True
        try:
            yield
        finally:
            sys.path[:] = path
            sys.dont_write_bytecode = flag
            self._open.pop()
            self._take_back(folder, module, newest)
            sys.modules.update(hidden)
            for one in outer:
                sys.modules.update(self._kept[one])

    def folders(self) -> list[dict[str, ModuleType]]:
        """The modules of each folder that has any, by their names."""
        return [dict(modules) for modules in self._kept.values() if modules]

    def files(self) -> list[str]:
        """The config files, their bases, and the modules of both from their own folders."""
        modules = [one for modules in self.folders() for one in modules.values()]
        found = [str(vars(one).get("__file__") or "") for one in modules]
        return [*dict.fromkeys([*self.configs, *filter(None, found)])]

    def __reduce__(self) -> tuple[object, ...]:
        return Siblings, ()  # modules stay in their process

    def __deepcopy__(self, memo: object) -> Siblings:
        return self

    def _take_back(self, folder: str, module: ModuleType, newest: str) -> None:
        kept = self._kept[folder]
        if next(reversed(sys.modules)) == newest:
            # Nothing was imported. A generator may be resumed 100,000 times: do not search through
            # a thousand modules each time.
            for name in (*kept, module.__name__):
                sys.modules.pop(name, None)
        else:
            kept.update(self._take(folder))
        if kept.get(module.__name__) is module:
            del kept[module.__name__]  # a config: importing its file makes another module

    def _take(self, folder: str) -> dict[str, ModuleType]:
        """Remove the siblings in *folder* from ``sys.modules``."""
        tops = {name for name in sys.modules if self._is_sibling(name, folder)}
        found = [name for name in sys.modules if name.partition(".")[0] in tops]
        return {name: sys.modules.pop(name) for name in found}

    def _is_sibling(self, name: str, folder: str) -> bool:
        if "." in name or name in self._others:
            return False
        return folder in _places(sys.modules[name])


def _places(module: ModuleType) -> list[str]:
    """The folders that contain the file or the package folder of a top-level module."""
    paths = [*(getattr(module, "__path__", None) or ()), getattr(module, "__file__", None) or ""]
    return [os.path.dirname(path) for path in paths if isinstance(path, str)]


def _put(modules: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """Put *modules* into ``sys.modules``; return the modules that they replace."""
    hidden = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)
    return hidden
