"""``--from NODE``: that nothing above it runs is checked before anything does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kohaku_ast.errors import PipelineError
from kohaku_ast.pipeline.graph import part_of, shown
from kohaku_ast.pipeline.pipeline import Pipeline


def check_above(
    pipeline: Pipeline, start: str, values: Mapping[str, Any], wanted: Iterable[str]
) -> None:
    """Raise PipelineError unless all that the nodes from *start* on take from above is among
    *values* or in the cache.
    """
    wanted = list(wanted)
    names = _from_above(pipeline, start, values, wanted)
    if not names:
        return
    if pipeline.cache is None:
        raise _error(pipeline, start, dict.fromkeys(names, "the pipeline has no cache"))
    missing = _not_kept(pipeline, start, values, wanted)
    if missing:
        kept = {name: missing.get(pipeline.graph.producers[name].name, "") for name in names}
        raise _error(pipeline, start, {name: why for name, why in kept.items() if why})


def _from_above(
    pipeline: Pipeline, start: str, values: Mapping[str, Any], wanted: Iterable[str]
) -> list[str]:
    """The names that the part takes from nodes outside of it."""
    part = part_of(pipeline.graph, start)
    own = {name for node in part for name in node.outputs}
    needed = dict.fromkeys(wanted)
    for node in reversed(part):
        if any(name in needed and name not in values for name in node.outputs):
            needed.update(dict.fromkeys(node.inputs))
    outside = pipeline.graph.producers.keys() - own - values.keys()
    return [name for name in needed if name in outside]


def _not_kept(
    pipeline: Pipeline, start: str, values: Mapping[str, Any], wanted: list[str]
) -> dict[str, str]:
    """Name of a node outside of the part that would run -> why it would."""
    own = {name for node in part_of(pipeline.graph, start) for name in node.outputs}
    try:
        plan = pipeline.plan(values, wanted)
    except PipelineError as error:
        raise PipelineError(
            f"{error}\n(--from {start}: what is cached above it is found by the same inputs. Or "
            "give what it takes from there.)"
        ) from None
    rows = pipeline.explain_cache(values, wanted).rows
    return {
        node.name: row.why
        for node, row in zip(plan.nodes, rows)
        if row.state == "runs" and own.isdisjoint(node.outputs)
    }


def _error(pipeline: Pipeline, start: str, missing: Mapping[str, str]) -> PipelineError:
    lines = [
        f"{name!r} is not there: {shown(pipeline.graph.producers[name])} gives it, and {why}."
        for name, why in missing.items()
    ]
    give = " ".join(f"{name}=VALUE" for name in missing)
    return PipelineError(
        f"--from {start} runs nothing above it.\n"
        + "\n".join(lines)
        + f"\nGive {give}, or run it once without --from and with a cache. Nothing was run."
    )
