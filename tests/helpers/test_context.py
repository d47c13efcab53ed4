"""``context``: values between the nodes of one run, the same ones with every engine."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import HyperNodesEngine, LastRun, MemoryCache, Pipeline, node
from kohaku_ast.errors import UncrossableValue
from kohaku_ast.helpers import context
from tests.oracle import run_kogine


@node
def first(n: int) -> int:
    context.set("n", n)
    return n


@node
def second(first: int) -> int:
    context.set("m", context.get("n") + 1)
    return 0


@node("second")
async def second_async(first: int) -> int:
    context.set("m", context.get("n") + 1)
    return 0


@node
def third(second: int) -> tuple[Any, ...]:
    return context.get("n"), context.get("m"), context.get("inner", None)


@node
def inside(third: Any) -> int:
    context.set("inner", context.get("m"))
    return int(context.get("inner"))


@node
def after(inside: int) -> Any:
    return inside, context.get("inner", "apart")


@node
def outer(third: list[Any]) -> Any:
    return [one[:2] for one in third], context.get("n", None)


ENGINES: dict[str, Any] = {
    "sequential": "sequential",
    "threaded": HyperNodesEngine("threaded", "threaded", max_workers=2),
    "async": "async",
    "async items": HyperNodesEngine("sequential", "async"),
    "parallel": HyperNodesEngine("parallel", "parallel", max_workers=2),
    "lent": ThreadPoolExecutor(2),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_nodes_after_see_it_and_other_runs_do_not(engine: str) -> None:
    for is_async, callbacks in ((False, []), (True, [LastRun()])):
        nodes = [first, second_async if is_async else second, third]
        nested = Pipeline([inside], name="in")
        cache = MemoryCache() if is_async else None
        made = Pipeline([*nodes, nested, after], ENGINES[engine], cache, callbacks=callbacks)
        for n in (1, 5):
            assert made.run({"n": n}, ["third", "after"]) == {
                "third": (n, n + 1, None),
                "after": (n + 1, "apart"),
            }
        items = made.map({"n": [1, 5]}, map_over="n", output_name="third")
        assert items == [(1, 2, None), (5, 6, None)]
        around = Pipeline([made.as_node(map_over="n"), outer], ENGINES[engine])
        assert around.run({"n": [1, 5]}, "outer") == ([(1, 2), (5, 6)], None)
    with pytest.raises(LookupError, match=r"context.get\('n'\): no node before this one"):
        context.get("n")


class Body(Pipeline):
    """The calls of a body are the nodes of one run."""

    first: Any = first
    second: Any = second

    def __call__(self, n: int) -> Any:
        self.second(self.first(n))
        return context.get("m")


def test_calls_of_an_imperative_pipeline_share_it() -> None:
    make: Any = Body
    for engine in ("sequential", ENGINES["parallel"]):
        assert [make(engine=engine).run(n=n) for n in (1, 5)] == [2, 6]


def test_runs_at_the_same_time_are_apart() -> None:
    both = threading.Barrier(2)

    @node
    def wait(first: int) -> int:
        both.wait(30)
        return int(context.get("n"))

    made = Pipeline([first, wait])
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(lambda n: made.run({"n": n}, "wait"), (1, 2))] == [1, 2]


def test_what_used_it_and_what_depends_on_that_is_not_cached() -> None:
    @node
    def reads(seed: int) -> bool:
        return bool(context.get("limit", 0))

    @node(when="reads")
    def gated(seed: int) -> int:
        return seed

    @node
    def joined(gated: int | None = None) -> Any:
        return gated

    @node
    def apart(seed: int) -> int:
        return seed

    last = LastRun()
    made = Pipeline([reads, gated, joined, apart], cache=MemoryCache(), callbacks=[last])
    assert made.run(seed=1) == {"reads": False, "joined": None, "apart": 1}
    context.set("limit", 1)
    try:
        assert made.run(seed=1) == {"reads": True, "gated": 1, "joined": 1, "apart": 1}
    finally:
        context.set("limit", 0)
    assert [last[name].state for name in ("reads", "joined", "apart")] == [
        "succeeded",
        "succeeded",
        "cached",
    ]
    found = made.explain_cache(seed=1)
    assert [found[name].state for name in ("reads", "joined", "apart")] == ["runs", "runs", "kept"]
    assert "used helpers.context" in found["reads"].why


def is_odd(first: int) -> bool:
    return bool(context.get("n") % 2)


@node(when=is_odd)
def odd(first: int, made: Any) -> Any:
    return made


@node
def known(item: int, first: int) -> Any:
    return item, context.get("n", None)


@node
def last(known: list[Any], odd: Any = None) -> Any:
    return known, odd


def make() -> Any:
    return context.get("n", "none")


@pytest.mark.parametrize("engine", ["sequential", "parallel"])
def test_conditions_and_items_of_cached_maps_see_it_and_permanences_do_not(engine: str) -> None:
    items = Pipeline([known]).as_node({"items": "item"}, map_over="items")
    cache, given = MemoryCache(), {"made": make}
    made = Pipeline([first, odd, items, last], ENGINES[engine], cache, permanences=given)
    for n, found in ((1, "none"), (2, None), (1, "none")):
        assert made.run({"n": n, "items": [5]}, "last") == ([(5, n)], found)


@node
def unsendable(n: int) -> int:
    context.set("lock", threading.Lock())
    return n


def test_a_value_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(
        UncrossableValue, match=r"'unsendable' \(.*the value of context 'lock' cannot"
    ):
        Pipeline([unsendable], ENGINES["parallel"]).run(n=1)
    with pytest.raises(TypeError, match="the name is a text"):
        context.set(3, 4)  # type: ignore[arg-type]


ALONE = """\
from kohaku_ast.helpers import context, process

n = 1


@process
def read(n=n):
    context.set("rows", [context.get("before", None), *range(n)])
    return n


@process
def use(read):
    return context.get("rows")


if __name__ == "__main__":
    print(use(read(n)))
    context.set("before", n)
"""


def test_alone_in_flows_and_imported_late(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(ALONE)
    alone = subprocess.run(
        [sys.executable, "steps.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert alone.stdout == "[None, 0]\n"
    flow = run_kogine(
        tmp_path, "run", "steps.py", "--sweep", "n=1,2", "--mode", "inline", "--no-record"
    )
    assert ("[None, 0]" in flow.stdout, "[None, 0, 1]" in flow.stdout) == (True, True), flow
    (tmp_path / "late.py").write_text(
        "from kohaku_ast import Pipeline, node\n"
        "@node\ndef a(n):\n"
        "    from kohaku_ast.helpers import context\n"
        "    known = context.get('n', None)\n    context.set('n', n)\n    return known\n"
        "@node\ndef b(a):\n    from kohaku_ast.helpers import context\n"
        "    return context.get('n')\n"
        "made = Pipeline([a, b])\nprint(made.run(n=1), made.run(n=2))\n"
    )
    late = run_kogine(tmp_path, "run", "late.py")
    assert late.stdout == "{'a': None, 'b': 1} {'a': None, 'b': 2}\n", late
