"""``Pipeline.explain_cache``: why each node would or would not run; and the notes it compares."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from kohaku_ast.cache.code_identity import digest_of_code
from kohaku_ast.cache.disk import Cache, DiskCache, NotCacheable, dumps
from kohaku_ast.cache.fingerprint import Unhashable, fingerprint
from kohaku_ast.pipeline.cache_keys import Lineage
from kohaku_ast.pipeline.condition import Skip, is_skip, skip_of
from kohaku_ast.pipeline.node_like import NodeLike
from kohaku_ast.pipeline.plan import Plan


@dataclass(frozen=True)
class NodeCache:
    """Whether one node would run, and why."""

    node: str
    #: ``kept`` (its result is loaded), ``not needed`` (the results after it are kept), ``runs``,
    #: ``skipped`` (its condition, as far as it is known before a run).
    state: str
    why: str
    #: The key of its result; None if it has none.
    key: str | None


@dataclass(frozen=True)
class CacheReport:
    """A row for each node, in running order. ``print`` shows it as a table."""

    rows: tuple[NodeCache, ...]

    def __getitem__(self, node: str) -> NodeCache:
        for row in self.rows:
            if row.node == node:
                return row
        raise KeyError(node)

    def __str__(self) -> str:
        wide = max((len(row.node) for row in self.rows), default=0)
        return "\n".join(f"{row.node:{wide}}  {row.state:10}  {row.why}" for row in self.rows)

    __repr__ = __str__


def explain_cache(plan: Plan, inputs: Mapping[str, Any], cache: Cache | None) -> CacheReport:
    """What a run of *plan* would load and what it would run. Runs nothing. If a nested pipeline
    would run, rows of its nodes follow it, provided that its inputs are given.
    """
    if cache is None:
        rows = [
            NodeCache(node.name, "runs", "the pipeline has no cache", None) for node in plan.nodes
        ]
        return CacheReport(tuple(rows))
    found = _Explained(plan, inputs, cache)
    return CacheReport(
        tuple([row for node in plan.nodes for row in (found.rows[node], *found.inside(node))])
    )


class _Explained:
    def __init__(self, plan: Plan, inputs: Mapping[str, Any], cache: Cache) -> None:
        self.plan, self.inputs, self.cache = plan, inputs, cache
        self.lineage = Lineage(plan, inputs)
        self.producers = {name: node for node in plan.nodes for name in node.outputs}
        self.changed = {node: self._changed(node) for node in plan.nodes}
        #: The nodes whose conditions a run alone can tell.
        self.unclear: set[NodeLike] = set()
        self.skipped = self._skipped() if plan.may_skip else {}
        self.needed = set(plan.wanted) - set(plan.given)
        self.rows: dict[NodeLike, NodeCache] = {}
        for node in reversed(plan.nodes):
            self.rows[node] = self._row(node)
            if self.rows[node].state in ("runs", "skipped"):
                self.needed.update(node.inputs)

    def _skipped(self) -> dict[NodeLike, Skip]:
        """The nodes that would be skipped, by the values that are given or kept."""
        values, found = dict(self.inputs), {}
        for node in self.plan.nodes:
            read = getattr(getattr(node, "when", None), "reads", {}).values()
            for name in read:
                if name in self.producers and name not in values:
                    values.update(self._kept(self.producers[name]))
            is_known = all(one in values or one not in self.producers for one in read)
            if is_known or any(is_skip(values.get(one)) for one in node.inputs):
                skip = skip_of(node, values)
                if skip is not None:
                    found[node] = skip
                    values.update(dict.fromkeys(node.outputs, skip))
            else:
                self.unclear.add(node)
        return found

    def _kept(self, node: NodeLike) -> dict[str, Any]:
        """The outputs of *node* in the cache."""
        key = None if self.lineage.why_not(node) else self.lineage.key_of(node)
        hit = None if key is None else self.cache.load(key)
        return {} if hit is None else dict(zip(node.outputs, hit.value))

    def _row(self, node: NodeLike) -> NodeCache:
        reason = self.lineage.why_not(node)
        key = None if reason else self.lineage.key_of(node)
        if self.needed.isdisjoint(node.outputs):
            return NodeCache(node.name, "not needed", "all that reads it is kept", key)
        if node in self.skipped:
            return NodeCache(node.name, "skipped", self.skipped[node].why, key)
        if key is None:
            return NodeCache(node.name, "runs", reason, None)
        if self.cache.load(key) is not None:
            return NodeCache(node.name, "kept", "nothing that it depends on has changed", key)
        when: Any = getattr(node, "when", None)
        is_open = when is not None and node in self.unclear
        holds = f"; it runs if its condition {when.text!r} holds" if is_open else ""
        return NodeCache(node.name, "runs", f"{self._why(node)}{holds}", key)

    def _why(self, node: NodeLike) -> str:
        changed = self.changed[node]
        if changed is None:
            return "no result of it was ever kept"
        if changed == [_USE]:
            return "its last result was not kept: it, or a node before it, used helpers.context"
        if changed:
            return f"changed since it was kept: {', '.join(changed)}"
        above = [one.name for one in self._above(node) if one.cache and self.changed[one] != []]
        if above:
            return f"it is as it was; what changed is above it: {', '.join(above)}"
        names = ", ".join(map(repr, self.lineage.inputs_of(node)))
        return f"it is as it was; nothing is kept for these values of {names or 'no input'}"

    def _above(self, node: NodeLike) -> list[NodeLike]:
        """The nodes upstream of *node*, in running order."""
        found: set[NodeLike] = set()
        waiting = [node]
        while waiting:
            for name in waiting.pop().inputs:
                one = self.producers.get(name)
                if one is not None and name not in self.inputs and one not in found:
                    found.add(one)
                    waiting.append(one)
        return [one for one in self.plan.nodes if one in found]

    def _changed(self, node: NodeLike) -> list[str] | None:
        """The parts that differ from those of the last stored result of *node*; None if no result
        was ever stored.
        """
        now, data = _facts_of(node, self.lineage), None
        if hasattr(self.cache, "load_note"):
            data = self.cache.load_note(_name(node))
        if now is None or data is None:
            return None
        before = json.loads(data)
        if _USE in before:
            return [_USE]
        own = f"{node.name}: default "  # not one whose input is given now, or was given then
        return [
            one
            for one in {**now, **before}
            if before.get(one) != now.get(one)
            and not (one.startswith(own) and (one not in before or one not in now))
        ]

    def inside(self, node: Any) -> list[NodeCache]:
        """The rows of the nodes of a nested pipeline."""
        inputs = {name: self.inputs[name] for name in node.inputs if name in self.inputs}
        unknown = [name for name in node.inputs if name not in inputs and name not in node.defaults]
        is_inside = hasattr(node, "opened") and not node.map_over
        if self.rows[node].state != "runs" or not is_inside or unknown:
            return []
        with node.opened(inputs, None) as (run, _):
            found = explain_cache(run.plan, run.values, run.pipeline.cache or self.cache).rows
        return [replace(one, node=f"{node.name}.{one.node}") for one in found]


def store_note(node: NodeLike, lineage: Lineage, cache: Cache) -> None:
    """Store the parts of *node* beside its result, once for each state of its code."""
    identity = lineage.identity_of(node)
    noted = lineage.keys.noted
    if identity is None or noted.get(node) is identity or not hasattr(cache, "store_note"):
        return
    noted[node] = identity
    cache.store_note(_name(node), json.dumps(_facts_of(node, lineage)).encode())


_USE = "context"


def note_use(node: NodeLike, lineage: Lineage, cache: Cache) -> None:
    """Store beside the results that the one of *node* was not stored: ``context`` hides what it
    depends on.
    """
    if lineage.identity_of(node) is not None and hasattr(cache, "store_note"):
        lineage.keys.noted.pop(node, None)
        cache.store_note(_name(node), json.dumps({_USE: ""}).encode())


def _facts_of(node: NodeLike, lineage: Lineage) -> dict[str, str] | None:
    """The digests of what *node* reads, of its bound values and of the defaults it uses."""
    identity = lineage.identity_of(node)
    if identity is None:
        return None
    found = {label: fact.hex() for label, fact in identity.facts.items()}
    own = {"bound": node.bound, "default": node.defaults}
    for kind, values in own.items():
        for name, value in values.items():
            if not lineage.is_given(name):
                found[f"{node.name}: {kind} {name}"] = _digest(value)
    return found


def _digest(value: Any) -> str:
    try:
        return fingerprint(value, digest_of_code).hex()
    except Unhashable:
        return "?"


def _name(node: NodeLike) -> str:
    """The name of the note: the same if the node's file is run or imported, in any folder."""
    file = os.path.basename(node.where.rpartition(":")[0])
    return blake2b(repr((file, node.name, node.outputs)).encode(), digest_size=10).hexdigest()


def store_result(
    node: NodeLike, key: str, result: tuple[Any, ...], lineage: Lineage, cache: Cache
) -> None:
    """Store the outputs of *node*. If that is not possible, warn once for each node."""
    try:
        if getattr(type(cache), "store", None) is DiskCache.store:  # a subclass may take no label
            cache.store(key, result, (node.name, node.where))  # type: ignore[call-arg]
        else:
            cache.store(key, result)
    except NotCacheable as error:
        reason = _reason(node, result, error)
        message = f"the result of node {node.name!r} ({node.where}) is not cached: {reason}"
        lineage.keys.warnings.warn(f"result of {node.name}", message)
    else:
        store_note(node, lineage, cache)


def _reason(node: NodeLike, result: tuple[Any, ...], error: NotCacheable) -> NotCacheable | str:
    """*error*, with the name of the output that cannot be stored."""
    for name, value in zip(node.outputs, result):
        try:
            dumps(value)
        except NotCacheable as found:
            return f"the output {name!r} is {found}"
    return error
