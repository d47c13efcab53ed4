"""``Pipeline.visualize`` and ``Pipeline.explain``: a pipeline as a picture, and in words."""

from __future__ import annotations

import os

from kohaku_ast.display.graph_layout import (
    ORIENTS,
    Box,
    Link,
    Sketch,
    default_text,
    listed,
    marked_up,
    one_line,
    time_text,
    value_text,
)
from kohaku_ast.display.graph_svg import description
from kohaku_ast.errors import UsageError, unknown
from kohaku_ast.files import replace_users_file
from kohaku_ast.pipeline.callbacks import LastRun
from kohaku_ast.pipeline.edge_types import UNKNOWN, name_of
from kohaku_ast.pipeline.graph import part_of, shown_inputs
from kohaku_ast.pipeline.node_like import Recipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from kohaku_ast.pipeline.callbacks import NodeStats, Path
    from kohaku_ast.pipeline.graph import Graph
    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.scope import PipelineLike


SUFFIXES = (".svg", ".html", ".mmd")
"""The endings of the files that a Drawing can be saved as."""


class Drawing:
    """The picture of a pipeline at the time of the call; later runs do not change it."""

    def __init__(self, sketch: Sketch, orient: str = "TB") -> None:
        self._sketch = sketch
        self._orient = orient

    @property
    def svg(self) -> str:
        """The SVG element. It has the colour of the text around it."""
        from kohaku_ast.display.graph_svg import svg_text

        return svg_text(self._sketch, orient=self._orient)

    @property
    def html(self) -> str:
        """The picture as part of an HTML page, where nested pipelines can be opened."""
        from kohaku_ast.display.graph_svg import html_text

        return html_text(self._sketch, self._orient)

    @property
    def mermaid(self) -> str:
        """The text of a Mermaid flowchart."""
        from kohaku_ast.display.graph_svg import mermaid_text

        return mermaid_text(self._sketch, self._orient)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file *path*, whole or not at all: ``.svg``, ``.html`` or ``.mmd`` (Mermaid).
        Raises UsageError for another ending.
        """
        path = os.fspath(path)
        check_suffix(path)
        text = self._text(os.path.splitext(path)[1].lower())
        try:
            replace_users_file(path, text.encode())
        except OSError as error:  # it names another file, which we made beside this one
            raise OSError(error.errno, error.strerror, path) from None

    def _text(self, suffix: str) -> str:
        if suffix == ".svg":
            from kohaku_ast.display.graph_svg import svg_text

            return svg_text(self._sketch, is_file=True, orient=self._orient) + "\n"
        if suffix == ".html":
            from kohaku_ast.display.graph_svg import html_page

            return html_page(self._sketch, self._orient)
        return self.mermaid

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        ways = " ".join(f'.save("x{suffix}")' for suffix in SUFFIXES)
        return f"<drawing of {description(self._sketch)}; {ways}>"


def check_suffix(path: str) -> None:
    """Raise UsageError if a Drawing cannot be saved as *path*."""
    suffix = os.path.splitext(path)[1]
    if suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path!r} ends in {suffix!r}: a drawing is saved as one of {', '.join(SUFFIXES)}"
            if suffix
            else f"{path!r} has no ending: a drawing is saved as one of {', '.join(SUFFIXES)}"
        )


def draw(
    pipeline: PipelineLike,
    depth: int = 0,
    from_node: str | None = None,
    to_node: str | None = None,
    orient: str = "TB",
) -> Drawing:
    """The picture of *pipeline*, with the states of a LastRun among its callbacks."""
    if orient not in ORIENTS:
        raise UsageError(unknown("orient", str(orient), ORIENTS))
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 0:
        raise UsageError(f"depth is {depth!r}; it must be a number from 0 up.")
    found = [one for one in pipeline.callbacks or () if isinstance(one, LastRun)]
    nodes = None
    if from_node is not None or to_node is not None:
        nodes = part_of(pipeline.graph, from_node, to_node)
    return Drawing(make_sketch(pipeline, depth, found[0] if found else None, nodes), orient)


def make_sketch(
    pipeline: PipelineLike,
    depth: int = 0,
    last: LastRun | None = None,
    nodes: Sequence[NodeLike] | None = None,
    path: Path = (),
) -> Sketch:
    """The picture of *pipeline*, or of *nodes* only, with nested pipelines open down to *depth*
    and the states of *last*.
    """
    graph = pipeline.graph
    nodes = graph.nodes if nodes is None else nodes
    states = States(last, path)
    groups = input_groups(graph, nodes)
    boxes = [inputs_box(graph, names, pipeline.bound) for names in groups.values()]
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
    """The nodes whose outputs *node* reads -> the names of these outputs."""
    found: dict[NodeLike, list[str]] = {}
    for name in node.inputs:
        parent = graph.producers.get(name)
        if parent is not None and parent in known:
            found.setdefault(parent, []).append(name)
    return found


def _node_box(graph: Graph, node: NodeLike, depth: int, states: States) -> Box:
    state, words, error = states.of(node.name)
    inside: PipelineLike | None = getattr(node, "pipeline", None)
    lines = [*_output_lines(node), *_condition_line(node), *_inside_line(node, inside), words]

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


def _output_lines(node: NodeLike) -> Iterable[str]:
    """``→ model, loss``; with types a line for each output."""
    types = {name: _type_text(node, "output_hint", name) for name in node.outputs}
    if node.outputs == (node.name,):
        return [f"→ {types[node.name]}"] if types[node.name] else []
    if not any(types.values()) or len(types) > _MOST:
        return [f"→ {listed(node.outputs, WIDEST - 12)}"]
    return [f"→ {_typed(name, text)}" for name, text in types.items()]


def _typed(name: str, type_text: str) -> str:
    return f"{name}: {type_text}" if type_text else name


def _type_text(node: NodeLike, hint: str, name: str) -> str:
    """The type of an input or an output of *node*, by its method *hint*, as in source code."""
    found = getattr(node, hint, lambda _: UNKNOWN)(name)
    return "" if found is UNKNOWN else one_line(name_of(found), WIDEST - 8)


def _condition_line(node: Any) -> Iterable[str]:
    when = getattr(node, "when", None)
    return [] if when is None else [f"if {when.text}"]


def _inside_line(node: Any, inside: PipelineLike | None) -> Iterable[str]:
    if inside is None:
        return []
    count = f"{len(inside.nodes)} node{'s' * (len(inside.nodes) != 1)}"
    over = listed(node.map_over, WIDEST - 14) if node.map_over else ""
    return [f"{count}, for each {over}" if over else count]


def _hint(graph: Graph, node: NodeLike, became: Sequence[str]) -> str:
    defaults = {name: default_text(value) for name, value in node.defaults.items()}
    typed = {
        name: _typed(name, _type_text(node, "input_hint", name))
        for name in shown_inputs(graph, node)
    }
    inputs = [
        f"{text} = {defaults[name]}" if defaults.get(name) else text for name, text in typed.items()
    ]
    outputs = [_typed(name, _type_text(node, "output_hint", name)) for name in node.outputs]
    bound = [f"{name} = {value_text(value)}" for name, value in node.bound.items()]
    parts = [
        f"{node.name} ({node.where})",
        f"takes {listed(inputs, 300)}" if inputs else "takes nothing",
        f"bound: {listed(bound, 200)}" if bound else "",
        f"gives {listed(outputs, 300)}",
        *[f"runs only {line}" for line in _condition_line(node)],
        *became,
    ]
    return "\n".join(filter(None, parts))


WIDEST = 30
"""Letters in a box."""
_MOST = 5  # lines in it


def input_groups(graph: Graph, nodes: Sequence[NodeLike]) -> dict[tuple[NodeLike, ...], list[str]]:
    """Nodes -> the inputs that exactly these of *nodes* read: they share one box."""
    inside = set(nodes)
    readers: dict[str, list[NodeLike]] = {}
    for node in nodes:
        for name in shown_inputs(graph, node):
            if graph.producers.get(name) not in inside:
                readers.setdefault(name, []).append(node)
    groups: dict[tuple[NodeLike, ...], list[str]] = {}
    for name, found in readers.items():
        groups.setdefault(tuple(found), []).append(name)
    return groups


def inputs_box(graph: Graph, names: list[str], bound: Mapping[str, Any]) -> Box:
    """One box for all of *names*, some of which may be *bound*."""
    texts = [
        f"{name} = {_made_or_value(bound[name])}" if name in bound else _input_text(graph, name)
        for name in names
    ]
    hint = "inputs: " if len(names) > 1 else "input: "
    shown = texts if len(texts) <= _MOST else texts[: _MOST - 1]
    more = [f"and {len(texts) - len(shown)} more"] if len(shown) < len(texts) else []
    lines = tuple(one_line(text, WIDEST) for text in [*shown, *more])
    return Box("inputs", "", lines, hint + listed(texts, 300))


def _input_text(graph: Graph, name: str) -> str:
    if name in graph.producers:
        return f"{name} (of {graph.producers[name].name})"
    types = dict.fromkeys(_type_text(one, "input_hint", name) for one in graph.readers[name])
    shown = _typed(name, " or ".join(filter(None, types)))
    if not graph.is_optional(name):
        return shown
    values = dict.fromkeys(default_text(one.defaults[name]) for one in graph.readers[name])
    found = " or ".join(filter(None, values))
    return f"{shown} = {found}" if found else f"{shown} (optional)"


class States:
    """The states of the nodes of one pipeline in its last run."""

    def __init__(self, last: LastRun | None, path: Path) -> None:
        self.last, self.path = last, path
        seen = {} if last is None else last.tallies
        #: False for a nested pipeline that ran in another process: its nodes send no events.
        self._seen = path in seen and bool(seen[path].nodes) if path else bool(seen)

    def of(self, name: str) -> tuple[str, str, str]:
        """State, state in words, and last error of the node *name*."""
        if self.last is None or not self._seen:
            return "", "", ""
        tally = self.last.tallies.get((*self.path, name))
        if tally is None or not tally.state:
            return "skipped", "did not run", ""
        return tally.state, _words(tally), one_line(tally.error or tally.why, 200)


def _words(tally: NodeStats) -> str:
    if tally.times > 1:
        counts = [
            f"{getattr(tally, state)} {state}"
            for state in ("succeeded", "cached", "failed", "skipped")
            if getattr(tally, state)
        ]
        return f"{', '.join(counts)}, {time_text(tally.seconds)}"
    if tally.state == "succeeded":
        return time_text(tally.seconds)
    if tally.state == "failed":
        return f"failed after {time_text(tally.seconds)}"
    return "did not run" if tally.state == "skipped" and not tally.why else tally.state


class Explanation(str):
    """Text that a prompt and a notebook show as it is, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{marked_up(self)}</pre>"


def explain_graph(
    pipeline: PipelineLike, from_node: str | None = None, to_node: str | None = None
) -> Explanation:
    """*pipeline*, or a part of it, in words: node by node, in running order. Runs nothing."""
    graph = pipeline.graph
    nodes = part_of(graph, from_node, to_node)
    lines = [_heading(pipeline, len(nodes))]
    for node in nodes:
        lines += ["", *_node_lines(pipeline, node, nodes)]
    return Explanation("\n".join(lines))


def _heading(pipeline: PipelineLike, count: int) -> str:
    every = len(pipeline.nodes)
    shown = f"{count} of {every} nodes" if count < every else f"{every} node{'s' * (every != 1)}"
    graph = pipeline.graph
    listed_names = {name for node in graph.nodes for name in shown_inputs(graph, node)}
    inputs = [
        f"{name} (optional)" if graph.is_optional(name) else name
        for name in pipeline.inputs
        if name in listed_names
    ]
    return f"pipeline {pipeline.name!r}: {shown}; inputs: {', '.join(inputs) or 'none'}"


def _node_lines(
    pipeline: PipelineLike, node: NodeLike, nodes: tuple[NodeLike, ...]
) -> Iterator[str]:
    graph, bound = pipeline.graph, pipeline.bound
    yield f"{node.name} ({node.where}){_inside(node)}"
    names = shown_inputs(graph, node)
    reasons = [
        (
            _parameter(node, name),
            _bound(bound[name]) if name in bound else _source(graph, node, name, nodes),
        )
        for name in names
    ]
    reasons += [(_parameter(node, name), _bound(value)) for name, value in node.bound.items()]
    wide = max((len(parameter) for parameter, _ in reasons), default=0)
    for parameter, reason in reasons:
        yield f"  {parameter:{wide}}  <- {reason}"
    yield from (f"  runs only {line}" for line in _condition_line(node))
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
    """The node's own name of the input *name*."""
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
    if isinstance(value, Recipe):
        return f"permanence {value} ({value.where})"  # type: ignore[attr-defined]  # a Permanence
    return f"bound to {value_text(value, 60)}"


def _made_or_value(value: object) -> str:
    return str(value) if isinstance(value, Recipe) else value_text(value)
