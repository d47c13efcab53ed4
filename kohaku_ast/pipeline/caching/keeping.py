"""A result of a run is put into the cache, with what ``explain_cache`` needs to know."""

from __future__ import annotations

from typing import Any

from kohaku_ast.pipeline.caching.explain import note
from kohaku_ast.pipeline.caching.kept_value import Cache, NotKept, dumps
from kohaku_ast.pipeline.caching.keys import Lineage
from kohaku_ast.pipeline.node_like import NodeLike


def keep(node: NodeLike, key: str, result: tuple[Any, ...], lineage: Lineage, cache: Cache) -> None:
    """Keep the outputs of *node*; if that cannot be done, say so once for each node."""
    try:
        cache.store(key, result)
    except NotKept as error:
        reason = _reason(node, result, error)
        message = f"the result of node {node.name!r} ({node.where}) is not kept: {reason}"
        lineage.keys.said.once(f"result of {node.name}", message)
    else:
        note(node, lineage, cache)


def _reason(node: NodeLike, result: tuple[Any, ...], error: NotKept) -> NotKept | str:
    """*error*, with the name of the output that it is about."""
    for name, value in zip(node.outputs, result):
        try:
            dumps(value)
        except NotKept as found:
            return f"the output {name!r} is {found}"
    return error
