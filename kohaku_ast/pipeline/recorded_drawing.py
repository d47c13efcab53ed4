"""The drawing of a recorded run of a pipeline, made from its record: no file of the user's is read.

A record may be damaged, or made by another version: what it lacks is not drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kohaku_ast.display.graph_layout import Box, Link, Sketch, listed, one_line, time_text
from kohaku_ast.pipeline.drawing import WIDEST, Drawing
from kohaku_ast.store.pipeline_record import PIPELINE, nodes_of
from kohaku_ast.store.record import Record, param_forms
from kohaku_ast.store.values import form_text

_STATES = {
    "interrupted": "failed",
    "lost": "failed",
    "not run": "skipped",
    "skipped": "skipped",
    "waiting": "",
}
"""State in a record -> the state whose colour its box has; others have their own."""
_COLOURED = ("succeeded", "cached", "failed", "running")

_LinkOf = Callable[[str], str]


def draw_record(record: Record, link: _LinkOf = lambda name: "") -> Drawing:
    """The nodes of the run *record*, with their states, nested pipelines open. *link* gives the
    address that the box of the node with this name leads to; empty: none.
    """
    return Drawing(_Level(record, link).sketch("", record.facts[PIPELINE]["name"]))


def has_graph(record: Record) -> bool:
    """Whether *record* says how its nodes are joined: those of older versions do not."""
    return isinstance(record.facts[PIPELINE].get("graph"), list)


class _Level:
    """Draws the nodes of one pipeline, and of those inside of it."""

    def __init__(self, record: Record, link: _LinkOf) -> None:
        self._link = link
        self._states = {str(one["name"]): one for one in nodes_of(record)}
        self._values = {name: form_text(one) for name, one in param_forms(record.facts).items()}
        graph = record.facts[PIPELINE].get("graph") or []
        self._fields: dict[str, Mapping[str, Any]] = {str(one["name"]): one for one in graph}
        # A pipeline with if and for calls a node several times: the later calls are no graph.
        self._fields |= {name: {"name": name} for name in self._states if name not in self._fields}

    def sketch(self, path: str, title: str) -> Sketch:
        """The nodes below *path*, which ends in a slash or is empty."""
        fields = [one for name, one in self._fields.items() if _is_in(name, path)]
        makers = {name: at for at, one in enumerate(fields) for name in _names(one, "outputs")}
        groups = _shared_inputs(fields, makers)
        first = len(groups)
        boxes = [self._inputs(names, path) for names in groups.values()]
        boxes += [self._box(one, path) for one in fields]
        links = [
            Link(number, first + at, tuple(names))
            for number, (readers, names) in enumerate(groups.items())
            for at in readers
        ]
        links += [
            Link(first + source, first + at, tuple(names))
            for at, one in enumerate(fields)
            for source, names in _sources(one, makers).items()
            if source < at
        ]
        return Sketch(title, tuple(boxes), tuple(links))

    def _inputs(self, names: Sequence[str], path: str) -> Box:
        values = {} if path else self._values  # inside, the node around it gives them
        texts = [f"{name} = {values[name]}" if name in values else name for name in names]
        shown = (
            texts
            if len(texts) <= _MOST
            else [*texts[: _MOST - 1], f"and {len(texts) - _MOST + 1} more"]
        )
        return Box("inputs", "", tuple(one_line(one, WIDEST) for one in shown), listed(texts, 300))

    def _box(self, field: Mapping[str, Any], path: str) -> Box:
        name = str(field["name"])
        state = self._states.get(name, {})
        own = name.removeprefix(path)
        has_inside = any(_is_in(one, f"{name}/") for one in self._fields)
        lines = [line for line in _lines(field, own, state) if line]
        status = str(state.get("status", ""))
        return Box(
            kind="pipeline" if has_inside else "node",
            title=one_line(own, WIDEST),
            lines=tuple(one_line(line, WIDEST + 6) for line in lines),
            hint="\n".join([name, *lines, *_failure(state)]),
            state=_STATES.get(status, status if status in _COLOURED else ""),
            inner=self.sketch(f"{name}/", own) if has_inside else None,
            link=self._link(name),
        )


_MOST = 5
"""Lines of a box of inputs."""


def _is_in(name: str, path: str) -> bool:
    return name.startswith(path) and "/" not in name[len(path) :]


def _names(field: Mapping[str, Any], kind: str) -> list[str]:
    found = field.get(kind)
    return [*map(str, found)] if isinstance(found, list) else []


def _sources(field: Mapping[str, Any], makers: Mapping[str, int]) -> dict[int, list[str]]:
    """The positions of the nodes whose outputs the node *field* takes -> the names of these."""
    found: dict[int, list[str]] = {}
    for name in _names(field, "inputs"):
        if name in makers:
            found.setdefault(makers[name], []).append(name)
    return found


def _shared_inputs(
    fields: Sequence[Mapping[str, Any]], makers: Mapping[str, int]
) -> dict[tuple[int, ...], list[str]]:
    """Positions of nodes -> the inputs that exactly these read, which share a box."""
    readers: dict[str, list[int]] = {}
    for at, one in enumerate(fields):
        for name in _names(one, "inputs"):
            if name not in makers:
                readers.setdefault(name, []).append(at)
    groups: dict[tuple[int, ...], list[str]] = {}
    for name, found in readers.items():
        groups.setdefault(tuple(found), []).append(name)
    return groups


def _lines(field: Mapping[str, Any], own: str, state: Mapping[str, Any]) -> Iterator[str]:
    outputs = _names(field, "outputs")
    yield f"→ {listed(outputs, WIDEST - 12)}" if outputs not in ([], [own]) else ""
    yield f"if {field['when']}" if field.get("when") else ""
    over = _names(field, "over")
    yield f"for each {listed(over, WIDEST - 14)}" if over else ""
    yield node_words(state)


def node_words(state: Mapping[str, Any]) -> str:
    """What became of a node, one of the field ``nodes``: ``succeeded, 3 ms``."""
    seconds, times = state.get("seconds"), state.get("times")
    parts = [str(state.get("status", ""))]
    parts += [f"{times} times"] if times else []
    parts += [f"{state['failures']} failed"] if state.get("failures") else []
    parts += [time_text(seconds)] if isinstance(seconds, (int, float)) else []
    return ", ".join(filter(None, parts))


def _failure(state: Mapping[str, Any]) -> list[str]:
    error = state.get("error") or {}
    text = f"{error['type']}: {error.get('message', '')}" if error.get("type") else state.get("why")
    return [one_line(str(text), 200)] if text else []
