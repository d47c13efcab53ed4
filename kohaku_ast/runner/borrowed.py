"""What a script that runs inside this process borrows of it, and how it is given back.

Threads that go on and what a script does to libraries are not borrowed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from kohaku_ast.runner.borrowed_logging import own_logging
from kohaku_ast.runner.borrowed_things import read_things, write_things
from kohaku_ast.runner.children import give_back, hand_on, spawners
from kohaku_ast.runner.event_loop import outside_loop
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.local_modules import MAINS, LocalModules, find_local
from kohaku_ast.runner.prepared import Prepared


class Borrowed:
    """The process, lent to one script as often as it needs it.

    The script's own side is kept in between: its guard finds ``sys.path``, its handlers and its
    modules as its module body left them. Not for two threads at once.
    """

    def __init__(
        self,
        module: ModuleType,
        launch: Launch,
        prepared: Prepared,
        argv: Sequence[str],
        local: LocalModules | None = None,
    ) -> None:
        """*local* remembers from run to run which modules are the script's own."""
        self.module, self.launch, self.prepared = module, launch, prepared
        self.argv = list(argv)
        self.local = local or LocalModules(launch.path0)
        #: The script's side: None until it has run for the first time.
        self.state: list[Any] | None = None
        #: The modules that are the script's own.
        self.modules: dict[str, ModuleType] = {}

    @contextmanager
    def inside(self) -> Iterator[None]:
        """``__main__``, ``sys.argv``, ``sys.path`` and all the rest are the script's inside."""
        with (
            outside_loop(),
            own_logging(),
            self._modules(),
            self._state(),
            handed_on(self.prepared),
        ):
            yield

    @contextmanager
    def _state(self) -> Iterator[None]:
        host = read_things()
        try:
            if self.state is None:
                self._start()
            else:
                write_things(self.state)
            yield
        finally:
            self.state = read_things()
            write_things(host)

    def _start(self) -> None:
        sys.argv = self.argv
        sys.path.insert(0, self.launch.path0)
        sys.path_importer_cache.pop(self.launch.path0, None)  # files may have been added since

    @contextmanager
    def _modules(self) -> Iterator[None]:
        """Modules of the script's own folder that this process has imported are hidden inside,
        and those that the script imports are forgotten after; libraries stay.
        """
        host = dict(sys.modules)
        for name in self.local.find(host):
            del sys.modules[name]
        sys.modules.update(self.modules)
        for name in MAINS:
            if name in host:
                sys.modules[name] = self.module
        try:
            yield
        finally:
            self.modules = _changed(host, self.launch.path0)
            for name in self.modules:
                del sys.modules[name]
            sys.modules.update(host)


@contextmanager
def handed_on(prepared: Prepared) -> Iterator[None]:
    """The overrides are in force in modules and children inside."""
    finders, functions = list(sys.meta_path), spawners()
    give_back({})  # another script may be running: its children are not ours
    hand_on(prepared)
    added = [one for one in sys.meta_path if one not in finders]
    try:
        yield
    finally:
        sys.meta_path[:] = [one for one in sys.meta_path if one not in added]
        give_back(functions)


def _changed(host: Mapping[str, ModuleType], folder: str) -> dict[str, ModuleType]:
    """The modules that are not as in *host*, less the libraries that are new."""
    now = dict(sys.modules)
    if now | {name: host[name] for name in MAINS if name in host} == host:
        return {}  # quickly: of a short run, looking at each of a thousand is a tenth
    new = {name: module for name, module in now.items() if name not in host}
    local = find_local(new, folder)
    return {
        name: module
        for name, module in now.items()
        if name in local or host.get(name, module) is not module
    }
