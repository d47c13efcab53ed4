"""The inputs of a picture: those that the same nodes read share a box."""

from __future__ import annotations

from kohaku_ast.display.graph_layout import Box, default_text, listed, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.node_like import NodeLike

WIDEST = 30
"""Letters in a box."""
_MOST = 5  # lines in it


def input_groups(graph: Graph, nodes: Sequence[NodeLike]) -> dict[tuple[NodeLike, ...], list[str]]:
    """Nodes -> the inputs that just these of *nodes* read: a box for each would be too many."""
    inside = set(nodes)
    readers: dict[str, list[NodeLike]] = {}
    for node in nodes:
        for name in told_inputs(graph, node):
            if graph.producers.get(name) not in inside:
                readers.setdefault(name, []).append(node)
    groups: dict[tuple[NodeLike, ...], list[str]] = {}
    for name, found in readers.items():
        groups.setdefault(tuple(found), []).append(name)
    return groups


def inputs_box(graph: Graph, names: list[str]) -> Box:
    """One box for all of *names*."""
    texts = [_input_text(graph, name) for name in names]
    hint = "inputs: " if len(names) > 1 else "input: "
    shown = texts if len(texts) <= _MOST else texts[: _MOST - 1]
    more = [f"and {len(texts) - len(shown)} more"] if len(shown) < len(texts) else []
    lines = tuple(one_line(text, WIDEST) for text in [*shown, *more])
    return Box("inputs", "", lines, hint + listed(texts, 300))


def _input_text(graph: Graph, name: str) -> str:
    if name in graph.producers:
        return f"{name} (of {graph.producers[name].name})"
    if not graph.is_optional(name):
        return name
    values = dict.fromkeys(default_text(one.defaults[name]) for one in graph.readers[name])
    return f"{name} = {' or '.join(filter(None, values))}" if any(values) else f"{name} (optional)"


def told_inputs(graph: Graph, node: NodeLike) -> list[str]:
    """Everything in a script is an input: of these only what a person would tune is worth telling,
    and what is required or comes from a node.
    """
    settings = getattr(node, "settings", None)
    if settings is None:
        return list(node.inputs)
    return [
        name
        for name in node.inputs
        if name in settings or name in graph.producers or name not in node.defaults
    ]
