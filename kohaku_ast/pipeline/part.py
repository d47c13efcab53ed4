"""A part of a graph: from one node to another."""

from __future__ import annotations

from kohaku_ast.errors import PipelineError, did_you_mean
from kohaku_ast.pipeline.graph import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.node_like import NodeLike


def find_node(graph: Graph, name: str) -> NodeLike:
    """The node that is called *name*, or gives it. Raises PipelineError."""
    found = [node for node in graph.nodes if node.name == name]
    if len(found) > 1:
        ways = ", ".join(f"{one.outputs[0]!r} is {shown(one)}" for one in found)
        raise PipelineError(f"{len(found)} nodes are called {name!r}. Name an output: {ways}.")
    if found or name in graph.producers:
        return found[0] if found else graph.producers[name]
    names = [node.name for node in graph.nodes]
    hint = did_you_mean(name, [*names, *graph.outputs]) or f" There is: {', '.join(names)}."
    raise PipelineError(f"no node is called {name!r}.{hint}")


def part_of(
    graph: Graph, from_node: str | None = None, to_node: str | None = None
) -> tuple[NodeLike, ...]:
    """The nodes from *from_node* to *to_node*, both included, in running order: those that the
    first leads to, and that the last needs. Raises PipelineError if there is no way.
    """
    nodes: Sequence[NodeLike] = graph.nodes
    if from_node is not None:
        nodes = _after(graph, find_node(graph, from_node), nodes)
    if to_node is not None:
        last = find_node(graph, to_node)
        if last not in nodes:
            assert from_node is not None
            raise PipelineError(f"no way leads from {from_node!r} to {to_node!r}.")
        nodes = _before(last, nodes)
    return tuple(nodes)


def _after(graph: Graph, first: NodeLike, nodes: Sequence[NodeLike]) -> list[NodeLike]:
    reached = {first}
    for node in nodes:
        if not reached.isdisjoint(graph.parents(node)):
            reached.add(node)
    return [node for node in nodes if node in reached]


def _before(last: NodeLike, nodes: Sequence[NodeLike]) -> list[NodeLike]:
    needed, found = set(last.inputs), [last]
    for node in reversed(nodes):
        if node is not last and not needed.isdisjoint(node.outputs):
            found.append(node)
            needed.update(node.inputs)
    return found[::-1]
