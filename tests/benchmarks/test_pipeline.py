"""What a graph costs: ``pytest -m benchmark -s tests/benchmarks/test_pipeline.py``.

CPU time, medians of turns that are taken one after another by all that is compared; the targets
stand beside. Plain Python is the same work in a loop. pipefunc, Hamilton and hypernodes (extra
``peers``) are measured where they are installed.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from kohaku_ast.engines.async_engine import AsyncExecutor
from kohaku_ast.engines.native import NativeEngine
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.pipeline import Pipeline
from tests.benchmarks import peers

pytestmark = pytest.mark.benchmark

COUNT = 100
ITEMS = 10_000


def medians(
    calls: Mapping[str, Callable[[], object]],
    turns: int = 30,
    repeats: int = 1,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Name -> seconds of one call; the first turn warms up and is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            start = clock()
            for _ in range(repeats):
                call()
            if turn:
                times[name].append((clock() - start) / repeats)
    return {name: statistics.median(found) for name, found in times.items()}


def show(title: str, found: Mapping[str, float], count: int, plain: str = "plain Python") -> None:
    """A line a competitor: microseconds a piece, and what is left without the work itself."""
    print(f"\n{title}")
    for name, seconds in found.items():
        own = (seconds - found[plain]) / count * 1e6
        print(f"  {name:14} {seconds / count * 1e6:8.3f} us each   {own:8.3f} us of its own")


def step(x: int) -> int:
    return x + 1


def chain(count: int = COUNT) -> list[Node]:
    return [Node(step, f"v{at + 1}", name=f"n{at}", rename={"x": f"v{at}"}) for at in range(count)]


def plain_chain() -> int:
    value = 0
    for _ in range(COUNT):
        value = step(value)
    return value


def test_chain_of_a_hundred_nodes() -> None:
    pipeline, leaf = Pipeline(chain()), f"v{COUNT}"
    assert pipeline.run({"v0": 0}, leaf) == plain_chain()
    calls: dict[str, Callable[[], object]] = {
        "plain Python": plain_chain,
        "kohaku_ast": lambda: pipeline.run({"v0": 0}, leaf),
        **peers.chains(COUNT),
    }
    show(f"chain of {COUNT} nodes (target 0.5 us a node)", medians(calls, 20, 20), COUNT)


def fan(count: int = COUNT) -> list[Node]:
    return [Node(step, f"w{at}", name=f"n{at}") for at in range(count)]


def plain_fan() -> dict[str, int]:
    return {f"w{at}": step(1) for at in range(COUNT)}


def test_fan_out_of_a_hundred_nodes() -> None:
    pipeline = Pipeline(fan())
    assert pipeline.run({"x": 1}) == plain_fan()
    calls: dict[str, Callable[[], object]] = {
        "plain Python": plain_fan,
        "kohaku_ast": lambda: pipeline.run({"x": 1}),
        **peers.fans(COUNT),
    }
    show(f"fan-out of {COUNT} nodes (target 0.5 us a node)", medians(calls, 20, 20), COUNT)


def plain_map() -> list[int]:
    return [step(step(step(value))) for value in range(ITEMS)]


def test_map_of_three_nodes_over_ten_thousand_items() -> None:
    pipeline = Pipeline(chain(3))
    values = list(range(ITEMS))
    assert pipeline.map({"v0": values}, map_over="v0", output_name="v3") == plain_map()
    calls: dict[str, Callable[[], object]] = {
        "plain Python": plain_map,
        "kohaku_ast": lambda: pipeline.map({"v0": values}, map_over="v0", output_name="v3"),
        **peers.maps(values),
    }
    show(f"map of 3 nodes over {ITEMS} items (target 1 us an item)", medians(calls, 7), ITEMS)


def spin(x: int) -> int:
    """Ten milliseconds of CPU time, whatever else the machine does."""
    stop = time.process_time() + 0.010
    while time.process_time() < stop:
        pass
    return x


def pool_map(values: Iterable[int]) -> list[int]:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(spin, values))


def test_process_map_of_tasks_of_ten_milliseconds() -> None:
    pipeline = Pipeline([Node(spin, "y")], engine="parallel")
    values = range(200)
    found = medians(
        {
            "a bare pool": lambda: pool_map(values),
            "kohaku_ast": lambda: pipeline.map({"x": values}, map_over="x", output_name="y"),
        },
        turns=7,
        clock=time.perf_counter,
    )
    ratio = found["kohaku_ast"] / found["a bare pool"]
    print(f"\nprocess map of {len(values)} tasks of 10 ms (target 1.10 times a bare pool, wall)")
    for name, seconds in found.items():
        print(f"  {name:14} {seconds * 1e3:8.1f} ms")
    print(f"  ratio {ratio:.3f}")


async def nap(x: int) -> int:
    await asyncio.sleep(0.020)
    return x


async def plain_naps() -> list[int]:
    return await asyncio.gather(*[nap(one) for one in range(200)])


def test_two_hundred_sleeps_at_once() -> None:
    with AsyncExecutor(max_concurrent=200) as executor:
        wide = Pipeline(
            [Node(nap, f"w{at}", name=f"n{at}") for at in range(200)],
            engine=NativeEngine(node_executor=executor),
        )
        mapped = Pipeline([Node(nap, "y")], engine=NativeEngine(map_executor=executor))
        found = medians(
            {
                "asyncio.gather": lambda: asyncio.run(plain_naps()),
                "200 nodes": lambda: wide.run({"x": 1}),
                "map of 200": lambda: mapped.map({"x": range(200)}, map_over="x"),
            },
            turns=15,
            clock=time.perf_counter,
        )
    print("\n200 sleeps of 20 ms at once (target 35 ms, wall)")
    for name, seconds in found.items():
        print(f"  {name:14} {seconds * 1e3:8.1f} ms")


def typed(count: int) -> list[Callable[..., Any]]:
    """Functions with hints as text, as ``from __future__ import annotations`` makes them."""
    names: dict[str, Any] = {}
    for at in range(count):
        exec(f"def v{at + 1}(v{at}: 'int', k: 'float' = 0.5) -> 'int': return v{at}", names)
    return [names[f"v{at + 1}"] for at in range(count)]


def test_building_graphs_of_typed_nodes() -> None:
    print("\nbuilding graphs of typed nodes (target 5 ms for 100, linear)")
    for count in (100, 1000, 4000):
        functions = typed(count)
        took = medians(
            {"kohaku_ast": lambda functions=functions: Pipeline([Node(one) for one in functions])},  # type: ignore[misc]
            turns=5,
        )
        seconds = took["kohaku_ast"]
        print(f"  {count:5} nodes {seconds * 1e3:8.2f} ms  {seconds / count * 1e6:6.1f} us a node")
    calls = peers.builds(typed(100))
    for name, seconds in medians(calls, turns=5).items():
        print(f"  {name:11} {seconds * 1e3:8.2f} ms for 100")


def test_nothing_for_callbacks_and_cache_that_are_not_there() -> None:
    """The same text is compiled whether a pipeline could have had them or not."""
    plain = Pipeline(chain())
    named = Pipeline(chain(), engine="sequential", cache=None, callbacks=[], name="named")
    leaf = f"v{COUNT}"
    calls: dict[str, Callable[[], object]] = {
        "plain Python": plain_chain,
        "nothing given": lambda: plain.run({"v0": 0}, leaf),
        "empty given": lambda: named.run({"v0": 0}, leaf),
    }
    show("neither callbacks nor a cache", medians(calls, 20, 20), COUNT)


def test_a_permanence_is_made_once_in_a_map() -> None:
    """Loading takes 1 ms; without a permanence each item loads it again."""

    def load() -> dict[str, int]:
        time.sleep(0.001)
        return {"by": 2}

    own = Pipeline([Node(lambda x: x * load()["by"], "y")])
    kept = Pipeline([Node(lambda x, model: x * model["by"], "y")], permanences={"model": load})
    bound = Pipeline([Node(lambda x, model: x * model["by"], "y")]).bind(model=load())
    rows = {"x": range(ITEMS // 10)}
    calls: dict[str, Callable[[], object]] = {
        "bound": lambda: bound.map(rows, "x"),
        "permanence": lambda: kept.map(rows, "x"),
        "in the node": lambda: own.map(rows, "x"),
    }
    found = medians(calls, turns=3, clock=time.perf_counter)
    show("a model that loads in 1 ms, map over 1,000 items (wall)", found, ITEMS // 10, "bound")
