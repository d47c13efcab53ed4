"""What callers give to a Pipeline, checked: mistakes are told where they are made."""

from __future__ import annotations

from kohaku_ast.errors import PipelineError
from kohaku_ast.pipeline.callbacks import Callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike

_OF_NODES = ("inputs", "outputs", "defaults", "run")


def listed_nodes(nodes: Any) -> list[NodeLike]:
    """The nodes, with pipelines among them as nodes. Raises PipelineError for what is none."""
    if isinstance(nodes, str) or not hasattr(nodes, "__iter__"):
        raise PipelineError(f"nodes is {nodes!r}: give a list of nodes.")
    return [_as_node(one) for one in nodes]


def _as_node(one: Any) -> NodeLike:
    if callable(getattr(one, "as_node", None)):
        return one.as_node()  # type: ignore[no-any-return]
    if not all(hasattr(one, name) for name in _OF_NODES):
        what = getattr(one, "__name__", None)
        raise PipelineError(
            f"{what or one!r} is no node"
            + (': decorate it with @node(output_name="...").' if what else ".")
        )
    return one  # type: ignore[no-any-return]


def checked_cache(cache: Any) -> Any:
    """*cache*. Raises PipelineError if it cannot load and store."""
    if cache is None or (hasattr(cache, "load") and hasattr(cache, "store")):
        return cache
    hint = f"DiskCache({cache!r})" if isinstance(cache, str) else "a DiskCache or a MemoryCache"
    raise PipelineError(f"cache is {cache!r}: give {hint}.")


def checked_callbacks(callbacks: Iterable[Callback] | None) -> tuple[Callback, ...] | None:
    """The callbacks. Raises PipelineError for what is none."""
    if callbacks is None:
        return None
    if not hasattr(callbacks, "__iter__"):
        raise PipelineError(f"callbacks is {callbacks!r}: give a list of them.")
    found = tuple(callbacks)
    for one in found:
        if isinstance(one, type):
            raise PipelineError(f"a callback is the class {one.__name__}: give {one.__name__}().")
        if not isinstance(one, Callback):
            raise PipelineError(f"{one!r} is no callback: derive its class from Callback.")
    return found


def merged(inputs: Mapping[str, Any] | None, named: dict[str, Any]) -> dict[str, Any]:
    """The values in *inputs* and those given as keywords."""
    if inputs is None:
        return named
    if not hasattr(inputs, "keys"):
        raise PipelineError(
            f"inputs is a {type(inputs).__name__}: give a dict, or the values by name."
        )
    both = [name for name in named if name in inputs]
    if both:
        raise PipelineError(f"the input {both[0]!r} is given twice: in the dict and by name.")
    return {**inputs, **named}


def asked_names(output_name: str | Collection[str] | None) -> str | tuple[str, ...] | None:
    """*output_name*, fit to be a key. Raises PipelineError for what names nothing."""
    if output_name is None or isinstance(output_name, str):
        return output_name
    names = tuple(output_name) if hasattr(output_name, "__iter__") else None
    if names is not None and all(isinstance(name, str) for name in names):
        return names
    raise PipelineError(f"output_name is {output_name!r}: give a name, or a list of names.")
