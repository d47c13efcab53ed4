"""A pipeline in words: every edge, and why it is there."""

from __future__ import annotations

from kohaku_ast.display.graph_layout import default_text, listed, marked_up, value_text
from kohaku_ast.pipeline.drawing.inputs import told_inputs
from kohaku_ast.pipeline.part import part_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.pipeline import Pipeline


class Explanation(str):
    """Text that shows itself as it is, at a prompt and in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{marked_up(self)}</pre>"


def explain(
    pipeline: Pipeline, from_node: str | None = None, to_node: str | None = None
) -> Explanation:
    """*pipeline*, or a part of it, node by node in running order; nothing is run."""
    graph = pipeline.graph
    nodes = part_of(graph, from_node, to_node)
    lines = [_heading(pipeline, len(nodes))]
    for node in nodes:
        lines += ["", *_node_lines(graph, node, nodes)]
    return Explanation("\n".join(lines))


def _heading(pipeline: Pipeline, count: int) -> str:
    every = len(pipeline.nodes)
    shown = f"{count} of {every} nodes" if count < every else f"{every} node{'s' * (every != 1)}"
    graph = pipeline.graph
    told = {name for node in graph.nodes for name in told_inputs(graph, node)}
    inputs = [
        f"{name} (optional)" if graph.is_optional(name) else name
        for name in pipeline.inputs
        if name in told
    ]
    return f"pipeline {pipeline.name!r}: {shown}; inputs: {', '.join(inputs) or 'none'}"


def _node_lines(graph: Graph, node: NodeLike, nodes: tuple[NodeLike, ...]) -> Iterator[str]:
    yield f"{node.name} ({node.where}){_inside(node)}"
    names = told_inputs(graph, node)
    reasons = [(_parameter(node, name), _source(graph, node, name, nodes)) for name in names]
    reasons += [(_parameter(node, name), _bound(value)) for name, value in node.bound.items()]
    wide = max((len(parameter) for parameter, _ in reasons), default=0)
    for parameter, reason in reasons:
        yield f"  {parameter:{wide}}  <- {reason}"
    if len(names) < len(node.inputs):
        yield f"  and {len(node.inputs) - len(names)} more optional inputs, which are as written"
    elif not reasons:
        yield "  takes nothing"
    for name in node.outputs:
        readers = [one.name for one in graph.nodes if name in one.inputs]
        yield f"  gives {name} -> {', '.join(readers) or 'a result: no node reads it'}"


def _inside(node: Any) -> str:
    inside = getattr(node, "pipeline", None)
    if inside is None:
        return ""
    text = f", the pipeline {inside.name!r} of {len(inside.nodes)} nodes"
    if not node.map_over:
        return text
    return f"{text}, run for each value of {listed(node.map_over, 60)} ({node.map_mode})"


def _parameter(node: Any, name: str) -> str:
    """What the node itself calls the input *name*."""
    for one in getattr(node, "parameters", ()):
        if getattr(one, "name", None) == name and hasattr(one, "parameter"):
            return str(one.parameter)
    mapping = getattr(node, "input_mapping", None) or getattr(node, "targets", {})
    return str(mapping.get(name, name))


def _source(graph: Graph, node: NodeLike, name: str, nodes: tuple[NodeLike, ...]) -> str:
    own = _parameter(node, name)
    called = "" if own == name else f": {own} is called {name} in the graph"
    mapped = ", one run for each of its values" if name in getattr(node, "map_over", ()) else ""
    producer = graph.producers.get(name)
    if producer is None:
        return f"{_input(node, name)}{mapped}{called}"
    outside = "" if producer in nodes else ", which is not in this part: given or cached"
    return f"output {name} of {producer.name} ({producer.where}){outside}{mapped}{called}"


def _input(node: NodeLike, name: str) -> str:
    if name in node.defaults:
        default = default_text(node.defaults[name], 60) or "as the script says"
        return f"input, {default} if it is not given"
    return "input, required: no node gives it and it has no default"


def _bound(value: object) -> str:
    return f"bound to {value_text(value, 60)}"
