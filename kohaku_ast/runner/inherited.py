"""In a forked process: state of libraries that no two processes should share."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def renew_inherited() -> None:
    """As if each library that is loaded had been imported just now. (``random`` does it itself.)"""
    for name, renew in _RENEW.items():
        module = sys.modules.get(name)
        if module is not None:
            try:
                renew(module)
            except Exception:
                pass  # another version of the library: it keeps what it has


def _numpy_random(module: ModuleType) -> None:
    """Seeded from the system when it was imported: all runs would draw the same numbers."""
    module.seed()


def _logging(module: ModuleType) -> None:
    """``%(relativeCreated)d`` counts from here."""
    import time

    is_ns = sys.version_info >= (3, 13)
    vars(module)["_startTime"] = time.time_ns() if is_ns else time.time()


def _processes(module: ModuleType) -> None:
    """The key that the script's own processes know each other by."""
    config = module._main_process._config if hasattr(module, "_main_process") else None
    config = config or module.current_process()._config
    config["authkey"] = module.AuthenticationString(os.urandom(32))


_RENEW = {
    "numpy.random": _numpy_random,
    "logging": _logging,
    "multiprocessing.process": _processes,
}
