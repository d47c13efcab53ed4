"""The page of a pipeline's run: its drawing with the states of now, and each node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from kohaku_ast.errors import UsageError
from kohaku_ast.pipeline.recorded_drawing import draw_record, has_graph, node_words
from kohaku_ast.store.pipeline_record import PIPELINE, nodes_of
from kohaku_ast.store.record import Record
from kohaku_ast.web.answers import answer
from kohaku_ast.web.run_page import run_of, run_route

_MOST_NODES = 2000
"""Nodes in a table; and, below, in a drawing that a browser can still show."""
_MOST_DRAWN = 400
_MOST_TEXT = 2000
"""Characters of a result or of an error."""


def show_pipeline(request: Request) -> Response:
    """The run, its nodes with what became of them, and the drawing."""
    record = run_of(request)
    if record.facts.get("kind") != PIPELINE:
        raise UsageError(f"{record.folder.name} is a run of a script, not of a pipeline")
    nodes = nodes_of(record)
    return answer(
        {
            "id": record.folder.name,
            "name": record.facts[PIPELINE]["name"],
            "label": record.label,
            "script": record.script,
            "status": record.status,
            "started": record.facts.get("started"),
            "seconds": record.seconds,
            "items": record.facts[PIPELINE].get("items"),
            "error": record.error and record.error.fields(),
            "has_log": record.log is not None and record.log.exists(),
            "nodes": [_node(one) for one in nodes[:_MOST_NODES]],
            "nodes_in_all": len(nodes),
            "has_graph": has_graph(record),
            "svg": _drawn(record, nodes, _Address(request)),
        }
    )


def _drawn(record: Record, nodes: Sequence[object], link: _Address) -> str | None:
    """The drawing; None for one that is too large to be looked at."""
    count = max(len(nodes), len(record.facts[PIPELINE].get("graph") or ()))
    try:
        return draw_record(record, link).svg if count <= _MOST_DRAWN else None
    except RecursionError:
        return None  # hundreds of pipelines inside of each other


class _Address:
    """Gives the address of the page with a node chosen."""

    def __init__(self, request: Request) -> None:
        store = request.query_params.get("store", "")
        self._store = {"store": store} if store else {}

    def __call__(self, node: str) -> str:
        return f"?{urlencode({**self._store, 'node': node})}"


def _node(field: Mapping[str, Any]) -> dict[str, Any]:
    """One of the field ``nodes`` for the page; long texts are cut."""
    error = field.get("error") or {}
    results = field.get("results") or {}
    shown = f"{error['type']}: {error.get('message', '')}" if error.get("type") else ""
    return {
        **{name: field.get(name) for name in ("name", "kind", "status", "started", "seconds")},
        **{name: field.get(name) for name in ("times", "failures", "skips", "key", "workers")},
        "words": node_words(field),
        "why": _cut(str(field.get("why") or "")),
        "error": _cut(shown),
        "results": {str(name): _cut(str(value)) for name, value in results.items()},
        "runs": [*field.get("runs", ())],
    }


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


routes = (run_route("/api/pipelines/{id}", show_pipeline),)
