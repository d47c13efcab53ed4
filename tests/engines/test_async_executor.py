"""AsyncExecutor by itself: an executor as those of the standard library."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from kohaku_ast import AsyncExecutor, KogineError, Node, Pipeline
from tests.engines.async_nodes import LIMIT, RESULT, Call, double, fetch, mixed


async def inverse(x: int) -> float:
    return 1 / x


class TestAsyncExecutor:
    def test_it_gives_futures_of_the_standard_library(self) -> None:
        import concurrent.futures as futures

        with AsyncExecutor(3) as executor:
            made = [executor.submit(fetch.function, at) for at in range(4)]
            made.append(executor.submit(double.function, 4))
            made.append(executor.submit(double.function, y=5))
            assert all(isinstance(one, futures.Future) for one in made)
            futures.wait(made, LIMIT)
            assert [one.result(0) for one in made] == [1, 2, 3, 4, 8, 10]
            assert list(executor.map(double.function, range(3))) == [0, 2, 4]

    def test_async_nodes_can_be_submitted_as_their_functions(self) -> None:
        with AsyncExecutor(3) as executor:
            calls = [fetch, Node(lambda x: x, "y"), Node(Call(), "y"), double.bind()]
            made = [executor.submit(one, 4) for one in calls]
            assert [one.result(LIMIT) for one in made] == [5, 4, 4, 8]

    def test_they_can_be_awaited_in_another_loop(self) -> None:
        with AsyncExecutor(3) as executor:

            async def cell() -> Any:
                return await asyncio.wrap_future(executor.submit(fetch.function, 1))

            assert asyncio.run(cell()) == 2

    def test_they_carry_exceptions(self) -> None:
        with AsyncExecutor(3) as executor:
            assert isinstance(executor.submit(inverse, 0).exception(LIMIT), ZeroDivisionError)

    def test_what_waits_for_its_turn_can_be_cancelled(self) -> None:
        begun, go = threading.Event(), threading.Event()

        async def hold() -> None:
            begun.set()
            await asyncio.get_running_loop().run_in_executor(None, go.wait, LIMIT)

        with AsyncExecutor(1) as executor:
            first = executor.submit(hold)
            begun.wait(LIMIT)
            second = executor.submit(fetch.function, 1)
            assert second.cancel()
            go.set()
            first.result(LIMIT)
            assert second.cancelled()

    def test_shutdown_waits_for_what_was_submitted(self) -> None:
        executor = AsyncExecutor(1)
        made = [executor.submit(fetch.function, at) for at in range(5)]
        executor.shutdown()
        assert [one.result(0) for one in made] == [1, 2, 3, 4, 5]

    def test_after_shutdown_nothing_is_taken(self) -> None:
        executor = AsyncExecutor(1)
        executor.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.submit(fetch.function, 1)

    def test_no_thread_is_left(self) -> None:
        before = set(threading.enumerate())
        with AsyncExecutor(2) as executor:
            executor.submit(double.function, 1).result(LIMIT)
        Pipeline(mixed, engine="async").run({"x": 1})
        assert set(threading.enumerate()) <= before

    @pytest.mark.parametrize("most", [0, -1])
    def test_it_runs_at_least_one(self, most: int) -> None:
        with pytest.raises(KogineError, match="max_concurrent"):
            AsyncExecutor(most)

    def test_lent_it_is_not_shut_down(self) -> None:
        with AsyncExecutor(2) as executor:
            for _ in range(2):
                assert Pipeline(mixed, engine=executor).run({"x": 1}) == RESULT
            assert executor.submit(fetch.function, 1).result(LIMIT) == 2
