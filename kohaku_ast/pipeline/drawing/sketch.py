"""What a picture of a pipeline shows: boxes and the links between them, not yet where."""

from __future__ import annotations

from dataclasses import dataclass

from kohaku_ast.pipeline.drawing.text import (
    default_text,
    listed,
    one_line,
    time_text,
    value_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.last_run import LastRun, Path, Tally
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.pipeline import Pipeline

_WIDEST = 30  # letters in a box
_MOST_INPUTS = 5  # lines in a box of inputs


@dataclass(frozen=True)
class Box:
    """A node, a pipeline, or inputs that the same nodes read."""

    #: "node", "pipeline" or "inputs".
    kind: str
    #: The name, or "" for inputs.
    title: str
    #: What stands below it.
    lines: tuple[str, ...]
    #: All there is to say, for who asks by pointing at it.
    hint: str
    #: What became of it: "succeeded", "cached", "failed", "running", "skipped", or "".
    state: str = ""
    #: What is inside a pipeline that is shown open.
    inner: Sketch | None = None
    #: Opens one that is shown closed.
    open: Callable[[], Sketch] | None = None


@dataclass(frozen=True)
class Link:
    """Goes from one box to another; both by their position."""

    source: int
    target: int
    #: What is handed on.
    names: tuple[str, ...]


@dataclass(frozen=True)
class Sketch:
    """One pipeline. Links go from earlier boxes to later ones."""

    name: str
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]


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
    states = _States(last, path)
    groups = _input_groups(graph, nodes)
    boxes = [_inputs_box(graph, names) for names in groups.values()]
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


def _input_groups(graph: Graph, nodes: Sequence[NodeLike]) -> dict[tuple[NodeLike, ...], list[str]]:
    """Nodes -> the inputs that just these read: one box each, or scripts would drown in them."""
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


def _inputs_box(graph: Graph, names: list[str]) -> Box:
    texts = [_input_text(graph, name) for name in names]
    hint = "inputs: " if len(names) > 1 else "input: "
    shown = texts if len(texts) <= _MOST_INPUTS else texts[: _MOST_INPUTS - 1]
    more = [f"and {len(texts) - len(shown)} more"] if len(shown) < len(texts) else []
    lines = tuple(one_line(text, _WIDEST) for text in [*shown, *more])
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


class _States:
    """What became of the nodes of one pipeline."""

    def __init__(self, last: LastRun | None, path: Path) -> None:
        self.last, self.path = last, path
        seen = {} if last is None else last.tallies
        #: Nothing is told of what is inside a pipeline that ran in another process.
        self._seen = path in seen and bool(seen[path].nodes) if path else bool(seen)

    def of(self, name: str) -> tuple[str, str]:
        """State and words of the node *name*."""
        if self.last is None or not self._seen:
            return "", ""
        tally = self.last.tallies.get((*self.path, name))
        if tally is None or not tally.state:
            return "skipped", "did not run"
        return tally.state, _words(tally)


def _words(tally: Tally) -> str:
    if tally.times > 1:
        counts = [
            f"{getattr(tally, state)} {state}"
            for state in ("succeeded", "cached", "failed")
            if getattr(tally, state)
        ]
        return f"{', '.join(counts)}, {time_text(tally.seconds)}"
    if tally.state == "succeeded":
        return time_text(tally.seconds)
    if tally.state == "failed":
        return f"failed after {time_text(tally.seconds)}"
    return {"skipped": "did not run"}.get(tally.state, tally.state)


def _node_box(graph: Graph, node: NodeLike, depth: int, states: _States) -> Box:
    state, words = states.of(node.name)
    inside: Pipeline | None = getattr(node, "pipeline", None)
    lines = [*_outputs_line(node), *_inside_line(node, inside), words]

    def open_(deeper: int = 0) -> Sketch:
        assert inside is not None
        return make_sketch(inside, deeper, states.last, None, (*states.path, node.name))

    return Box(
        kind="node" if inside is None else "pipeline",
        title=one_line(node.name, _WIDEST),
        lines=tuple([one_line(line, _WIDEST + 6) for line in lines if line]),
        hint=_hint(graph, node, words),
        state=state,
        inner=open_(depth - 1) if inside is not None and depth > 0 else None,
        open=open_ if inside is not None and depth == 0 else None,
    )


def _outputs_line(node: NodeLike) -> Iterable[str]:
    return [] if node.outputs == (node.name,) else [f"→ {listed(node.outputs, _WIDEST - 12)}"]


def _inside_line(node: Any, inside: Pipeline | None) -> Iterable[str]:
    if inside is None:
        return []
    count = f"{len(inside.nodes)} node{'s' * (len(inside.nodes) != 1)}"
    over = listed(node.map_over, _WIDEST - 14) if node.map_over else ""
    return [f"{count}, for each {over}" if over else count]


def _hint(graph: Graph, node: NodeLike, words: str) -> str:
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
        words,
    ]
    return "\n".join(filter(None, parts))
