"""``async def`` nodes under every engine, in a running event loop and without one."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kohaku_ast import AsyncExecutor, HyperNodesEngine, Node, Pipeline
from tests.engines.async_nodes import LIMIT, RESULT, Call, fetch, mixed

ENGINES = ("sequential", "threaded", "async", "parallel")
engines = pytest.mark.parametrize("engine", ENGINES)


@engines
def test_async_and_other_nodes_mix(engine: str) -> None:
    made = Pipeline(mixed, engine=engine)
    assert made.run({"x": 1}) == RESULT
    assert made.map({"x": [1, 2]}, map_over="x", output_name="high") == [5, 7]


@engines
def test_inside_a_pipeline_and_its_map(engine: str) -> None:
    outer = Pipeline([Pipeline(mixed).as_node(map_over="x")], engine=engine)
    assert outer.run({"x": [1, 2]}, "high") == [5, 7]
    assert outer.map({"x": [[1], [2, 3]]}, map_over="x", output_name="low") == [[3], [5, 7]]


@engines
def test_in_a_running_loop_as_in_a_notebook(engine: str) -> None:
    async def cell() -> Any:
        made = Pipeline(mixed, engine=engine)
        return made.run({"x": 1}), made.map({"x": [1, 2]}, map_over="x", output_name="z")

    assert asyncio.run(cell()) == (RESULT, [4, 6])


@engines
def test_in_a_running_loop_failures_are_the_same(engine: str) -> None:
    async def cell() -> Any:
        Pipeline([Node(inverse, "y")], engine=engine).run({"x": 0})

    with pytest.raises(ZeroDivisionError):
        asyncio.run(cell())


async def inverse(x: int) -> float:
    return 1 / x


def test_no_package_patches_the_loop() -> None:
    program = (
        "import asyncio, sys\n"
        "from kohaku_ast import Pipeline, Node\n"
        "async def f(x): await asyncio.sleep(0); return x\n"
        "run = asyncio.run\n"
        "async def cell(): return Pipeline([Node(f, 'y')], engine='async').run({'x': 3}, 'y')\n"
        "print(asyncio.run(cell()), 'nest_asyncio' in sys.modules, asyncio.run is run)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("3 False True\n", "")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Node(Call(), "y"), id="object with an async call"),
        pytest.param(lambda: Node(Call().__call__, "y"), id="method"),
        pytest.param(lambda: Node(fetch.function, "y").bind(), id="bound node"),
    ],
)
@engines
def test_what_counts_as_async(make: Callable[[], Node], engine: str) -> None:
    assert make().is_async
    assert Pipeline([make()], engine=engine).run({"x": 1}, "y") in (1, 2)


def test_a_function_that_gives_an_awaitable_is_left_alone_unless_it_is_async() -> None:
    made = Pipeline([Node(lambda x: x, "y")])
    assert made.run({"x": 5}, "y") == 5
    assert not Node(lambda x: x, "y").is_async


def test_the_nodes_of_a_run_share_one_loop() -> None:
    loops: list[Any] = []

    async def here(x: int) -> int:
        loops.append(asyncio.get_running_loop())
        return x

    nodes = [Node(here, f"y{at}", name=f"n{at}") for at in range(3)]
    for engine in ENGINES[:3]:
        Pipeline(nodes, engine=engine).run({"x": 1})
        assert len(set(map(id, loops))) == 1
        loops.clear()


def meeting(count: int) -> Callable[..., Any]:
    """An async function whose *count* calls end only once all of them have begun."""
    waiting: list[asyncio.Event] = []

    async def meet(x: int) -> int:
        waiting.append(asyncio.Event())
        if len(waiting) == count:
            for one in waiting:
                one.set()
        await asyncio.wait_for(
            waiting[-1 if len(waiting) == count else len(waiting) - 1].wait(), LIMIT
        )
        return x

    return meet


def test_nodes_overlap_as_many_as_the_executor_lets() -> None:
    with AsyncExecutor(max_concurrent=50) as executor:
        meet = meeting(50)
        made = Pipeline(
            [Node(meet, f"y{at}", name=f"n{at}") for at in range(50)],
            engine=HyperNodesEngine(node_executor=executor),
        )
        assert sum(made.run({"x": 1}).values()) == 50


def test_ten_overlap_under_the_alias() -> None:
    made = Pipeline([Node(meeting(10), "y")], engine="async")
    assert made.map({"x": range(10)}, map_over="x", output_name="y") == list(range(10))


def test_items_overlap_with_nodes_in_turn() -> None:
    engine = HyperNodesEngine(node_executor="sequential", map_executor="async")
    made = Pipeline([Node(meeting(5), "y"), Node(lambda y: y, "z", name="after")], engine=engine)
    assert made.map({"x": range(5)}, map_over="x", output_name="z") == list(range(5))


@pytest.mark.parametrize("most", [1, 3])
def test_never_more_at_once_than_the_executor_lets(most: int) -> None:
    now, peak = 0, 0

    async def count(x: int) -> int:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0)
        now -= 1
        return x

    with AsyncExecutor(max_concurrent=most) as executor:
        inner = Pipeline([Node(count, "y")], name="inner").as_node(map_over="x")
        made = Pipeline(
            [inner], engine=HyperNodesEngine(node_executor=executor, map_executor=executor)
        )
        made.map({"x": [range(5)] * 5}, map_over="x")
    assert peak == most


def test_context_variables_are_seen() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def read() -> str:
        return variable.get()

    def read_plain() -> str:
        return variable.get()

    variable.set("here")
    for engine in ENGINES[:3]:
        made = Pipeline([Node(read, "a"), Node(read_plain, "b")], engine=engine)
        assert made.run() == {"a": "here", "b": "here"}

    async def cell() -> Any:
        variable.set("inside")
        return Pipeline([Node(read, "a")]).run(), Node(read, "a").is_async

    assert asyncio.run(cell())[0] == {"a": "inside"}


def test_a_pipeline_run_by_the_executor_that_runs_it_is_refused() -> None:
    with AsyncExecutor(2) as executor:
        engine = HyperNodesEngine(node_executor=executor)
        inner = Pipeline([fetch], engine=engine)

        async def outer(x: int) -> Any:
            return inner.run({"x": x})

        with pytest.raises(RuntimeError, match="would wait for itself"):
            Pipeline([Node(outer, "y")], engine=engine).run({"x": 1})


def test_a_lent_pool_of_threads_runs_async_nodes() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert Pipeline(mixed, engine=pool).run({"x": 1}) == RESULT


def test_other_items_end_after_a_failure_and_none_starts() -> None:
    begun: list[int] = []

    async def some(x: int) -> float:
        begun.append(x)
        await asyncio.sleep(0)
        return 1 / x

    with AsyncExecutor(2) as executor:
        made = Pipeline([Node(some, "y")], engine=HyperNodesEngine(map_executor=executor))
        with pytest.raises(ZeroDivisionError):
            made.map({"x": [1, 0, 2, 3, 4, 5, 6, 7]}, map_over="x")
    assert begun[:2] == [1, 0]
    assert len(begun) <= 4
