"""Folders: the stores that the web view shows, by name, and what is known of their runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kohaku_ast.errors import UsageError, unknown
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.store import Runs, Store

if TYPE_CHECKING:
    from starlette.requests import Request

_FRESH = 0.5
"""Seconds for which several requests of one page see the same runs."""


class Folders:
    """The stores below the *paths* that the user has named: of projects, or stores themselves."""

    def __init__(self, paths: Sequence[str]) -> None:
        roots = [*dict.fromkeys(_root_of(one) for one in paths or (".",))]
        #: Name -> store, in the order of the command line.
        self.stores: dict[str, Store] = {}
        for root in roots:
            self.stores[_name_of(root, self.stores)] = Store(root)

    def store(self, name: str = "") -> Store:
        """The store *name*, or the first one. Raises UsageError."""
        if name and name not in self.stores:
            raise UsageError(unknown("store", name, self.stores))
        return self.stores[name] if name else next(iter(self.stores.values()))


def _root_of(path: str) -> Path:
    """The store at *path*. Raises UsageError if there is no folder."""
    folder = Path(os.path.abspath(path))
    if not folder.is_dir():
        raise UsageError(f"there is no folder {path!r}")
    is_store = folder.parts[-2:] == RUNS.parts or (
        (folder / ".gitignore").is_file()
        and not (folder / RUNS).is_dir()
        and any(folder.glob("*/run.json"))
    )
    return folder if is_store else folder / RUNS


def _name_of(root: Path, taken: dict[str, Store]) -> str:
    """The name of the project of the store *root*, unlike those that are *taken*."""
    own = root.parent.parent if root.parts[-2:] == RUNS.parts else root
    name, number = own.name or "store", 1
    found = name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


# --- of a request --------------------------------------------------------------------------------


def whole_store_of(request: Request) -> Store:
    """The store that *request* is about."""
    folders: Folders = request.app.state.folders
    return folders.store(request.query_params.get("store", ""))


def store_of(request: Request) -> Store:
    """The same; with ``trash=1`` that of its removed runs."""
    store = whole_store_of(request)
    return store.removed if request.query_params.get("trash") else store


def every_run(request: Request) -> Runs:
    """All runs of that store, the newest first; as they were half a second ago, at most."""
    recent: Recent = request.app.state.recent
    return recent.runs(store_of(request))


class Recent:
    """The runs of stores, read once for the requests of one page."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[Path, tuple[float, Runs]] = {}

    def runs(self, store: Store) -> Runs:
        """All runs of *store*, the newest first."""
        with self._lock:
            then, runs = self._found.get(store.root, (-_FRESH, None))
            if runs is None or time.monotonic() - then > _FRESH:
                runs = store.runs()
                self._found = {store.root: (time.monotonic(), runs)}
            return runs

    def forget(self) -> None:
        """Something was changed: read all again."""
        with self._lock:
            self._found = {}
