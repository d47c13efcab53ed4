"""Callbacks: which events of a pipeline's run they get, and the context of an event."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Context:
    """Where in the run an event happens. Frozen, except ``data``, which callbacks share."""

    __slots__ = ("data", "depth", "item", "nodes", "path")

    def __init__(
        self,
        path: tuple[str, ...] = (),
        depth: int = 0,
        data: dict[str, Any] | None = None,
        item: int | None = None,
        nodes: tuple[str, ...] = (),
    ) -> None:
        #: Names from the outermost pipeline to here; an item of a map is ``"[3]"``.
        self.path = path
        #: How many pipelines are around this one.
        self.depth = depth
        #: The innermost map's item, counted from 0.
        self.item = item
        #: One dict for all callbacks of the whole run.
        self.data: dict[str, Any] = {} if data is None else data
        #: At the start of a pipeline or a map: the nodes that run unless they are cached.
        self.nodes = nodes

    def get(self, key: str, default: Any = None) -> Any:
        """The value that a callback of this run has set under *key*."""
        return self.data.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Share *value* with all callbacks of this run."""
        self.data[key] = value

    def inside(self, name: str, depth: int = 0) -> Context:
        """The context of the node or pipeline *name* in this one."""
        return Context((*self.path, name), self.depth + depth, self.data, self.item)

    def starting(self, nodes: tuple[str, ...]) -> Context:
        """The same context at the start of a pipeline or map of *nodes*."""
        return Context(self.path, self.depth, self.data, self.item, nodes)

    def at(self, item: int) -> Context:
        """The context of an item of a map."""
        return Context((*self.path, f"[{item}]"), self.depth, self.data, item)

    def __repr__(self) -> str:
        return f"<context {'/'.join(self.path)} depth={self.depth}>"


class Callback:
    """Base class of callbacks: override the events that you want. Every start has its end. If a
    node raises, ``on_error`` comes first, and the end has no outputs.

    Callbacks get one event at a time, even if nodes run in parallel. Events of another process
    come when its item or node has returned. An exception that a callback raises ends the run.
    """

    def on_pipeline_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """A pipeline starts, outermost or nested."""

    def on_pipeline_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """A pipeline has ended."""

    def on_node_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """A node starts."""

    def on_node_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """A node has ended."""

    def on_node_cached(self, name: str, key: str, context: Context) -> None:
        """The results of a node came from the cache; it has no start and no end."""

    def on_nested_start(self, name: str, pipeline: str, context: Context) -> None:
        """The node *name*, which is a pipeline, starts; its own events follow, one level deeper."""

    def on_nested_end(self, name: str, pipeline: str, seconds: float, context: Context) -> None:
        """A nested pipeline has ended."""

    def on_map_start(self, items: int, context: Context) -> None:
        """A map over *items* items starts."""

    def on_map_end(self, seconds: float, context: Context) -> None:
        """A map has ended."""

    def on_map_item_start(self, item: int, context: Context) -> None:
        """An item of a map starts."""

    def on_map_item_end(self, item: int, seconds: float, context: Context) -> None:
        """An item of a map has ended."""

    def on_error(self, name: str, error: BaseException, context: Context) -> None:
        """The node *name* has raised."""
