"""What every engine does with a cache, in its plainest form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kohaku_ast.pipeline.caching.explain import note
from kohaku_ast.pipeline.caching.kept_value import Cache
from kohaku_ast.pipeline.caching.keys import Lineage
from kohaku_ast.pipeline.graph import Graph
from kohaku_ast.pipeline.plan import Plan, make_plan


def plan_for(nodes: list[Any], inputs: Mapping[str, Any], output: str) -> Plan:
    return make_plan(Graph(nodes), tuple(inputs), output)


def run(nodes: list[Any], inputs: Mapping[str, Any], output: str, cache: Cache) -> Any:
    """The value of *output*: the leaf is looked up first, then what is above it."""
    plan = plan_for(nodes, inputs, output)
    lineage = Lineage(plan, inputs)
    values = dict(inputs)
    producers = {name: node for node in plan.nodes for name in node.outputs}

    def find(name: str) -> None:
        node = producers[name]
        key = lineage.key_of(node)
        hit = cache.load(key) if key else None
        if hit is None:
            for one in node.inputs:
                if one not in values and one in producers:
                    find(one)
            found = node.run({one: values[one] for one in node.inputs if one in values})
            if key:
                cache.store(key, found)
                note(node, lineage, cache)
        else:
            found = hit.value
        values.update(zip(node.outputs, found))

    find(output)
    return values[output]
