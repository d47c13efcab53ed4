"""The keys of a run's results in a cache: made of code and of the given values, of nothing else.

The outputs of a node are determined by its code, the code upstream and the given values. So the
key of the last node can be looked up before any node has run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from enum import Enum
from hashlib import blake2b
from pathlib import PurePath
from types import FunctionType, ModuleType
from typing import Any

from kohaku_ast.cache.change_detector import ChangeDetector
from kohaku_ast.cache.code_identity import (
    Identity,
    Unidentified,
    are_same,
    digest_of_code,
    identify,
)
from kohaku_ast.cache.disk import WarnOnce
from kohaku_ast.cache.fingerprint import (
    Unhashable,
    encoded,
    encoded_with_objects,
    fingerprint,
    is_plain,
)
from kohaku_ast.cache.hidden_parts import pickled_code
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import NodeLike, Recipe
from kohaku_ast.pipeline.plan import Plan


class _PlanState:
    """What the nodes of a plan read, at one point in time. Frozen: threads share it."""

    __slots__ = ("detector", "identities", "is_steady", "upstream", "values")

    def __init__(self, plan: Plan, before: Mapping[NodeLike, Identity | Unidentified]) -> None:
        #: The Identity of each node, or why it has none.
        self.identities = {node: _identity_now(node, before.get(node)) for node in plan.nodes}
        self.upstream = upstream_keys(plan, self.identities)
        #: Whether all parts have a fingerprint; if not, every run looks at them again.
        self.is_steady = not any(upstream_key.reason for upstream_key in self.upstream.values())
        found = [one for one in self.identities.values() if isinstance(one, Identity)]
        values = {(id(one[0]), one[2]): one for each in found for one in each.values}
        steady = _own_values(plan) if self.is_steady else ()
        own = [(one, fingerprint(one, digest_of_code), digest_of_code) for one in steady]
        self.values = [*values.values(), *own]
        self.detector = ChangeDetector.of_all(one.detector for one in found)

    def holds(self) -> bool:
        """Whether nothing has changed."""
        return self.is_steady and self.detector.holds() and are_same(self.values)


class PlanKeys:
    """The part of the keys that all runs of one Plan share."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.warnings = WarnOnce()
        self.outputs = {name for node in plan.nodes for name in node.outputs}
        #: Nodes whose Identity was stored for ``explain_cache``.
        self.noted: dict[NodeLike, Identity] = {}
        self._state: _PlanState | None = None

    def look(self) -> _PlanState:
        """The state of everything that the nodes read, now: a constant may have changed."""
        state = self._state
        if state is None or not state.holds():
            state = self._state = _PlanState(self.plan, {} if state is None else state.identities)
        return state


def plan_keys(plan: Plan) -> PlanKeys:
    """The PlanKeys of *plan*, made once."""
    keys = plan.keys
    if not isinstance(keys, PlanKeys):
        keys = plan.keys = PlanKeys(plan)
    return keys


class Lineage:
    """The keys of one run. *inputs* has a value for each name that the plan was given."""

    __slots__ = ("_inputs", "_state", "_tokens", "_upstream", "keys")

    def __init__(self, plan: Plan, inputs: Mapping[str, Any]) -> None:
        self.keys = plan_keys(plan)
        self._state = self.keys.look()
        self._upstream = self._state.upstream
        self._inputs = inputs
        self._tokens: dict[str, _Token | Unhashable] = {}

    def key_of(self, node: NodeLike) -> str | None:
        """The key of the outputs of *node*; None if it has none, with a warning once."""
        if not node.cache:
            return None
        upstream_key = self._upstream[node]
        if upstream_key.reason:
            self.keys.warnings.warn(upstream_key.reason, upstream_key.reason)
            return None
        parts = [upstream_key.digest]
        objects = []
        for name in upstream_key.inputs:
            token = self._tokens.get(name)
            if token is None:
                token = self._token(name)
            if isinstance(token, Unhashable):
                reason = unhashable_input(self.keys.plan, name, token)
                self.keys.warnings.warn(reason, reason)
                return None
            parts.append(b"%d:" % len(token[0]))
            parts.append(token[0])
            objects.append(token[1])
        if sum(map(bool, objects)) > 1:
            parts.append(_shared(objects))
        return blake2b(b"".join(parts), digest_size=20).hexdigest()

    def why_not(self, node: NodeLike) -> str:
        """Why *node* has no key; empty if it has one."""
        if not node.cache:
            return "cache=False"
        for name in self._upstream[node].inputs:
            token = self._token(name)
            if isinstance(token, Unhashable):
                return unhashable_input(self.keys.plan, name, token)
        return self._upstream[node].reason

    def identity_of(self, node: NodeLike) -> Identity | None:
        """The Identity of *node*; None if it has none."""
        found = self._state.identities.get(node)
        return found if isinstance(found, Identity) else None

    def inputs_of(self, node: NodeLike) -> tuple[str, ...]:
        """The given names that the results of *node* depend on."""
        return self._upstream[node].inputs

    def is_given(self, name: str) -> bool:
        """Whether a given value or the output of a node replaces a default."""
        return name in self._inputs or name in self.keys.outputs

    def _token(self, name: str) -> _Token | Unhashable:
        found: _Token | Unhashable
        try:
            found = _token(self._inputs[name])
        except Unhashable as error:
            found = error
        self._tokens[name] = found
        return found


_Token = tuple[bytes, list[Any]]
"""A value as bytes, and the objects in it that are more than their content."""


def _token(value: Any) -> _Token:
    if isinstance(value, Recipe):
        return _digest_of(value), []
    if type(value) is object:
        raise Unhashable(value, "known by its identity only")
    named = pickled_code(value) if type(value) is bytes else ()
    if named:
        return encoded((value, *named), digest_of_code), []
    return encoded_with_objects(value, digest_of_code)


def _digest_of(recipe: Recipe) -> bytes:
    """The digest of the factory and its parameters, searched again only if something has changed:
    each item of a map needs it.
    """
    found = recipe.identity
    if not (isinstance(found, Identity) and found.holds()):
        try:
            found = recipe.identity = identify(recipe, defaults=True)
        except Unidentified as error:
            raise error.cause from None
    return found.digest


def _shared(inputs: list[list[Any]]) -> bytes:
    """Which objects several inputs share, so that one list given twice differs from two equal ones;
    empty if there are none.
    """
    places: dict[int, tuple[int, int]] = {}
    shared: list[tuple[int, int, int, int]] = []
    for number, objects in enumerate(inputs):
        for at, one in enumerate(objects):
            first = places.setdefault(id(one), (number, at))
            if first[0] != number and _can_change(one):
                shared.append((*first, number, at))
                if at == 0:
                    break  # the whole value: all that is in it is shared
    return encoded(tuple(shared)) if shared else b""


_CONTAINERS = (list, dict, set, bytearray)
_LASTING = (type, FunctionType, ModuleType, Enum, PurePath)


def _can_change(one: Any) -> bool:
    kind = type(one)
    if kind in _CONTAINERS or kind.__module__.partition(".")[0] in ("numpy", "torch"):
        return not kind.__name__.endswith("dtype") and "DType" not in kind.__name__
    return hasattr(one, "__dict__") and not isinstance(one, _LASTING)


def unhashable_input(plan: Plan, name: str, error: Unhashable) -> str:
    """Why a node runs uncached: a given value has no fingerprint."""
    node = next(one for one in plan.nodes if name in one.inputs)
    return (
        f"node {node.name!r} ({node.where}) and the nodes after it run uncached: the input "
        f"{name!r} holds a {error.type_name}, which has no fingerprint: nothing shows whether it "
        f"is the same next time. Give it a method __kogine_fingerprint__() that returns its "
        f"content, or give the node plain data."
    )


def _identity_now(
    node: NodeLike, before: Identity | Unidentified | None
) -> Identity | Unidentified:
    if isinstance(before, Identity) and before.holds():
        return before
    try:
        return identify(node.function if isinstance(node, Node) else node)
    except Unidentified as error:
        return error


def _own_values(plan: Plan) -> list[Any]:
    """The bound values and defaults that can change in place."""
    found = [
        value for node in plan.nodes for value in (*node.bound.values(), *node.defaults.values())
    ]
    conditions = [one for one in (getattr(node, "when", None) for node in plan.nodes) if one]
    found += [one.given for one in conditions]
    return [value for value in found if not is_plain(value)]


_FORMAT = f"2 {sys.implementation.cache_tag} {sys.flags.optimize}"
"""Part of every key: bytecode and syntax trees differ between Pythons, and -O drops ``assert``."""


class UpstreamKey:
    """The key of a node and everything upstream of it, without the given values."""

    __slots__ = ("digest", "inputs", "reason")

    def __init__(self, digest: bytes, inputs: tuple[str, ...], reason: str = "") -> None:
        self.digest = digest
        #: The given names that it depends on, in the order of their first use.
        self.inputs = inputs
        #: Why its results have no key; empty if they have one.
        self.reason = reason


def upstream_keys(
    plan: Plan, identities: Mapping[NodeLike, Identity | Unidentified]
) -> dict[NodeLike, UpstreamKey]:
    """The UpstreamKey of every node, each made of those directly upstream."""
    given = set(plan.given)
    above: dict[str, tuple[UpstreamKey, int]] = {}
    upstream: dict[NodeLike, UpstreamKey] = {}
    for node in plan.nodes:
        upstream_key = upstream[node] = _upstream_key(node, identities[node], given, above)
        for number, name in enumerate(node.outputs):
            above[name] = (upstream_key, number)
    return upstream


def _upstream_key(
    node: NodeLike,
    identity: Identity | Unidentified,
    given: set[str],
    above: Mapping[str, tuple[UpstreamKey, int]],
) -> UpstreamKey:
    if isinstance(identity, Unidentified):
        return UpstreamKey(b"", (), _uncached_reason(node, identity))
    inputs: dict[str, int] = {}
    parts: list[Any] = [_FORMAT, identity.digest, len(node.outputs)]
    for name, parameter in _parameters(node, lambda one: one in given or one in above):
        if name in node.bound:
            found = _value(node, name, node.bound[name])
        elif name in given:
            found = (b"given", inputs.setdefault(name, len(inputs)))
        elif name in above:
            upstream_key, number = above[name]
            if upstream_key.reason:
                return UpstreamKey(b"", (), upstream_key.reason)
            numbers = [inputs.setdefault(one, len(inputs)) for one in upstream_key.inputs]
            found = (b"node", upstream_key.digest, number, *numbers)
        else:
            found = _value(node, name, _default(node, name, parameter))
        if isinstance(found, UpstreamKey):
            return found
        parts.append((parameter, found))
    if node_condition := getattr(node, "when", None):
        found = _value(node, "when", node_condition.identity)
        if isinstance(found, UpstreamKey):
            return found
        parts.append(("when", found))
    return UpstreamKey(fingerprint(tuple(parts)), tuple(inputs))


def _parameters(node: NodeLike, has_value: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Names in the graph and in the function. Keys have the latter, so renaming keeps them."""
    if isinstance(node, Node):
        found = [(one.name, one.parameter) for one in node.parameters]
        known = {one.name for one in node.parameters}
        more = () if node.when is None else node.when.reads.values()
        return found + [(name, f"when {name}") for name in more if name not in known]
    find: _Find | None = getattr(node, "key_parameters", None)
    return find(has_value) if find else [(name, name) for name in (*node.inputs, *node.bound)]


_Find = Callable[[Callable[[str], bool]], list[tuple[str, str]]]


def _default(node: NodeLike, name: str, parameter: str) -> Any:
    """The default that the node will use; for a keyword-only parameter the current one."""
    own = getattr(getattr(node, "function", None), "__kwdefaults__", None) or {}
    return own[parameter] if parameter in own else node.defaults[name]


def _value(node: NodeLike, name: str, value: Any) -> tuple[Any, ...] | UpstreamKey:
    """A bound value or a default, as it is now."""
    try:
        return (b"value", encoded(value, digest_of_code))
    except Unhashable as error:
        return UpstreamKey(
            b"", (), _uncached_reason(node, Unidentified(f"the value of {name!r}", error))
        )


def _uncached_reason(node: NodeLike, unidentified: Unidentified) -> str:
    return (
        f"node {node.name!r} ({node.where}) and the nodes after it run uncached: the node reads a "
        f"{unidentified.cause.type_name} ({unidentified.part}), which has no fingerprint: nothing "
        f"shows whether it is the same next time. Make it inside the function, give it a method "
        f"__kogine_fingerprint__(), or take it as an input."
    )
