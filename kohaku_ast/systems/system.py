"""``System([camera, planner])``: connected components, which engines run."""

from __future__ import annotations

import os
from typing import Any

from kohaku_ast.display.graph_layout import ORIENTS, Box, Link, Sketch
from kohaku_ast.errors import (
    PATHS,
    SystemsError,
    SystemsTypeError,
    UsageError,
    check_type,
    read_number,
    unknown,
)
from kohaku_ast.pipeline.drawing import Drawing
from kohaku_ast.pipeline.edge_types import name_of
from kohaku_ast.systems.component import Component, Delay, configure
from kohaku_ast.systems.connections import connection_issues, edges, running_order
from kohaku_ast.systems.engine import NODE_VARIABLE, Artefact, Engine, Handle, Issue, get_engine
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kohaku_ast.systems.node import Node


@public
class System:
    """Components, connected by their ports, and the nodes that they run on."""

    def __init__(self, components: Iterable[Component], name: str = "system") -> None:
        """Raises SystemsError if two components, or two nodes, have the same name."""
        check_type(name, str, "the name of a system is a text", SystemsError)
        #: What drawings and errors call it.
        self.name = name
        found = [*components]
        for one in found:
            check_type(one, Component, "components are objects of Component", SystemsError)
        #: The components, by name.
        self.components: Mapping[str, Component] = _by_name("components", found)
        nodes = dict.fromkeys(one.node for one in found)
        #: The nodes of the components, by name.
        self.nodes: Mapping[str, Node] = _by_name("nodes", nodes)
        if not found:
            raise SystemsError("a system needs a component: System([camera, planner])")

    def get_node(self, name: str) -> Node:
        """The node called *name*. Raises SystemsError."""
        if name not in self.nodes:
            raise SystemsError(unknown("node", name, self.nodes))
        return self.nodes[name]

    def get_components_by_node(self, node: str | Node) -> list[Component]:
        """The components on *node*, or on the one with that name."""
        found = self.get_node(node) if isinstance(node, str) else node
        return [one for one in self.components.values() if one.node is found]

    def validate(self, engine: str | Engine | None = None) -> list[Issue]:
        """Everything that keeps it from running on *engine* (without it: on that of its nodes)."""
        found = connection_issues(self.components)
        mixed = self._mixed() if engine is None else []
        if not found and not mixed:
            found += self.engine(engine).validate(self)
        return found + mixed

    def engine(self, engine: str | Engine | None = None) -> Engine:
        """*engine*, or the one that all nodes name. Raises SystemsError if they name several."""
        mixed = self._mixed() if engine is None else []
        if mixed:
            raise SystemsError(str(mixed[0]))
        return get_engine(engine or next(iter(self.nodes.values())).engine)

    def _mixed(self) -> list[Issue]:
        first, *others = self.nodes.values()
        for one in others:
            if one.engine != first.engine:
                text = (
                    f"mixed engines: the node {first.name!r} has the engine {first.engine!r}, and "
                    f"{one.name!r} has {one.engine!r}. A system runs on one: give both nodes the "
                    "same, or name it: launch(engine=...)."
                )
                return [Issue(text)]
        return []

    def check(self, engine: str | Engine | None = None) -> Engine:
        """The engine that can run it. Raises SystemsError with everything that is wrong."""
        issues = self.validate(engine)
        if issues:
            listed = "\n".join(f"- {one}" for one in issues)
            raise SystemsError(
                str(issues[0])
                if len(issues) == 1
                else f"system {self.name!r} cannot run:\n{listed}"
            )
        return self.engine(engine)

    def compile(
        self, folder: str | os.PathLike[str], engine: str | Engine | None = None
    ) -> Artefact:
        """Write the files that *engine* runs to *folder*. Raises SystemsError."""
        check_type(folder, PATHS, "folder is the name of a folder", SystemsError)
        found = self.check(engine)
        path = os.path.abspath(folder)
        os.makedirs(path, exist_ok=True)
        return found.compile(self, path)

    def launch(
        self,
        iterations: int | None = None,
        engine: str | Engine | None = None,
        folder: str | os.PathLike[str] = "",
        **options: Any,
    ) -> Handle:
        """Start it, and return at once. Each source does as many steps as *iterations*, or goes on
        until ``stop()``. *engine* replaces that of the nodes; *folder* is for its files; *options*
        are the engine's own. Raises SystemsError.
        """
        if NODE_VARIABLE in os.environ:
            raise SystemsError(
                f"system {self.name!r} is launched while a node imports its file: launch it below "
                'if __name__ == "__main__":'
            )
        if iterations is not None:
            read_number("iterations", iterations, 0, of=SystemsError)
        found = self.check(engine)
        artefact = self.compile(folder, found) if folder else found.compile(self, "")
        return found.launch(artefact, iterations, **options)

    def run(
        self,
        iterations: int | None = None,
        engine: str | Engine | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> Handle:
        """The same, and wait for the end; raises what a component raised. It is stopped after
        *timeout* seconds, with a TimeoutError, and at Ctrl-C.
        """
        handle = None
        try:
            handle = self.launch(iterations, engine, **options)
            handle.wait(timeout)
        except (TimeoutError, KeyboardInterrupt):
            if handle is not None:
                handle.stop()
            raise
        return handle

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Give fields of configs, and rates of sources, other values: ``{"camera.width": 64}``.
        Raises SystemsError.
        """
        for name, value in settings.items():
            configure(self._component_of(name), name.partition(".")[2], value)

    def setting_type(self, name: str) -> Any:
        """The type of the setting ``camera.width``. Raises SystemsError for an unknown one."""
        import typing

        component, setting = self._component_of(name), name.partition(".")[2]
        if setting == "rate":
            return float | None
        try:
            return typing.get_type_hints(component.Config)[setting]
        except NameError:  # a name under TYPE_CHECKING: no hint is no error
            return Any

    def _component_of(self, setting: str) -> Component:
        """The component that has the *setting* ``camera.width``. Raises SystemsError."""
        known = dict(self._settings())
        if setting not in known:
            raise SystemsError(
                unknown("setting", setting, known) if known else _no_setting(setting)
            )
        return known[setting]

    def _settings(self) -> Iterator[tuple[str, Component]]:
        import dataclasses

        for name, one in self.components.items():
            for field in dataclasses.fields(one.Config) if one.Config else ():
                yield f"{name}.{field.name}", one
            if one.is_source:
                yield f"{name}.rate", one

    def graph(self, orient: str = "TB") -> Drawing:
        """A picture of it, to show in a notebook or save as .svg, .html or .mmd."""
        if orient not in ORIENTS:
            raise UsageError(unknown("orient", str(orient), ORIENTS))
        return Drawing(_sketch(self), orient)

    def __repr__(self) -> str:
        nodes = ", ".join(
            f"{', '.join(one.name for one in self.get_components_by_node(node))} on {node.where}"
            for node in self.nodes.values()
        )
        return f"<system {self.name}: {nodes}>"

    def _repr_html_(self) -> str:
        return self.graph()._repr_html_()


def _no_setting(name: str) -> str:
    return f"unknown setting {name!r}: no component of the system has a Config, or is a source."


def _by_name(what: str, found: Iterable[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for one in found:
        if not isinstance(getattr(one, "name", None), str):
            raise SystemsTypeError(f"{one!r} has no name")
        if named.setdefault(one.name, one) is not one:
            raise SystemsError(
                f"two {what} are called {one.name!r}: give one another name: name=..."
            )
    return named


def _sketch(system: System) -> Sketch:
    """The boxes in running order. A delay is two: the one that sends stands above."""
    order = running_order(system.components)
    delays = [one for one in order if isinstance(one, Delay)]
    boxes = [Box("inputs", "", (f"{one.name}: one step ago",), f"{one!r}") for one in delays]
    senders = {id(one): at for at, one in enumerate(delays)}
    places = {id(one): at for at, one in enumerate(order, len(delays))}
    boxes += [_box(one) for one in order]
    links: dict[tuple[int, int], list[str]] = {}
    for source, target in edges(system.components):
        start = senders.get(id(source.owner), places[id(source.owner)])
        links.setdefault((start, places[id(target.owner)]), []).append(source.name)
    found = tuple(Link(*ends, tuple(dict.fromkeys(names))) for ends, names in links.items())
    return Sketch(system.name, tuple(boxes), found, what=("system", "component"))


def _box(component: Component) -> Box:
    kind = type(component).__name__
    rate = [f"{component.rate:g} steps a second"] if component.rate else []
    lines = [f"@ {component.node.name}", *rate]
    ports = [f"{name}: {name_of(one.type)}" for name, one in component.declared.items()]
    hint = [f"{component.name} ({kind}) on {component.node.where}", *ports]
    hint += [repr(component.config)] if component.config is not None else []
    return Box("node", component.name, tuple(lines), "\n".join(hint))
