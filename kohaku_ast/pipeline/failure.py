"""What is kept of a node that raised, and what its exception is told."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike


class Failure:
    """A node that raised, with all that it takes to raise again: ``Pipeline.last_error``."""

    def __init__(
        self,
        node: NodeLike,
        error: BaseException,
        inputs: Mapping[str, Any],
        results: Mapping[str, Any],
        item: int | None = None,
    ) -> None:
        #: The node that raised.
        self.node = node
        #: What it raised.
        self.error = error
        #: What it was given, by input.
        self.inputs = dict(inputs)
        #: What other nodes of the run had given by then, by output.
        self.results = dict(results)
        #: The item of the map, counted from 0.
        self.item = item

    def reproduce(self) -> Any:
        """Call the node again with the very same inputs: raises again what it raised, or gives
        the values of its outputs as ``Node.run`` does.
        """
        if not self.node.is_async:
            return self.node.run(self.inputs)
        from kohaku_ast.pipeline.awaited import run_async

        return run_async(self.node, self.inputs)

    def __str__(self) -> str:
        return note(self.node, self.inputs, self.item)

    def __repr__(self) -> str:
        return f"<{type(self.error).__name__} {self}>"


def note(node: NodeLike, inputs: Mapping[str, Any], item: int | None = None) -> str:
    """``in node 'fit' (train.py:12), item 3, with lr=0.1, data=[1, 2, ...]``."""
    from kohaku_ast.display.text import short_repr

    values = ", ".join(f"{name}={short_repr(value)}" for name, value in inputs.items())
    which = "" if item is None else f", item {item}"
    return f"in node {node.name!r} ({node.where}){which}{', with ' if values else ''}{values}"


def add_note(error: BaseException, text: str) -> None:
    """Have the traceback of *error* say *text* too."""
    if sys.version_info >= (3, 11):
        error.add_note(text)
        return
    # Tracebacks of Python 3.10 show no notes; a plain message can carry it.
    try:
        notes = [*getattr(error, "__notes__", ()), text]
        error.__dict__["__notes__"] = notes
        if len(error.args) == 1 and type(error.args[0]) is str and str(error) == error.args[0]:
            error.args = (f"{error.args[0]}\n{text}",)
    except Exception:  # an exception that takes no attributes
        pass


class FailedItem:
    """Stands for the result of an item of ``map(..., on_error="keep")`` that raised."""

    __slots__ = ("exception", "failure", "index")

    def __init__(self, index: int, exception: BaseException, failure: Failure | None) -> None:
        #: The item, counted from 0.
        self.index = index
        #: What it raised.
        self.exception = exception
        #: The node and what it was given.
        self.failure = failure

    def __bool__(self) -> bool:
        """False: ``[one for one in results if one]`` is what has succeeded."""
        return False

    def __repr__(self) -> str:
        return f"<item {self.index} failed: {type(self.exception).__name__}: {self.exception}>"
