"""A node and all that is above it as one digest, without the values that are given."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from kohaku_ast.pipeline.caching.code_identity import Identity, Unseen
from kohaku_ast.pipeline.caching.fingerprint import Unhashable, fingerprint, written
from kohaku_ast.pipeline.caching.known_code import digest_of_code
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import NodeLike
from kohaku_ast.pipeline.plan import Plan

_FORMAT = f"2 {sys.implementation.cache_tag} {sys.flags.optimize}"
"""Part of every key: the bytecode and the syntax tree of another Python are others, and with -O no
``assert`` is run."""


class Cone:
    """A node and all that is above it, without the values that are given."""

    __slots__ = ("digest", "inputs", "reason")

    def __init__(self, digest: bytes, inputs: tuple[str, ...], reason: str = "") -> None:
        self.digest = digest
        #: The given names that it reads, in the order in which they are met.
        self.inputs = inputs
        #: Why its results have no key; empty if they have.
        self.reason = reason


def make_cones(
    plan: Plan, identities: Mapping[NodeLike, Identity | Unseen]
) -> dict[NodeLike, Cone]:
    """The cone of every node, each made of those directly above it."""
    given = set(plan.given)
    above: dict[str, tuple[Cone, int]] = {}
    cones: dict[NodeLike, Cone] = {}
    for node in plan.nodes:
        cone = cones[node] = _cone(node, identities[node], given, above)
        for number, name in enumerate(node.outputs):
            above[name] = (cone, number)
    return cones


def _cone(
    node: NodeLike,
    identity: Identity | Unseen,
    given: set[str],
    above: Mapping[str, tuple[Cone, int]],
) -> Cone:
    if isinstance(identity, Unseen):
        return Cone(b"", (), _unseen(node, identity))
    inputs: dict[str, int] = {}
    parts: list[Any] = [_FORMAT, identity.digest, len(node.outputs)]
    for name, parameter in _parameters(node):
        if name in node.bound:
            found = _value(node, name, node.bound[name])
        elif name in given:
            found = (b"given", inputs.setdefault(name, len(inputs)))
        elif name in above:
            cone, number = above[name]
            if cone.reason:
                return Cone(b"", (), cone.reason)
            numbers = [inputs.setdefault(one, len(inputs)) for one in cone.inputs]
            found = (b"node", cone.digest, number, *numbers)
        else:
            found = _value(node, name, _default(node, name, parameter))
        if isinstance(found, Cone):
            return found
        parts.append((parameter, found))
    return Cone(fingerprint(tuple(parts)), tuple(inputs))


def _parameters(node: NodeLike) -> list[tuple[str, str]]:
    """Names in the graph and names in the function: renaming a graph changes no result."""
    if isinstance(node, Node):
        return [(one.name, one.parameter) for one in node.parameters]
    return [(name, name) for name in (*node.inputs, *node.bound)]


def _default(node: NodeLike, name: str, parameter: str) -> Any:
    """What the node will take: of a parameter by keyword the function's own default, as it is."""
    own = getattr(getattr(node, "function", None), "__kwdefaults__", None) or {}
    return own[parameter] if parameter in own else node.defaults[name]


def _value(node: NodeLike, name: str, value: Any) -> tuple[Any, ...] | Cone:
    """A bound value or a default, as it is now."""
    try:
        return (b"value", written(value, digest_of_code))
    except Unhashable as error:
        return Cone(b"", (), _unseen(node, Unseen(f"the value of {name!r}", error)))


def _unseen(node: NodeLike, unseen: Unseen) -> str:
    return (
        f"node {node.name!r} ({node.where}) and what is below it run uncached: what it reads holds "
        f"a {unseen.cause.type_name} ({unseen.part}), of which it cannot be told whether it is the "
        f"same next time. Make it inside the function, give it a method __kogine_fingerprint__(), "
        f"or take it as an input."
    )
