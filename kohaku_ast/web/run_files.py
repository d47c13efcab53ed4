"""The files of a run: what is there, a preview of it, and its bytes, which a browser never runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from kohaku_ast.errors import UsageError
from kohaku_ast.files import open_regular, why_outside
from kohaku_ast.store.artifacts import objects_of, other_files
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import FILES
from kohaku_ast.web.answers import answer
from kohaku_ast.web.run_page import run_of, run_route
from kohaku_ast.web.security import INERT

_IMAGES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".webp": "image/webp", ".svg": "image/svg+xml",
}  # fmt: skip
"""Ends of names -> types that a page shows; all else is a download."""
_MOST_FILES = 1000
_MOST_PREVIEW = 64 * 1024
_CHUNK = 256 * 1024


def list_files(request: Request) -> Response:
    """Path, size and kind of each file; the first thousand."""
    record = run_of(request)
    found: list[dict[str, Any]] = []
    for one in record.facts.get("artifacts") or ():
        state = {"size": one.get("size"), "sha256": one.get("sha256")}
        problem = str(one.get("problem") or "")
        found.append({"path": str(one["path"]), "place": "artifact", **state, "problem": problem})
    for path, file in other_files(record.folder, record.facts):
        if len(found) >= _MOST_FILES:
            break
        found.append({"path": path, "place": "file", "size": _size(file), "problem": ""})
    return answer({"files": [{**one, "kind": _kind(one["path"])} for one in found]})


def _size(file: Path) -> int | None:
    try:
        return os.stat(file).st_size
    except OSError:
        return None  # removed meanwhile


def _kind(path: str) -> str:
    return "image" if _type_of(path) else "other"


def _type_of(path: str) -> str | None:
    return _IMAGES.get(os.path.splitext(path)[1].lower())


def send_file(request: Request) -> Response:
    """The bytes of the file ``path``: an image for a page, everything else to be saved."""
    record, path = run_of(request), request.query_params.get("path", "")
    file = _open(record, path)
    kind = _type_of(path)
    name = quote(path.replace(os.sep, "/").rpartition("/")[2])
    how = "inline" if kind and not request.query_params.get("download") else "attachment"
    return StreamingResponse(
        _chunks(file),
        media_type=kind or "application/octet-stream",
        headers={
            "content-disposition": f"{how}; filename*=utf-8''{name}",
            "content-length": str(os.fstat(file.fileno()).st_size),
            "content-security-policy": INERT,
        },
    )


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    left = os.fstat(file.fileno()).st_size
    with file:
        while left > 0 and (data := file.read(min(_CHUNK, left))):
            left -= len(data)
            yield data


def preview_file(request: Request) -> Response:
    """The start of the file ``path``, if it is a text."""
    record, path = run_of(request), request.query_params.get("path", "")
    with _open(record, path) as file:
        data, size = file.read(_MOST_PREVIEW), os.fstat(file.fileno()).st_size
    if b"\0" in data:
        return answer({"text": None, "size": size})
    text = data.decode("utf-8", "replace")
    return answer({"text": text, "size": size, "is_cut": size > len(data)})


def _open(record: Record, path: str) -> BinaryIO:
    """The file of the run called *path*. Raises UsageError if it is none, or leads out of the
    store.
    """
    for root, inside in _places(record, path):
        file = os.path.join(root, inside)
        own = os.path.realpath(root)
        if os.path.commonpath([own, os.path.realpath(file)]) != own:
            raise UsageError(f"{path!r} leads out of the store")
        try:
            return open_regular(os.path.realpath(file))
        except OSError:
            continue
    raise UsageError(f"run {record.folder.name} has no file {path!r}")


def _places(record: Record, path: str) -> Iterator[tuple[str, str]]:
    """Folder, and the path in it, where the file may be."""
    outside = why_outside(path) or ("it is no name" if "\0" in path else "")
    if outside:
        raise UsageError(f"{path!r} is no file of a run: {outside}")
    kept = record.artifacts.get(path)
    if kept is not None:
        objects = objects_of(record.folder).folder
        yield str(objects), os.path.relpath(kept, objects)
    yield str(record.folder / FILES), path


routes = (
    run_route("/api/runs/{id}/files", list_files),
    run_route("/api/runs/{id}/file", send_file),
    run_route("/api/runs/{id}/preview", preview_file),
)
