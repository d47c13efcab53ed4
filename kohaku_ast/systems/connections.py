"""The connections of a system: its edges, the order of its components, and what is wrong."""

from __future__ import annotations

from kohaku_ast.pipeline.edge_types import fits, name_of
from kohaku_ast.pipeline.node import REQUIRED
from kohaku_ast.systems.component import Component, Delay
from kohaku_ast.systems.engine import Issue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kohaku_ast.systems.ports import Input, Output

    Components = Mapping[str, Component]


def edges(components: Components) -> Iterator[tuple[Output, Input]]:
    """Each connection: from an output to an input."""
    for one in components.values():
        for target in one.inputs.values():
            if target.source is not None:
                yield target.source, target


def running_order(components: Components) -> list[Component]:
    """The components, each after those that feed it, except that a delay may feed earlier ones;
    those in a cycle without a delay stand at the end.
    """
    left = {one: _feeders(one) for one in components.values()}
    order: list[Component] = []
    while free := [one for one, needs in left.items() if not needs & left.keys()]:
        order += free
        for one in free:
            del left[one]
    return [*order, *left]


def _feeders(component: Component) -> set[Component]:
    """The components that feed *component* in the same step."""
    sources = [one.source for one in component.inputs.values() if one.source is not None]
    return {one.owner for one in sources if not isinstance(one.owner, Delay)}


def connection_issues(components: Components) -> list[Issue]:
    """What is wrong with the connections, whatever the engine."""
    texts = [
        *_not_callable(components),
        *_missing(components),
        *_outside(components),
        *_misfits(components),
        *_cycles(components),
        *_without_source(components),
    ]
    return [Issue(one) for one in texts]


def _not_callable(components: Components) -> Iterator[str]:
    for one in components.values():
        if not (hasattr(one, "step") or hasattr(one, "forward")):
            kind = type(one).__name__
            yield f"{one.name}: {kind} has no step: define step(self, ...) or forward(self, ...)."


def _missing(components: Components) -> Iterator[str]:
    outputs = [port for one in components.values() for port in one.outputs.values()]
    for one in components.values():
        for name, port in one.inputs.items():
            if port.source is not None or port.default is not REQUIRED:
                continue
            near = [
                out.full_name
                for out in outputs
                if out.owner is not one and fits(out.type, port.type)
            ]
            alike = [out for out in near if out.endswith(f".{name}")] or near or ["camera.image"]
            yield (
                f"{port.full_name} is not connected: write {alike[0]} >> {port.full_name}, or give "
                "the input a default."
            )


def _outside(components: Components) -> Iterator[str]:
    inside = {id(one) for one in components.values()}
    for source, target in edges(components):
        if id(source.owner) not in inside:
            yield (
                f"{source.full_name} >> {target.full_name}{_at(target)}: {source.owner.name} is "
                "not among the components of the system: add it."
            )


def _at(target: Input) -> str:
    return f" ({target.where})" if target.where else ""


def _misfits(components: Components) -> Iterator[str]:
    for source, target in edges(components):
        if not fits(source.type, target.type):
            yield (
                f"{source.full_name} >> {target.full_name}{_at(target)}: {source.full_name} sends "
                f"{name_of(source.type)}, and {target.full_name} takes {name_of(target.type)}. Put "
                "a component between them, or correct a declaration."
            )


def _cycles(components: Components) -> Iterator[str]:
    start = next((one for one in components.values() if _is_in_cycle(one)), None)
    if start is not None:
        cycle = _cycle_of(start)
        yield (
            f"{' >> '.join(one.name for one in cycle)} is a cycle: each waits for the one before "
            "it. Put a component between two of them that sends first: Delay(initial=...)."
        )


def _cycle_of(start: Component) -> list[Component]:
    """The components of a cycle, beginning and ending with the same one."""
    way = [start]
    while True:
        before = next(one for one in _feeders(way[-1]) if _is_in_cycle(one))
        if before in way:
            return [before, *reversed(way[way.index(before) :])]
        way.append(before)


def _is_in_cycle(component: Component) -> bool:
    seen: set[Component] = set()
    todo = [*_feeders(component)]
    while todo:
        one = todo.pop()
        if one is component:
            return True
        if one not in seen:
            seen.add(one)
            todo += _feeders(one)
    return False


def _without_source(components: Components) -> Iterator[str]:
    """Components that nothing would end: each has to get messages from a source."""
    reached = {one for one in components.values() if one.is_source}
    size = -1
    while size < len(reached):
        size = len(reached)
        reached |= {
            target.owner
            for source, target in edges(components)
            if source.owner in reached or source.owner not in components.values()
        }
    for one in components.values():
        if one not in reached:
            yield (
                f"{one.name} gets messages from no source: it would never start, or never end. "
                "Connect a source to it, such as Timer(rate=10)."
            )
