"""The page of one run: what its record says, its log, its sources and what they differ in."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from kohaku_ast.display.text import group_rows, plain_line
from kohaku_ast.errors import UsageError, visible
from kohaku_ast.exports.run_sheet import show_rows
from kohaku_ast.files import open_regular
from kohaku_ast.store.pipeline_record import nodes_of
from kohaku_ast.store.record import Record, param_forms
from kohaku_ast.store.reproduce import naming_damage
from kohaku_ast.store.run_diff import environment_of, git_of, kept_text, source_digests
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.store import Store
from kohaku_ast.store.summary import RunSummary
from kohaku_ast.store.values import form_text
from kohaku_ast.web.answers import answer
from kohaku_ast.web.folders import every_run, store_of
from kohaku_ast.web.security import INERT

_MOST_TEXT = 4000
"""Characters of one value."""
_MOST_SOURCE = 1 << 20
"""Bytes of a text that a page shows."""
_ELSEWHERE = ("", "params", "metrics", "env", "outputs", "value", "artifacts")
"""Parts of the sheet that the page shows in another form."""


def run_of(request: Request) -> Record:
    """The run that the path of *request* names: a number, an id, ``last``. Raises UsageError."""
    return _chosen(request)[0]


def _chosen(request: Request) -> tuple[Record, RunSummary]:
    name, runs = request.path_params["id"], every_run(request)
    found = next((one for one in runs.summaries if one.id == name), None)
    if found is not None:  # nearly always: no second look at the whole store
        return runs.record(found), found
    chosen = store_of(request).select([name])
    return chosen[0], chosen.summaries[0]


def run_route(path: str, show: Callable[[Request], Response]) -> Route:
    """The route of *show*, about one run; a damaged record is a mistake that can be named."""

    def named(request: Request) -> Response:
        with naming_damage(run_of(request)):
            return show(request)

    return Route(path, named)


def show_run(request: Request) -> Response:
    """What the record says, apart from the log, the texts and the files."""
    record, run = _chosen(request)
    return answer(
        {
            **_head(record, run),
            **_neighbours(request, run),
            "values": _values(record),
            "metrics": {name: run.statistics(name) for name in run.metrics},
            "results": {**run.values("outputs"), **_returned(run)},
            "sheet": _sheet(record, run),
            "environment": {**environment_of(record), **_of_git(record)},
            "commands": _commands(store_of(request), record),
        }
    )


def _head(record: Record, run: RunSummary) -> dict[str, Any]:
    names = (
        "number", "id", "identity", "label", "script", "kind", "parent", "node", "flow", "started",
        "ended", "seconds", "exit_status", "host", "commit", "tags", "note", "cached", "attempt",
    )  # fmt: skip
    attempts = [one["attempt"] for one in record.facts.get("attempts") or ()]
    return {
        **{name: getattr(run, name) for name in names},
        "status": record.status,
        "error": record.error and record.error.fields(),
        "attempts": [*attempts, record.attempt],
        "has_log": record.log is not None and record.log.exists(),
        "folder": str(record.folder),
        "cwd": record.facts.get("cwd"),
        "is_restorable": bool(record.folder.exists()),
    }


def _neighbours(request: Request, run: RunSummary) -> dict[str, Any]:
    """The runs before and after it, and how many its flow has."""
    every = every_run(request).summaries
    places = {one.id: at for at, one in enumerate(every)}
    at = places.get(run.id)
    newer = None if at is None or at == 0 else every[at - 1].id
    older = None if at is None or at + 1 >= len(every) else every[at + 1].id
    same = [one for one in every if one.script == run.script and one.number < run.number]
    inside = [{"id": one.id, "label": one.label, "node": one.node, "status": one.status}
              for one in reversed(every) if one.parent == run.id]  # fmt: skip
    return {
        "newer": newer,
        "older": older,
        "before": same[0].number if same else None,
        "in_flow": sum(one.flow == run.flow for one in every),
        "inside": inside,
    }


def _values(record: Record) -> list[dict[str, Any]]:
    """Each parameter with its value as Python writes it, and who has given it."""
    origins = {one["target"]: one.get("origin", "") for one in record.facts.get("overrides", ())}
    forms = {**param_forms(record.facts)}
    order = sorted(forms, key=lambda target: target not in origins)
    return [
        {"target": one, "value": _cut(form_text(forms[one])), "origin": origins.get(one)}
        for one in order
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _returned(run: RunSummary) -> dict[str, Any]:
    value = run.value
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _sheet(record: Record, run: RunSummary) -> list[dict[str, Any]]:
    """The other parts of what ``kogine runs show`` prints."""
    nodes = nodes_of(record) if run.kind == "pipeline" else []
    rows = [one for one in show_rows(record, run, nodes) if one[0] not in _ELSEWHERE]
    return [{"title": one.title, "rows": one.rows} for one in group_rows(rows)] if rows else []


def _of_git(record: Record) -> dict[str, str]:
    return {f"git.{name}": one for name, one in git_of(record).items()}


def _commands(store: Store, record: Record) -> dict[str, str]:
    """What to type to run it again."""
    cwd, name = str(record.facts.get("cwd") or "."), record.folder.name
    is_usual = store.root == Path(cwd, RUNS)
    own = [] if is_usual else ["--store", str(store.root)]
    start = f"cd {shlex.quote(cwd)} && "
    return {
        what: start + shlex.join(["kogine", "runs", what, *own, name])
        for what in ("repeat", "reproduce")
    }


# --- the log -------------------------------------------------------------------------------------

_TAIL, _MOST_LOG = 128 * 1024, 512 * 1024
_LONGEST = 2000
"""Characters of a line."""


def show_log(request: Request) -> Response:
    """The lines of the log behind ``offset``; without one, those at its end. ``inode`` says which
    file the offset is of: an attempt has a new one.
    """
    record, query = run_of(request), request.query_params
    log = _log_of(record, query.get("attempt", ""))
    offset, inode = (_number(query.get(name, "")) for name in ("offset", "inode"))
    try:
        with open_regular(log) as file:
            found = os.fstat(file.fileno())
            is_new = inode != found.st_ino or offset > found.st_size or "offset" not in query
            start = max(0, found.st_size - _TAIL) if is_new else offset
            file.seek(start)
            data = file.read(_MOST_LOG)
    except OSError as error:
        raise UsageError(f"cannot read {str(log)!r}: {error.strerror}") from error
    whole = record.status != "running" and start + len(data) >= found.st_size
    used = len(data) if whole else max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    skipped = data.find(b"\n") + 1 if is_new and start else 0
    return answer(
        {
            "lines": _lines(data[skipped:used]),
            "from": start + skipped,
            "offset": start + used,
            "inode": found.st_ino,
            "size": found.st_size,
            "is_new": is_new,
            "status": record.status,
        }
    )


def _log_of(record: Record, attempt: str) -> Path:
    log = record.log_of(int(attempt)) if attempt.isdigit() else record.log
    if log is None:
        raise UsageError(f"run {record.folder.name} has no log")
    return log


def _number(text: str) -> int:
    return int(text[:18]) if text.isascii() and text.isdigit() else -1


def _lines(data: bytes) -> list[str]:
    r"""Lines as a terminal shows them; of one that was overwritten (``\r``) the last text."""
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [plain_line(one.rstrip("\r").rpartition("\r")[2], _LONGEST) for one in lines]


def send_log(request: Request) -> Response:
    """The log as a file."""
    record = run_of(request)
    log = _log_of(record, request.query_params.get("attempt", ""))
    if log.is_symlink() or not log.is_file():  # a link may lead to a file of somebody else
        raise UsageError(f"run {record.folder.name} has no log")
    name = f"{record.folder.name}.log"
    headers = {"content-security-policy": INERT}
    return FileResponse(log, filename=name, media_type="application/octet-stream", headers=headers)


# --- sources -------------------------------------------------------------------------------------


def show_source(request: Request) -> Response:
    """The texts that were kept of the run, or the one that is called ``name``."""
    record = run_of(request)
    digests = source_digests(record, with_modules=True)
    name = request.query_params.get("name", "")
    if not name:
        return answer({"texts": [*digests], "git": _git_state(record)})
    if name not in digests:
        raise UsageError(f"run {record.folder.name} has kept no text {name!r}")
    return answer({"name": name, **_text(kept_text(record, digests[name]))})


def _text(data: bytes | None) -> dict[str, Any]:
    if data is None:
        return {"text": None, "problem": "it was not kept, or was removed"}
    shown = data[:_MOST_SOURCE].decode("utf-8", "replace")
    return {"text": shown, "is_cut": len(data) > _MOST_SOURCE}


def show_diff(request: Request) -> Response:
    """In what the run differs from the run ``with``, or from its commit: ``with=git``."""
    record, other = run_of(request), request.query_params.get("with", "")
    if other == "git":
        return answer(_git_diff(record))
    if not other:
        raise UsageError("with=RUN, or with=git, says from what the run may differ")
    found = store_of(request).diff(other, record)
    rows = [
        {"part": one.part, "name": one.name, "first": one.first, "second": one.second}
        for one in found
        if not one.text
    ]
    return answer({"first": found.first, "second": found.second, "rows": rows, "text": found.texts})


def _git_diff(record: Record) -> dict[str, Any]:
    digest = (record.facts.get("git") or {}).get("diff")
    data = kept_text(record, str(digest)) if digest else None
    text = "" if data is None else visible(data[:_MOST_SOURCE].decode("utf-8", "replace"))
    return {"rows": [], "text": text, "state": _git_state(record)}


def _git_state(record: Record) -> str:
    """What is known of the run's text and git, as a sentence."""
    git: Mapping[str, Any] = record.facts.get("git") or {}
    if not git:
        return "The script was in no git repository."
    commit = str(git.get("commit", ""))[:12]
    if git.get("dirty") is None:
        return f"Commit {commit}; whether files had changed is not known."
    if not git["dirty"]:
        return f"Commit {commit}, without a change."
    kept = "" if git.get("diff") else ", which were not kept"
    return f"Commit {commit} with changes{kept}."


routes = (
    run_route("/api/runs/{id}", show_run),
    run_route("/api/runs/{id}/log", show_log),
    run_route("/api/runs/{id}/log.txt", send_log),
    run_route("/api/runs/{id}/source", show_source),
    run_route("/api/runs/{id}/diff", show_diff),
)
