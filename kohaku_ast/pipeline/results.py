"""What a node returned, as the values of its outputs."""

from __future__ import annotations

from kohaku_ast.errors import PipelineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike


def split(node: NodeLike, result: Any) -> tuple[Any, ...]:
    """The values of the outputs of *node*. Raises PipelineError if *result* is not one for each."""
    if len(node.outputs) == 1:
        return (result,)
    if isinstance(result, (str, bytes, dict, set, frozenset)) or not hasattr(result, "__len__"):
        raise PipelineError(_message(node, f"a {type(result).__name__}"))
    if len(result) != len(node.outputs):
        raise PipelineError(_message(node, f"{len(result)} of them"))
    return tuple(result)


def _message(node: NodeLike, got: str) -> str:
    return (
        f"node {node.name!r} ({node.where}) has {len(node.outputs)} outputs "
        f"({', '.join(node.outputs)}) and must return a tuple of as many values; it returned {got}."
    )
