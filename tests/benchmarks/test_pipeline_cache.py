"""What a cache costs: ``pytest -m benchmark -s tests/benchmarks/test_pipeline_cache.py``.

CPU time, medians; the targets stand beside. Keys need no values, so a run of which only the leaf
is asked makes one key and one look-up, however long the chain is.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest

from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.cache.fingerprint import fingerprint
from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.pipeline.cache_keys import Lineage
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.benchmark

FACTOR = 3
_COUNT = 100


def helper(x: int) -> int:
    return x + FACTOR


def link(number: int) -> Node:
    def step(x: Any) -> list[int]:
        return [helper(number)]

    return Node(step, f"v{number + 1}", rename={"x": f"v{number}"})


def chain() -> list[Node]:
    """100 nodes, each with a closure, a helper and the helper's constant."""
    return [link(number) for number in range(_COUNT)]


def median(call: Callable[[], object], turns: int = 50) -> float:
    """CPU seconds of one call."""
    times = []
    for _ in range(turns + 1):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times[1:])


def many(call: Callable[[], object], count: int = 100) -> float:
    """The same for a call that is short beside the clock's ticks."""

    def repeated() -> None:
        for _ in range(count):
            call()

    return median(repeated, 15) / count


def caches(folder: Path) -> dict[str, Any]:
    return {"memory": MemoryCache(), "disk": DiskCache(folder)}


def test_warm_run_of_a_hundred_nodes(tmp_path: Path) -> None:
    print(f"\nwarm, all {_COUNT} nodes of a chain (target 10 us a node)")
    for name, cache in caches(tmp_path).items():
        pipeline = Pipeline(chain(), cache=cache)
        pipeline.run({"v0": 1})
        took = median(lambda pipeline=pipeline: pipeline.run({"v0": 1}))  # type: ignore[misc]
        print(f"  {name:8} {took / _COUNT * 1e6:6.2f} us a node")


def test_warm_run_of_the_leaf(tmp_path: Path) -> None:
    print(f"\nwarm, the leaf of {_COUNT} nodes (target 100 us a run)")
    for name, cache in caches(tmp_path).items():
        pipeline = Pipeline(chain(), cache=cache)
        leaf = f"v{_COUNT}"
        pipeline.run({"v0": 1}, leaf)
        took = many(lambda pipeline=pipeline, leaf=leaf: pipeline.run({"v0": 1}, leaf))  # type: ignore[misc]
        print(f"  {name:8} {took * 1e6:6.1f} us a run")


@dataclass
class Settings:
    width: int = 4


class Model:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def predict(self, x: int) -> int:
        return x * self.settings.width


MODEL, TABLE = Model(Settings()), {f"k{number}": number for number in range(50)}


def test_warm_run_of_a_node_that_reads_objects(tmp_path: Path) -> None:
    def f(x: int, settings: Settings) -> int:
        return MODEL.predict(x) + TABLE["k3"] + settings.width

    print("\nwarm, one node that reads an object and a dict of 50, and is given an object")
    for name, cache in caches(tmp_path).items():
        pipeline = Pipeline([Node(f, "y")], cache=cache)
        inputs = {"x": 1, "settings": Settings()}
        took = many(lambda pipeline=pipeline, inputs=inputs: pipeline.run(inputs, "y"))  # type: ignore[misc]
        print(f"  {name:8} {took * 1e6:6.1f} us a run")


def test_two_thousand_cold_items(tmp_path: Path) -> None:
    print("\n2,000 cold items, a file each (target 1 s)")
    for name, cache in caches(tmp_path).items():
        pipeline = Pipeline([link(0)], cache=cache)
        start = time.process_time()
        pipeline.map({"v0": range(2000)}, map_over="v0")
        print(f"  {name:8} {time.process_time() - start:6.3f} s cold", end="")
        start = time.process_time()
        pipeline.map({"v0": range(2000)}, map_over="v0")
        print(f"  {time.process_time() - start:6.3f} s warm")


def test_two_thousand_items_of_joblib_for_comparison(tmp_path: Path) -> None:
    cached = joblib.Memory(tmp_path, verbose=0).cache(link(0).function)
    print("\njoblib.Memory, 2,000 calls")
    for name in ("cold", "warm"):
        start = time.process_time()
        for number in range(2000):
            cached(number)
        print(f"  {name:8} {time.process_time() - start:6.3f} s")


def test_first_keys_of_a_process() -> None:
    nodes = chain()
    start = time.process_time()
    plan = Pipeline(nodes).plan(("v0",), f"v{_COUNT}")
    made = time.process_time()
    Lineage(plan, {"v0": 1}).key_of(nodes[-1])
    print(f"\nfirst keys of {_COUNT} nodes: {(time.process_time() - made) * 1e3:.1f} ms")
    print(f"(the plan itself: {(made - start) * 1e3:.1f} ms)")


def test_fingerprints_of_values() -> None:
    print("\nfingerprints")
    for name, value in {
        "int": 3,
        "dict of 10": {f"k{one}": one for one in range(10)},
        "list of 1,000 floats": [float(one) for one in range(1000)],
        "array of 8 MB": numpy.zeros(10**6),
    }.items():
        took = many(lambda value=value: fingerprint(value), 20)  # type: ignore[misc]
        print(f"  {name:22} {took * 1e6:9.1f} us")
