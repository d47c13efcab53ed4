"""The graph of a pipeline: nodes joined by the names of outputs and inputs, checked once."""

from __future__ import annotations

from kohaku_ast.errors import PipelineError, PipelineTypeError, check_type, did_you_mean
from kohaku_ast.pipeline import edge_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike


class Graph:
    """Nodes in running order, and which node gives and which nodes read each name. Raises
    PipelineError for nodes that cannot be a graph. Takes time linear in its edges.
    """

    #: In an order in which they can run; nodes that could change places are in the order given.
    nodes: tuple[NodeLike, ...]
    #: Output -> the node that gives it.
    producers: dict[str, NodeLike]
    #: Name that no node gives -> the nodes that read it.
    readers: dict[str, list[NodeLike]]
    #: All names that nodes give, in running order.
    outputs: tuple[str, ...]
    #: Nodes whose outputs no other node reads.
    leaves: tuple[NodeLike, ...]

    def __init__(self, nodes: Iterable[NodeLike]) -> None:
        nodes = _unlinked(tuple(nodes))
        self.producers = _producers(nodes)
        self.nodes = _ordered(nodes, self.producers)
        self.outputs = tuple([name for node in self.nodes for name in node.outputs])
        self.readers = {}
        read = set()
        for node in self.nodes:
            for name in node.inputs:
                producer = self.producers.get(name)
                if producer is None:
                    self.readers.setdefault(name, []).append(node)
                else:
                    read.add(producer)
                    _check_edge(name, producer, node)
        self.leaves = tuple([node for node in self.nodes if node not in read])

    def parents(self, node: NodeLike) -> list[NodeLike]:
        """The nodes whose outputs *node* takes, each once."""
        found = (self.producers.get(name) for name in node.inputs)
        return list(dict.fromkeys(one for one in found if one is not None))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names that no node gives, in the order in which they are first read."""
        return tuple(self.readers)

    def is_optional(self, name: str) -> bool:
        """Whether every node that reads the input *name* has a default for it."""
        return all(name in node.defaults for node in self.readers[name])


def shown(node: NodeLike) -> str:
    """``'fit' (train.py:12)``."""
    return f"{node.name!r} ({node.where})"


def shown_inputs(graph: Graph, node: NodeLike) -> list[str]:
    """The inputs of *node* worth showing. Everything in a script can be an input: only those that
    a person would tune, that are required or that a node gives are shown.
    """
    settings = getattr(node, "settings", None)
    if settings is None:
        return list(node.inputs)
    return [
        name
        for name in node.inputs
        if name in settings or name in graph.producers or name not in node.defaults
    ]


def graph_field(graph: Graph, path: str = "") -> list[dict[str, object]]:
    """The field ``graph`` of a record: the nodes, those of nested pipelines behind the one that
    they are inside of, with the names by which they are joined. *path* begins their names.
    """
    found: list[dict[str, object]] = []
    for node in graph.nodes:
        name, inside = f"{path}{node.name}", getattr(node, "pipeline", None)
        when, over = getattr(node, "when", None), getattr(node, "map_over", ())
        field: dict[str, object] = {
            "name": name,
            "inputs": shown_inputs(graph, node),
            "outputs": [*node.outputs],
            **({"when": when.text} if when is not None else {}),
            **({"over": [*over]} if over else {}),
        }
        found += [field, *(graph_field(inside.graph, f"{name}/") if inside is not None else ())]
    return found


def _producers(nodes: tuple[NodeLike, ...]) -> dict[str, NodeLike]:
    producers: dict[str, NodeLike] = {}
    for node in nodes:
        for name in node.outputs:
            other = producers.setdefault(name, node)
            if other is not node:
                raise PipelineError(
                    f"two nodes give {name!r}: {shown(other)} and {shown(node)}. "
                    "Rename one of the outputs, as with_names() does."
                )
    if len(set(nodes)) < len(nodes):
        twice = next(one for one in nodes if nodes.count(one) > 1)
        raise PipelineError(f"the node {shown(twice)} is in the list twice.")
    return producers


def _unlinked(nodes: tuple[NodeLike, ...]) -> tuple[NodeLike, ...]:
    """*nodes* without those inputs of scripts that only the caller fills, if a node gives them."""
    if not any(hasattr(node, "unlinked") for node in nodes):
        return nodes
    outputs = frozenset([name for node in nodes for name in node.outputs])
    made = []
    for node in nodes:
        names = outputs & getattr(node, "unlinked", frozenset())
        made.append(node.without(names) if names else node)  # type: ignore[attr-defined]
    return tuple(made)


def _ordered(nodes: tuple[NodeLike, ...], producers: dict[str, NodeLike]) -> tuple[NodeLike, ...]:
    """*nodes* in running order: depth first, without recursion, since chains may be long."""
    done: dict[NodeLike, bool] = {}  # False while its parents are being visited
    order = []
    for root in nodes:
        if root in done:
            continue
        done[root] = False
        stack = [(root, iter(root.inputs))]
        while stack:
            node, names = stack[-1]
            for name in names:
                parent = producers.get(name)
                if parent is None or done.get(parent):
                    continue
                if parent in done:
                    raise _cycle([one for one, _ in stack], parent)
                done[parent] = False
                stack.append((parent, iter(parent.inputs)))
                break
            else:
                done[node] = True
                order.append(node)
                stack.pop()
    return tuple(order)


def _cycle(stack: list[NodeLike], closing: NodeLike) -> PipelineError:
    around = [*stack[stack.index(closing) :]][::-1]
    if len(around) == 1:
        name = next(name for name in closing.outputs if name in closing.inputs)
        return PipelineError(
            f"the node {shown(closing)} takes its own output {name!r}. Rename one of them."
        )
    path = " -> ".join(one.name for one in [around[-1], *around])
    places = ", ".join(shown(one) for one in around)
    return PipelineError(f"the nodes form a cycle: {path}. They are {places}.{_way_out(around)}")


def _way_out(around: list[NodeLike]) -> str:
    """What the user can do if a script is in the circle only because it has a global of a name."""
    for giver, taker in zip([*around[1:], around[0]], around):
        for name in taker.inputs:
            if name in giver.outputs and name in taker.defaults and hasattr(taker, "targets"):
                return (
                    f" {taker.name!r} takes {name!r} because its script defines that name: "
                    f"script(..., inputs={{{name!r}: None}}) leaves it to the script."
                )
    return ""


def _check_edge(name: str, producer: NodeLike, node: NodeLike) -> None:
    try:
        given = producer.output_hint(name)  # type: ignore[attr-defined]  # optional
        wanted = node.input_hint(name)  # type: ignore[attr-defined]
    except AttributeError:
        return
    if not edge_types.fits(given, wanted):
        raise PipelineTypeError(
            f"{name!r} cannot go from {shown(producer)}, which gives "
            f"{edge_types.name_of(given)}, to {shown(node)}, which takes "
            f"{edge_types.name_of(wanted)}."
        )


def find_node(graph: Graph, name: str) -> NodeLike:
    """The node called *name*, or the node that gives the output *name*. Raises PipelineError."""
    check_type(name, str, "a node is named by a text", PipelineError)
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
    """The nodes on the paths from *from_node* to *to_node*, both included, in running order.
    Raises PipelineError if there is no path.
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


# --- first >> second -----------------------------------------------------------------------------


def chain_nodes(first: Any, second: Any) -> list[NodeLike]:
    """The nodes of the pipeline *first* and of *second*, which takes its outputs. Raises
    PipelineError if it takes none, or *first* would take outputs of *second*.
    """
    one, other = _two_names(first, second)
    back = [name for name in second.graph.outputs if name in first.graph.readers]
    if back:
        readers, giver = first.graph.readers[back[0]], second.graph.producers[back[0]]
        raise PipelineError(
            f"{one} >> {other}: {back[0]!r} goes the other way, from {shown(giver)} to "
            f"{shown(readers[0])}. Rename one of them, or write {other} >> {one}."
        )
    if set(first.graph.outputs).isdisjoint(second.graph.readers):
        taken = [name for name, nodes in second.graph.readers.items() if _is_shown(name, nodes)]
        hints = [did_you_mean(name, first.graph.outputs) for name in taken]
        raise PipelineError(
            f"{one} >> {other}: nothing joins them. {one} gives {', '.join(first.graph.outputs)}; "
            f"{other} takes {', '.join(taken) or 'nothing'}.{next(filter(None, hints), '')}"
        )
    return [*first.graph.nodes, *second.graph.nodes]


def _two_names(first: Any, second: Any) -> tuple[str, str]:
    if first.name != second.name:
        return first.name, second.name
    return "the first", "the second"


def _is_shown(name: str, nodes: list[NodeLike]) -> bool:
    """Whether an input is worth showing: everything in a script can be one."""
    return any(name in getattr(node, "settings", node.inputs) for node in nodes)


def chain_bound(first: Any, second: Any) -> dict[str, Any]:
    """What is bound in either. Raises PipelineError for what would hide an output of *first*, and
    for two values of one name.
    """
    one, other = _two_names(first, second)
    for name, value in second.bound.items():
        if name in first.graph.producers:
            why = f"{shown(first.graph.producers[name])} gives it"
        elif name in first.bound and not _is_same(first.bound[name], value):
            why = "to another value in the other one"
        else:
            continue
        raise PipelineError(
            f"{one} >> {other}: {name!r} is bound in {other}, and {why}. unbind({name!r}) takes it "
            "away."
        )
    return {**first.bound, **second.bound}


def chain_option(name: str, first: Any, second: Any) -> Any:
    """The engine, cache or *record* of one of them. Raises PipelineError if they have two."""
    found = [one for one in (getattr(first, name), getattr(second, name)) if one is not None]
    if len(found) < 2 or _is_same(*found):
        return found[0] if found else None
    one, other = _two_names(first, second)
    raise PipelineError(f"{one} >> {other}: {name!r} differs in them. Give it to one of them.")


def _is_same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other or vars(one) == vars(other))
    except Exception:  # arrays, objects without attributes
        return False
