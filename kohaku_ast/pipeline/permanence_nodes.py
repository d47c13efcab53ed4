"""Nodes that take permanences: each gets what the factory has made in the node's process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from operator import is_ as _is
from typing import Any

from kohaku_ast.errors import PipelineError, check_named, did_you_mean
from kohaku_ast.pipeline.graph import Graph, shown
from kohaku_ast.pipeline.nested import PipelineNode
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import NodeLike
from kohaku_ast.pipeline.permanence import Permanence, holding, this_process


class TakingNode(Node):
    """A node that gets what its Permanences make in their place."""

    is_direct = False
    #: The same without that.
    node: Node

    @classmethod
    def of(cls, node: Node) -> TakingNode:
        """*node* as such a node."""
        made = cls.__new__(cls)
        made.__dict__.update(vars(node), node=node)
        return made

    def call(self, values: Mapping[str, Any]) -> Any:
        """As ``Node.call``. A call outside of a run makes what it needs for itself."""
        if self.is_async:
            return self.call_async(values)
        own = _not_held(values)
        if not own:
            return Node.call(self, _made(values))
        with holding(own):
            return Node.call(self, _made(values))

    async def call_async(self, values: Mapping[str, Any]) -> Any:
        """The same for an async function."""
        with holding(_not_held(values)):
            found = Node.call(self, _made(values))
            return await found if hasattr(found, "__await__") else found

    def __reduce__(self) -> tuple[Any, ...]:
        return TakingNode.of, (self.node,)


def _not_held(values: Mapping[str, Any]) -> list[Permanence]:
    here = this_process()
    found = [one for one in values.values() if isinstance(one, Permanence)]
    return [one for one in found if not here.is_held(one)]


def _made(values: Mapping[str, Any]) -> dict[str, Any]:
    resources = this_process().resources
    return {
        name: resources[one.key][1].get(one) if isinstance(one, Permanence) else one
        for name, one in values.items()
    }


def checked_permanences(permanences: Any, graph: Graph) -> dict[str, Permanence]:
    """Name -> Permanence. Raises PipelineError for names that no function takes."""
    check_named(permanences, object, "permanences is a dict of names", PipelineError)
    found: dict[str, Permanence] = {}
    for name, one in permanences.items():
        if name in graph.producers:
            raise PipelineError(
                f"{name!r} is a permanence and an output of node {shown(graph.producers[name])}. "
                "Rename one of them."
            )
        found[name] = one if isinstance(one, Permanence) else Permanence(one, {})
    _check_taken(graph, found)
    return found


def _check_taken(graph: Graph, names: Iterable[str]) -> None:
    """Raise PipelineError for a name that no node takes, which would have no effect."""
    taken = [one for node in graph.nodes if not hasattr(node, "targets") for one in node.inputs]
    for name in names:
        if name not in taken:
            scripts = [node for node in graph.nodes if name in node.inputs]
            hint = did_you_mean(name, [one for one in taken if one not in graph.producers])
            why = f" A script, as {shown(scripts[0])}, makes its own." if scripts else ""
            raise PipelineError(f"no node takes the permanence {name!r}.{why}{hint}")


def taking(graph: Graph, names: Collection[str]) -> Graph:
    """*graph* with nodes that take *names* as permanences; scripts do not take them."""
    nodes = [_taking(node, frozenset(names).intersection(node.inputs)) for node in graph.nodes]
    return graph if all(map(_is, nodes, graph.nodes)) else Graph(nodes)


def _taking(node: Any, names: frozenset[str]) -> NodeLike:
    if not names or isinstance(node, TakingNode):
        return node  # type: ignore[no-any-return]
    if isinstance(node, Node):
        return TakingNode.of(node)
    if hasattr(node, "targets"):
        return node.without(names)  # type: ignore[no-any-return]
    name = min(names)
    if not isinstance(node, PipelineNode):
        raise PipelineError(f"node {shown(node)} takes the permanence {name!r}: functions can.")
    if not names.isdisjoint(node.map_over):
        raise PipelineError(f"node {shown(node)} maps over {name!r}, which is one permanence.")
    inside: Any = node.pipeline
    return node.of(inside.taking([node.input_mapping.get(one, one) for one in names]))
