"""A sheet of one run: all that its record says, as rows of texts under headings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING, Any

from kohaku_ast.display.text import exact_time, short_size
from kohaku_ast.store.columns import FIELDS, cell, short_id
from kohaku_ast.store.run_folder import FILES
from kohaku_ast.store.seeds import seed_text, seeds_in
from kohaku_ast.store.summary import RunSummary

if TYPE_CHECKING:
    from kohaku_ast.store.record import Record


def show_rows(
    record: Record, run: RunSummary, nodes: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Heading, and name and value."""
    for name in FIELDS:
        value = getattr(run, name)
        if value not in (None, "", []) and (name, value) != ("kind", "script"):
            yield "", (name, " ".join(cell(name, value).splitlines()))
    places = {"log": record.log, "files": record.folder / FILES}
    yield from (("", (name, str(path))) for name, path in places.items() if path and path.exists())
    for one in nodes:
        yield "nodes", (str(one["name"]), node_text(one, record))
    for one in record.facts.get("permanences", ()):
        how = {0: "not made", 1: "made once"}.get(one["made"], f"made {one['made']} times")
        yield "permanences", (one["name"], f"{one['made_by']}, {how}, {exact_time(one['seconds'])}")
    env = record.facts.get("env") or {}
    if "pass" in env:
        yield "env", ("pass", " ".join(env["pass"]))
    yield from (("env", (name, str(value))) for name, value in env.get("set", {}).items())
    origins = {one["target"]: one.get("origin", "") for one in record.facts.get("overrides", ())}
    for target, value in run.params.items():
        origin = f"  ({origins[target]})" if target in origins else ""
        yield "params", (target, f"{plain_text(value)}{origin}")
    for one in seeds_in(record.facts):
        yield "seeds", (str(one["call"]), f"{seed_text(one)}  ({one['file']}:{one['line']})")
    for name in run.metrics:
        # No number is the least, or the greatest, of those that are all nan.
        numbers = {what: nan if one is None else one for what, one in run.statistics(name).items()}
        pairs = (f"{what} {plain_text(one)}" for what, one in numbers.items())
        yield "metrics", (name, ", ".join(pairs))
    for one in (record.facts.get("sources") or {}).get("configs", ()):
        yield "config files and tables", (one["file"], f"sha256 {one['sha256'][:12]}")
    if record.facts.get("metrics_incomplete"):
        yield "metrics", ("(incomplete)", "it printed too many at once: numbers are left out")
    for one in record.facts.get("artifacts") or ():
        yield "artifacts", (str(one["path"]), artifact_text(one))
    for one in record.facts.get("hook_errors") or ():
        yield "hooks that raised", (one["hook"], one["error"])
    for kind in ("outputs", "metadata"):
        for name, value in run.values(kind).items():
            yield kind, (name, plain_text(value))
    if run.value is not None:
        yield "value", ("value", plain_text(run.value))


def artifact_text(artifact: Mapping[str, Any]) -> str:
    """Size and hash of an artifact, or why it was not kept."""
    if artifact["sha256"] is None:
        return f"not kept: {artifact.get('problem')}"
    return f"{short_size(artifact['size'])}  {artifact['sha256'][:12]}"


def node_text(node: Mapping[str, Any], record: Record) -> str:
    """``succeeded, 0.5 s, run 5cce9897``: a node of the pipeline of *record*."""
    status = str(node["status"])
    if record.status == "lost":
        status = {"running": "lost", "waiting": "not run"}.get(status, status)
    parts = [status]
    parts += [f"process {node['process']['pid']}"] if node.get("process") else []
    if node.get("seconds") is not None:
        parts.append(exact_time(float(node["seconds"])))
    if node.get("times"):
        failed = f", {node['failures']} failed" if node.get("failures") else ""
        parts.append(f"{node['times']} times{failed}")
    runs = list(node.get("runs") or ())
    more = f" and {len(runs) - _MOST_RUNS} more" if len(runs) > _MOST_RUNS else ""
    parts += [f"run {' '.join(map(short_id, runs[:_MOST_RUNS]))}{more}"] if runs else []
    error = node.get("error")
    parts += [": ".join(filter(None, (error["type"], error["message"])))] if error else []
    parts += [f"{node['skips']} skipped"] if node.get("skips") else []
    parts += [str(node["why"])] if node.get("why") else []
    return " ".join(", ".join(parts).splitlines())


_MOST_RUNS = 3
"""Of a node of a map, that ``show`` names."""


def plain_text(value: Any) -> str:
    """*value* as Python writes it; of a float six digits."""
    return repr(value) if not isinstance(value, float) else f"{value:.6g}"
