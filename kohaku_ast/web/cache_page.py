"""The page of the caches: what ``kogine cache ls`` lists, and what ``kogine cache why`` says."""

from __future__ import annotations

import json
import shlex
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kohaku_ast.cache.cache_files import CacheFile, cache_row, find_caches
from kohaku_ast.errors import UsageError, unknown
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.web.answers import answer, read_fields, whole_number
from kohaku_ast.web.commands import ask_command, project_of
from kohaku_ast.web.folders import store_of

_SIZE, _MOST_ROWS = 100, 1000
_COLUMNS = ("name", "kind", "where", "key", "size", "used", "cache")


def list_cached(request: Request) -> Response:
    """The caches, and a page of their files: ``find``, ``kind``, ``sort`` and ``page``."""
    query = request.query_params
    stored = [(one, one.files()) for one in find_caches(around=str(project_of(store_of(request))))]
    files = [file for _, own in stored for file in own]
    chosen = _sorted(
        _chosen(files, query.get("find", ""), query.get("kind", "")), query.get("sort", "")
    )
    size = whole_number(request, "size", _SIZE, _MOST_ROWS)
    pages = max(1, -(-len(chosen) // size))
    page = min(whole_number(request, "page", 1, pages), pages)
    return answer(
        {
            "caches": [
                {"cache": one.shown, "programs": one.holds_programs, "files": len(own),
                 "size": sum(file.size for file in own)}
                for one, own in stored
            ],
            "kinds": [*dict.fromkeys(file.kind for file in files)],
            "columns": _COLUMNS,
            "rows": [cache_row(one) for one in chosen[(page - 1) * size : page * size]],
            "rows_in_all": len(chosen),
            "page": page,
            "pages": pages,
        }
    )  # fmt: skip


def _chosen(files: list[CacheFile], text: str, kind: str) -> list[CacheFile]:
    """Those of *files* of one *kind* whose name, place or key has *text* in it."""
    wanted = text.casefold()
    return [
        one
        for one in files
        if kind in ("", one.kind)
        and any(wanted in part.casefold() for part in (one.name, one.where, one.key))
    ]


def _sorted(files: list[CacheFile], by: str) -> list[CacheFile]:
    """*files* by a column, with a minus before it from the greatest down; else as they are."""
    name = by.removeprefix("-")
    if name not in ("", *_COLUMNS):
        raise UsageError(unknown("column", name, _COLUMNS))
    if not name:
        return files
    return sorted(files, key=lambda one: getattr(one, name), reverse=by.startswith("-"))


async def explain_cached(request: Request) -> Response:
    """Whether the run ``words`` (``train.py lr=0.1``, or a run) would be left out, and why."""
    fields, store = await read_fields(request), store_of(request)
    words = _words(fields.get("words"))
    project = project_of(store)
    own = [] if store.root == project / RUNS else ["--store", str(store.root)]
    command = ["cache", "why", *words, *own]
    ask = partial(ask_command, [*command, "--json"], project, statuses=(0, 1))
    found = await anyio.to_thread.run_sync(ask)
    return answer({**_explanation(found), "command": shlex.join(["kogine", *command])})


def _words(text: object) -> list[str]:
    try:
        words = shlex.split(str(text or ""))
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}") from None
    if not words or words[0].startswith("-"):
        raise UsageError("write a run, or a script with its values: train.py lr=0.1")
    return words


def _explanation(output: str) -> dict[str, Any]:
    """What the command has printed: of a script ``state``, ``run`` and ``changes``, of a pipeline
    its ``nodes``.
    """
    try:
        found = json.loads(output)
    except ValueError:
        raise UsageError(f"kogine cache why has printed no JSON: {output[:200]!r}") from None
    return {"nodes": found} if isinstance(found, list) else dict(found)


routes = (
    Route("/api/cache", list_cached),
    Route("/api/cache/why", explain_cached, methods=["POST"]),
)
