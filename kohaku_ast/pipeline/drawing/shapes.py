"""What a picture shows: boxes and the links between them, not yet where they are."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


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
