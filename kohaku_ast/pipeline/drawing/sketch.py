"""From a pipeline to what a picture of it shows."""

from __future__ import annotations

from kohaku_ast.display.graph_layout import (
    Box,
    Link,
    Sketch,
    default_text,
    listed,
    one_line,
    value_text,
)
from kohaku_ast.pipeline.drawing.inputs import WIDEST, input_groups, inputs_box, told_inputs
from kohaku_ast.pipeline.drawing.states import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.last_run import LastRun, Path
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.pipeline import Pipeline


def make_sketch(
    pipeline: Pipeline,
    depth: int = 0,
    last: LastRun | None = None,
    nodes: Sequence[NodeLike] | None = None,
    path: Path = (),
) -> Sketch:
    """*pipeline*, or only *nodes* of it, with pipelines inside shown open as deep as *depth*;
    with what *last* has seen become of the nodes.
    """
    graph = pipeline.graph
    nodes = graph.nodes if nodes is None else nodes
    states = States(last, path)
    groups = input_groups(graph, nodes)
    boxes = [inputs_box(graph, names) for names in groups.values()]
    boxes += [_node_box(graph, node, depth, states) for node in nodes]
    positions = {node: number for number, node in enumerate(nodes, len(groups))}
    links = [
        Link(number, positions[node], tuple(names))
        for number, (readers, names) in enumerate(groups.items())
        for node in readers
    ]
    links += [
        Link(positions[parent], positions[node], tuple(names))
        for node in nodes
        for parent, names in _edges(graph, node, positions).items()
    ]
    return Sketch(pipeline.name, tuple(boxes), tuple(links))


def _edges(
    graph: Graph, node: NodeLike, known: Mapping[NodeLike, int]
) -> dict[NodeLike, list[str]]:
    """The nodes that *node* takes something of -> what."""
    found: dict[NodeLike, list[str]] = {}
    for name in node.inputs:
        parent = graph.producers.get(name)
        if parent is not None and parent in known:
            found.setdefault(parent, []).append(name)
    return found


def _node_box(graph: Graph, node: NodeLike, depth: int, states: States) -> Box:
    state, words, error = states.of(node.name)
    inside: Pipeline | None = getattr(node, "pipeline", None)
    lines = [*_outputs_line(node), *_inside_line(node, inside), words]

    def open_(deeper: int = 0) -> Sketch:
        assert inside is not None
        return make_sketch(inside, deeper, states.last, None, (*states.path, node.name))

    return Box(
        kind="node" if inside is None else "pipeline",
        title=one_line(node.name, WIDEST),
        lines=tuple([one_line(line, WIDEST + 6) for line in lines if line]),
        hint=_hint(graph, node, [words, error]),
        state=state,
        inner=open_(depth - 1) if inside is not None and depth > 0 else None,
        open=open_ if inside is not None and depth == 0 else None,
    )


def _outputs_line(node: NodeLike) -> Iterable[str]:
    return [] if node.outputs == (node.name,) else [f"→ {listed(node.outputs, WIDEST - 12)}"]


def _inside_line(node: Any, inside: Pipeline | None) -> Iterable[str]:
    if inside is None:
        return []
    count = f"{len(inside.nodes)} node{'s' * (len(inside.nodes) != 1)}"
    over = listed(node.map_over, WIDEST - 14) if node.map_over else ""
    return [f"{count}, for each {over}" if over else count]


def _hint(graph: Graph, node: NodeLike, became: Sequence[str]) -> str:
    defaults = {name: default_text(value) for name, value in node.defaults.items()}
    inputs = [
        f"{name} = {defaults[name]}" if defaults.get(name) else name
        for name in told_inputs(graph, node)
    ]
    bound = [f"{name} = {value_text(value)}" for name, value in node.bound.items()]
    parts = [
        f"{node.name} ({node.where})",
        f"takes {listed(inputs, 300)}" if inputs else "takes nothing",
        f"bound: {listed(bound, 200)}" if bound else "",
        f"gives {listed(node.outputs, 300)}",
        *became,
    ]
    return "\n".join(filter(None, parts))
