"""What a graph asks of a node, whoever makes it: a function, a script, a pipeline."""

from __future__ import annotations

from typing import Any, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class NodeLike(Protocol):
    """Anything that can stand in ``Pipeline([...])``.

    It may also have ``input_hint(name)`` and ``output_hint(name)`` (types, for the check of
    the edges), and ``cache_identity()``: a tuple of values, functions and tuples of them that its
    results depend on beside its inputs, asked for before every run with a cache. It should be
    quick, and give equal objects as long as nothing has changed; without it the node counts by
    the code of its class and by its attributes.
    """

    @property
    def name(self) -> str:
        """What errors, callbacks and drawings call it."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names that it takes from the graph."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names that it gives to the graph."""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Name of an optional input -> its default."""

    @property
    def bound(self) -> Mapping[str, Any]:
        """Name -> value of what is no input any more."""

    @property
    def cache(self) -> bool:
        """Whether its results may be cached."""

    @property
    def is_async(self) -> bool:
        """Whether it has a ``call`` that returns a coroutine."""

    @property
    def where(self) -> str:
        """``file.py:12``."""

    def run(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the outputs. *values* lacks the inputs that keep their defaults."""
