"""``explain`` and ``visualize`` of an imperative pipeline: the calls of its last run.

Before the first run they show its members. A run may make thousands of calls: a picture has the
first ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kohaku_ast.display.graph_layout import (
    ORIENTS,
    Box,
    Link,
    Sketch,
    listed,
    one_line,
    time_text,
    value_text,
)
from kohaku_ast.errors import UsageError, unknown
from kohaku_ast.imperative.body import Call
from kohaku_ast.imperative.members import flat
from kohaku_ast.pipeline.drawing import WIDEST, Drawing, Explanation
from kohaku_ast.pipeline.node_like import NodeLike

_LONGEST = 80
"""Characters of the inputs of a call."""
_MOST = 100
"""Boxes of a picture."""


def explain_calls(pipeline: Any, from_node: str | None, to_node: str | None) -> Explanation:
    """The text. Raises PipelineError for a member that it does not have."""
    calls = _part(pipeline, from_node, to_node)
    return Explanation("\n".join(_calls(pipeline, calls) if calls else _members(pipeline)))


def _part(pipeline: Any, from_node: str | None, to_node: str | None) -> Sequence[Call]:
    """The calls of the last run from one to another."""
    pipeline.part(from_node, to_node)
    calls: Sequence[Call] = pipeline.last_calls
    names = [one.name for one in calls]
    start = names.index(from_node) if from_node in names else 0
    stop = names.index(to_node) + 1 if to_node in names else len(names)
    return calls[start:stop]


def _calls(pipeline: Any, calls: Sequence[Call]) -> Iterator[str]:
    yield f"pipeline {pipeline.name!r}, last run: {len(calls)} call{'s' * (len(calls) != 1)}"
    wide = max([len(one.name) for one in calls], default=0)
    for one in calls:
        given, took = one_line(one.given, _LONGEST), _took(one)
        yield f"  {one.name:{wide}}  {one.state:9}  {took:8}  {given}".rstrip()


def _took(call: Call) -> str:
    return "" if call.state == "cached" else time_text(call.seconds)


def _members(pipeline: Any) -> Iterator[str]:
    count = len(pipeline.nodes)
    yield f"pipeline {pipeline.name!r}, not run yet: {count} member{'s' * (count != 1)}"
    for node in pipeline.nodes:
        yield f"  {node.name} ({node.where}) takes {listed(node.inputs, 60) or 'nothing'}"
        yield from (f"    {line}" for line in _settings(pipeline, node))


def _settings(pipeline: Any, node: NodeLike) -> Iterator[str]:
    found = flat({node.name: pipeline.settings()[node.name]})
    return (f"{name} = {one_line(value_text(value), _LONGEST)}" for name, value in found)


def draw_calls(
    pipeline: Any, from_node: str | None, to_node: str | None, orient: str = "TB"
) -> Drawing:
    """The picture. Raises KogineError for a member or an orient that there is not."""
    if orient not in ORIENTS:
        raise UsageError(unknown("orient", str(orient), ORIENTS))
    calls = _part(pipeline, from_node, to_node)[:_MOST]
    boxes = [_call_box(pipeline, one) for one in calls]
    boxes = boxes or [_box(pipeline, one, one.name, "", "") for one in pipeline.nodes]
    links = [Link(at, at + 1, ()) for at in range(len(calls) - 1)]
    return Drawing(Sketch(pipeline.name, tuple(boxes), tuple(links)), orient)


def _call_box(pipeline: Any, call: Call) -> Box:
    words = "cached" if call.state == "cached" else f"{call.state}, {_took(call)}"
    return _box(pipeline, call.member.node, call.name, call.state, words, call.given)


def _box(pipeline: Any, node: NodeLike, title: str, state: str, words: str, given: str = "") -> Box:
    lines = [words, given]
    hint = [f"{title} ({node.where})", words, given, *_settings(pipeline, node)]
    return Box(
        kind="pipeline" if hasattr(node, "run_inside") else "node",
        title=one_line(title, WIDEST),
        lines=tuple([one_line(line, WIDEST + 6) for line in lines if line]),
        hint="\n".join(filter(None, hint)),
        state=state,
    )
