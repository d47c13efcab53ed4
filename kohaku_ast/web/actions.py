"""Actions: what a page changes. Each is what a command of ``kogine runs`` does."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kohaku_ast.errors import UsageError
from kohaku_ast.store.record import Record
from kohaku_ast.store.store import Store
from kohaku_ast.web.answers import answer, read_fields
from kohaku_ast.web.commands import error_of, start_command
from kohaku_ast.web.folders import whole_store_of

Fields = Mapping[str, Any]


def _action(act: Callable[[Store, str, Fields], Any], path: str) -> Route:
    """The route of *act*, which gets the store, the run of the path and the fields that were
    sent.
    """

    async def run(request: Request) -> Response:
        fields, store = await read_fields(request), whole_store_of(request)
        name = request.path_params.get("id", "")
        try:
            found = await anyio.to_thread.run_sync(act, store, name, fields)
        finally:
            request.app.state.recent.forget()
        return answer(found)

    return Route(path, run, methods=["POST"])


def _texts(fields: Fields, name: str) -> list[str]:
    found = fields.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise UsageError(f"{name} is a list of texts")
    return found


def _chosen(fields: Fields) -> list[str]:
    names = _texts(fields, "runs")
    if not names:
        raise UsageError("no run is chosen")
    return names


# --- marks, and the trash ------------------------------------------------------------------------


def _tag(store: Store, name: str, fields: Fields) -> Any:
    record = store.find(name)
    removed, added = _texts(fields, "remove"), _texts(fields, "add")
    tags = store.tag(record, *removed, remove=True) if removed else record.tags
    return {"tags": store.tag(record, *added) if added else tags}


def _note(store: Store, name: str, fields: Fields) -> Any:
    text = fields.get("text", "")
    store.note(name, text)
    return {"note": text}


def _delete(store: Store, name: str, fields: Fields) -> Any:
    return {"runs": store.remove(_chosen(fields))}


def _restore(store: Store, name: str, fields: Fields) -> Any:
    return {"runs": store.restore(_chosen(fields))}


def _stop(store: Store, name: str, fields: Fields) -> Any:
    return {"ended": store.stop(name, whole_flow=fields.get("flow") is True)}


# --- repeat --------------------------------------------------------------------------------------

_PATIENCE = 15.0
"""Seconds for the new run to have a record, or for the error why it has none."""
_STEP = 0.05


def _repeat(store: Store, name: str, fields: Fields) -> Any:
    """Start the run once more, with other ``values``: texts such as ``lr=0.2``."""
    record, values = store.find(name), _texts(fields, "values")
    for one in values:
        if one.startswith("-") or not one.partition("=")[0].strip() or "=" not in one:
            raise UsageError(f"{one!r} is no TARGET=VALUE")
    folder = str(record.facts.get("cwd") or "")
    if not os.path.isdir(folder):
        raise UsageError(f"the folder in which the run was started is gone: {folder!r}")
    words = ["runs", "repeat", "--store", str(store.root), record.folder.name, *values]
    before = set(os.listdir(store.root))
    with tempfile.TemporaryFile() as output:
        started = start_command(words, folder, output)
        found = _wait_for_record(store.root, before, started)
        if found is None and started.poll() not in (None, 0):
            raise UsageError(error_of(output) or f"it ended with status {started.returncode}")
    return {"id": found, "pid": started.pid}


def _wait_for_record(root: Path, before: set[str], started: subprocess.Popen[bytes]) -> str | None:
    """The folder of the run that the process *started* makes; None if it makes none."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        has_ended = started.poll() is not None
        for name in sorted(set(os.listdir(root)) - before):
            record = None if name.startswith(".") else Record.read(root / name)
            if record is not None and _is_of(record, started.pid):
                return name
        if has_ended:
            return None
        time.sleep(_STEP)
    return None


def _is_of(record: Record, pid: int) -> bool:
    """Whether the flow of *record* is the process *pid*; a run inside of it has a parent."""
    flow = record.facts.get("flow") or {}
    return flow.get("pid") == pid and not record.facts.get("parent")


routes = (
    _action(_delete, "/api/runs/delete"),
    _action(_restore, "/api/runs/restore"),
    _action(_stop, "/api/runs/{id}/stop"),
    _action(_repeat, "/api/runs/{id}/repeat"),
    _action(_tag, "/api/runs/{id}/tag"),
    _action(_note, "/api/runs/{id}/note"),
)
