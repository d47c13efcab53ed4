"""The engine and its executors: names, what overlaps, what is lent, what may be wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from kohaku_ast import (
    AsyncExecutor,
    Callback,
    HyperNodesEngine,
    KogineError,
    NativeEngine,
    Node,
    Pipeline,
)

LIMIT = 20  # seconds after which a test that waits for others gives up


def increase(x: int) -> int:
    return x + 1


def double(y: int) -> int:
    return 2 * y


NODES = [Node(increase, "y"), Node(double, "z")]


def test_one_engine_under_two_names() -> None:
    assert HyperNodesEngine is NativeEngine


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        pytest.param({}, ("sequential", "sequential"), id="default"),
        pytest.param({"node_executor": "async"}, ("async", "sequential"), id="nodes"),
        pytest.param({"map_executor": "parallel"}, ("sequential", "parallel"), id="items"),
        pytest.param(
            {"node_executor": "threaded", "map_executor": "async"}, ("threaded", "async"), id="both"
        ),
        pytest.param(
            {"node_executor": AsyncExecutor(3)}, ("async", "sequential"), id="AsyncExecutor"
        ),
    ],
)
def test_executors_by_name(options: dict[str, Any], kinds: tuple[str, str]) -> None:
    engine = HyperNodesEngine(**options)
    assert (engine.node_kind, engine.map_kind) == kinds
    assert Pipeline(NODES, engine=engine).run({"x": 1}, "z") == 4
    assert Pipeline(NODES, engine=engine).map({"x": [1, 2]}, map_over="x", output_name="z") == [
        4,
        6,
    ]


@pytest.mark.parametrize(
    ("name", "kind"), [(name, name) for name in ("sequential", "async", "threaded", "parallel")]
)
def test_engines_by_name(name: str, kind: str) -> None:
    engine: Any = Pipeline(NODES, engine=name).engine
    assert (engine.node_kind, engine.map_kind) == (kind, kind)


def test_how_many_workers_there_are() -> None:
    import os

    assert NativeEngine("async").max_concurrent == 10
    assert NativeEngine("parallel").max_workers == len(os.sched_getaffinity(0))
    assert NativeEngine("threaded", max_workers=7).max_workers == 7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(
            {"node_executor": "thread"},
            "unknown node_executor 'thread' .*Did you mean 'threaded'",
            id="misspelt",
        ),
        pytest.param({"map_executor": 3}, r"map_executor 3 has no submit\(\)", id="no executor"),
        pytest.param({"max_workers": 0}, "max_workers is 0", id="no workers"),
        pytest.param({"max_workers": "2"}, "max_workers is '2'", id="text"),
    ],
)
def test_what_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(KogineError, match=words):
        NativeEngine(**options)


def meeting(count: int) -> Callable[..., Any]:
    """A function whose *count* calls end only once all of them have begun."""
    barrier = threading.Barrier(count)

    def meet(x: int) -> int:
        barrier.wait(LIMIT)
        return x

    return meet


class TestThreads:
    def test_nodes_overlap(self) -> None:
        meet = meeting(4)
        nodes = [Node(meet, f"y{at}", name=f"n{at}") for at in range(4)]
        engine = HyperNodesEngine("threaded", max_workers=4)
        assert sum(Pipeline(nodes, engine=engine).run({"x": 1}).values()) == 4

    def test_items_overlap(self) -> None:
        engine = HyperNodesEngine(map_executor="threaded", max_workers=4)
        made = Pipeline([Node(meeting(4), "y")], engine=engine)
        assert made.map({"x": range(8)}, map_over="x", output_name="y") == list(range(8))

    def test_nodes_that_are_not_async_overlap_under_async_too(self) -> None:
        made = Pipeline([Node(meeting(10), "y")], engine="async")
        assert made.map({"x": range(10)}, map_over="x", output_name="y") == list(range(10))

    @pytest.mark.parametrize("engine", ["threaded", "async", "lent"])
    def test_a_node_starts_when_its_own_inputs_are_ready(self, engine: str) -> None:
        """Not when all nodes above its level have ended: that would never come to an end here."""
        reached = threading.Event()

        def slow(x: int) -> bool:
            return reached.wait(LIMIT)

        def behind(quick: int) -> int:
            reached.set()
            return quick

        nodes = [Node(slow, "slow"), Node(increase, "quick", name="quick"), Node(behind, "behind")]
        with ThreadPoolExecutor(2) as pool:
            chosen = {
                "threaded": NativeEngine("threaded", max_workers=2),
                "async": "async",
                "lent": pool,
            }
            made = Pipeline(nodes, engine=chosen[engine])
            assert made.run({"x": 1}) == {"slow": True, "quick": 2, "behind": 2}

    def test_after_a_failure_nothing_starts_and_what_runs_ends(self) -> None:
        begun: list[str] = []
        go = threading.Event()

        def bad() -> None:
            begun.append("bad")
            raise ValueError("no")

        def other() -> int:
            begun.append("other")
            assert go.wait(LIMIT)
            begun.append("other ended")
            return 1

        def after(b: int) -> int:
            begun.append("after")
            return b

        class Open(Callback):
            def on_error(self, name: str, error: BaseException, context: Any) -> None:
                go.set()

        nodes = [Node(other, "b"), Node(bad, "a"), Node(after, "c")]
        made = Pipeline(nodes, engine=NativeEngine("threaded", max_workers=2), callbacks=[Open()])
        with pytest.raises(ValueError, match="no"):
            made.run()
        assert sorted(begun) == ["bad", "other", "other ended"]

    def test_no_thread_is_left(self) -> None:
        before = set(threading.enumerate())
        Pipeline(NODES, engine="threaded").map({"x": range(20)}, map_over="x")
        assert set(threading.enumerate()) <= before

    def test_threads_that_the_system_does_not_give_are_done_without(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Any) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        made = Pipeline(NODES, engine=NativeEngine("threaded", "threaded", max_workers=4))
        assert made.map({"x": [1, 2, 3]}, map_over="x", output_name="z") == [4, 6, 8]


class Here(Executor):
    """Does everything at once, in the thread that submits."""

    def __init__(self) -> None:
        self.submitted = 0
        self.is_shut = False

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.is_shut = True


class TestLent:
    def test_any_executor_of_the_protocol_will_do(self) -> None:
        executor = Here()
        made = Pipeline(NODES, engine=executor)
        assert made.run({"x": 1}, "z") == 4
        assert made.map({"x": range(50)}, map_over="x", output_name="z") == [
            2 * at + 2 for at in range(50)
        ]
        assert executor.submitted > 2
        assert not executor.is_shut

    def test_a_lent_pool_is_never_shut_down(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            made = Pipeline([Node(lambda x: 1 // x, "y", name="n")], engine=pool)
            with pytest.raises(ZeroDivisionError):
                made.run({"x": 0})
            with pytest.raises(ZeroDivisionError):
                made.map({"x": [1, 0]}, map_over="x")
            assert made.run({"x": 1}, "y") == 1
            assert pool.submit(int).result(LIMIT) == 0

    def test_maps_in_maps_on_a_pool_of_one_do_not_stand_still(self) -> None:
        inner = Pipeline(NODES, name="inner").as_node(map_over="x")
        with ThreadPoolExecutor(1) as pool:
            outer = Pipeline([inner], engine=pool)
            assert outer.map({"x": [[1], [2, 3]]}, map_over="x", output_name="z") == [[4], [6, 8]]
            assert outer.run({"x": [1, 2]}, "z") == [4, 6]

    def test_a_pool_that_is_shut_says_so(self) -> None:
        pool = ThreadPoolExecutor(1)
        pool.shutdown()
        made = Pipeline(NODES, engine=pool)
        with pytest.raises(RuntimeError, match="after shutdown"):
            made.run({"x": 1})
        with pytest.raises(RuntimeError, match="after shutdown"):
            made.map({"x": [1]}, map_over="x")


KINDS = ("sequential", "async", "threaded", "parallel")


@pytest.mark.parametrize("items", KINDS)
@pytest.mark.parametrize("nodes", KINDS)
def test_every_pair_of_executors_runs_maps_in_maps(nodes: str, items: str) -> None:
    async def later(z: int) -> int:
        return z - 1

    inner = Pipeline([*NODES, Node(later, "w")], name="inner").as_node(map_over="x")
    made = Pipeline([inner], engine=HyperNodesEngine(nodes, items, max_workers=2))
    assert made.map({"x": [[1, 2], [3]]}, map_over="x", output_name="w") == [[3, 5], [7]]
    told = Pipeline([inner], engine=made.engine, callbacks=[Callback()])
    assert told.map({"x": [[1, 2], [3]]}, map_over="x", output_name="w") == [[3, 5], [7]]
    assert told.run({"x": [1, 2]}, "w") == [3, 5]


def test_an_engine_of_ones_own_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    from kohaku_ast.pipeline.engine import ENGINES

    monkeypatch.setitem(
        ENGINES, "mine", ("kohaku_ast.engines.native", "NativeEngine", {"max_workers": 3})
    )
    engine: Any = Pipeline(NODES, engine="mine").engine
    assert engine.max_workers == 3


def test_the_package_imports_no_engine_until_one_is_used() -> None:
    import subprocess
    import sys

    program = "import sys, kohaku_ast; kohaku_ast.node; print(sorted(m for m in sys.modules if 'engines' in m or m in ('asyncio', 'concurrent.futures', 'cloudpickle', 'click', 'rich')))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
