"""Events: which runs of a store have changed, sent to open pages as they change (server-sent
events). One look at the store a second serves all pages.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from kohaku_ast.display.text import json_cell
from kohaku_ast.store.index import find_stamps
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import EVENT, LOG, NODES, SERIES
from kohaku_ast.web.folders import Recent, store_of

if TYPE_CHECKING:
    from kohaku_ast.store.store import Store

_PAUSE = 1.0
"""Seconds between two looks at a store; more if a look takes long."""
_SHARE = 10
"""A look takes at most one part in so many of the time."""
_MOST_NAMED = 200
"""Runs that an event names: after more of them a page reads all again."""
_BEAT = 15.0
"""Seconds after which something is sent, so that a closed connection is noticed."""
_GROWING = (LOG, SERIES, NODES, EVENT)
"""The files that change while a run is under way."""


class Watch:
    """What has changed in a store since the last look at it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stamps: dict[str, str] = {}
        #: Runs that are under way -> the stamp of their growing files.
        self._open: dict[str, str] = {}
        self.look()

    def look(self) -> list[str]:
        """The runs that are new, gone or changed since the last look."""
        stamps = find_stamps(self._root)
        before, self._stamps = self._stamps, stamps
        changed = {name for name, stamp in stamps.items() if before.get(name) != stamp}
        changed |= before.keys() - stamps.keys()
        for name in changed:
            self._open.pop(name, None)
            if name in stamps and self._is_running(name):
                self._open[name] = _growth(self._root / name)
        return sorted(changed | self._grown(changed))

    def _grown(self, changed: set[str]) -> set[str]:
        """The runs under way that have printed something, or have lost their process."""
        found = set()
        for name in self._open.keys() - changed:
            growth = _growth(self._root / name)
            if growth != self._open[name]:
                self._open[name] = growth
                found.add(name)
            elif not self._is_running(name):
                del self._open[name]
                found.add(name)
        return found

    def _is_running(self, name: str) -> bool:
        record = Record.read(self._root / name)
        return record is not None and record.status == "running"


def _growth(folder: Path) -> str:
    return " ".join(_stamp(folder / name) for name in _GROWING)


def _stamp(path: Path) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


class Watches:
    """The Watches of all stores that a page shows now, each looked at by one task."""

    def __init__(self) -> None:
        self._queues: dict[Path, set[asyncio.Queue[list[str]]]] = {}
        self._tasks: dict[Path, asyncio.Task[None]] = {}

    async def follow(self, store: Store, recent: Recent) -> AsyncIterator[list[str]]:
        """The names of the runs that change, from now on; empty lists as signs of life."""
        queue: asyncio.Queue[list[str]] = asyncio.Queue()
        root = store.root
        self._queues.setdefault(root, set()).add(queue)
        if root not in self._tasks:
            self._tasks[root] = asyncio.create_task(self._look(root, recent.forget))
        try:
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), _BEAT)
                except asyncio.TimeoutError:
                    yield []
        finally:
            self._queues[root].discard(queue)

    async def _look(self, root: Path, forget: Callable[[], None]) -> None:
        """Look at the store *root* as long as somebody follows it."""
        try:
            watch = await anyio.to_thread.run_sync(Watch, root)
            pause = _PAUSE
            while self._queues[root]:
                await asyncio.sleep(pause)
                start = time.monotonic()
                changed = await anyio.to_thread.run_sync(watch.look)
                pause = max(_PAUSE, _SHARE * (time.monotonic() - start))
                if changed:
                    forget()
                for queue in [*self._queues[root]] if changed else ():
                    queue.put_nowait(changed)
        finally:
            del self._tasks[root]


async def _send(request: Request, store: Store) -> AsyncIterator[bytes]:
    watches, recent = request.app.state.watches, request.app.state.recent
    yield b"retry: 2000\n\n"
    async for changed in watches.follow(store, recent):
        yield _event("change", {"runs": changed[:_MOST_NAMED], "all": len(changed) > _MOST_NAMED})


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    if not data.get("runs"):
        return b": still here\n\n"
    return f"event: {name}\ndata: {json_cell(data)}\n\n".encode()


async def follow_runs(request: Request) -> Response:
    """The changes of a store, as server-sent events."""
    stream = _send(request, store_of(request))
    return StreamingResponse(stream, media_type="text/event-stream")


routes = (Route("/api/events", follow_runs),)
