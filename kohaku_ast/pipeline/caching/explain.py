"""Why each node of a run would or would not run: what ``Pipeline.explain_cache`` answers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from kohaku_ast.pipeline.caching.code_identity import Identity
from kohaku_ast.pipeline.caching.kept_value import Cache
from kohaku_ast.pipeline.caching.keys import Lineage
from kohaku_ast.pipeline.node_like import NodeLike
from kohaku_ast.pipeline.plan import Plan


@dataclass(frozen=True)
class NodeCache:
    """What would happen to one node."""

    node: str
    #: ``kept`` (its result is loaded), ``not needed`` (what is below it is kept), ``runs``.
    state: str
    why: str
    #: The key of its result; None if it has none.
    key: str | None


@dataclass(frozen=True)
class CacheReport:
    """A row a node, in the order in which they would run. Printing it shows a table."""

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


def explain(plan: Plan, inputs: Mapping[str, Any], cache: Cache | None) -> CacheReport:
    """What a run of *plan* would load and what it would run. Nothing is run."""
    if cache is None:
        rows = [
            NodeCache(node.name, "runs", "the pipeline has no cache", None) for node in plan.nodes
        ]
        return CacheReport(tuple(rows))
    lineage = Lineage(plan, inputs)
    needed = set(plan.wanted) - set(plan.given)
    rows = []
    for node in reversed(plan.nodes):
        row = _row(node, lineage, cache, needed)
        if row.state == "runs":
            needed.update(node.inputs)
        rows.append(row)
    return CacheReport(tuple(reversed(rows)))


def _row(node: NodeLike, lineage: Lineage, cache: Cache, needed: set[str]) -> NodeCache:
    reason = lineage.why_not(node)
    key = None if reason else lineage.key_of(node)
    if needed.isdisjoint(node.outputs):
        return NodeCache(node.name, "not needed", "all that reads it is kept", key)
    if key is None:
        return NodeCache(node.name, "runs", reason, None)
    if cache.load(key) is not None:
        return NodeCache(node.name, "kept", "nothing that it depends on has changed", key)
    return NodeCache(node.name, "runs", _changed(node, lineage, cache), key)


def _changed(node: NodeLike, lineage: Lineage, cache: Cache) -> str:
    """What is not as it was when a result of *node* was kept last."""
    identity, data = lineage.identity_of(node), None
    if hasattr(cache, "load_note"):
        data = cache.load_note(_name(node))
    if identity is None or data is None:
        return "no result of it was ever kept"
    before, now = json.loads(data), _note(identity)
    changed = [label for label in [*now, *before] if before.get(label, "") != now.get(label, "")]
    if changed:
        return f"changed since it was kept: {', '.join(dict.fromkeys(changed))}"
    return "its code is as it was; its inputs, or what is above it, are new"


def note(node: NodeLike, lineage: Lineage, cache: Cache) -> None:
    """Keep what *node* is made of beside its result, once for each state of its code."""
    identity = lineage.identity_of(node)
    noted = lineage.keys.noted
    if identity is None or noted.get(node) is identity or not hasattr(cache, "store_note"):
        return
    noted[node] = identity
    cache.store_note(_name(node), json.dumps(_note(identity)).encode())


def _note(identity: Identity) -> dict[str, str]:
    return {label: fact.hex() for label, fact in identity.facts.items()}


def _name(node: NodeLike) -> str:
    """The same whether the file of the node is run or imported, and wherever it lies."""
    file = os.path.basename(node.where.rpartition(":")[0])
    return blake2b(repr((file, node.name, node.outputs)).encode(), digest_size=10).hexdigest()
