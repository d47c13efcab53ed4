"""Random graphs: every engine gives what plain recursion gives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohaku_ast import AsyncExecutor, HyperNodesEngine, MemoryCache, Node, Pipeline

INPUTS = ("a", "b")
#: A node: which earlier names it reads, how many outputs it has, whether it is async.
Described = tuple[list[int], int, bool]


@st.composite
def graphs(draw: Any) -> list[Described]:
    """Descriptions of nodes, each of which reads names that exist before it."""
    made: list[Described] = []
    names = len(INPUTS)
    for _ in range(draw(st.integers(1, 8))):
        read = draw(st.lists(st.integers(0, names - 1), min_size=1, max_size=3, unique=True))
        outputs = draw(st.integers(1, 2))
        made.append((read, outputs, draw(st.booleans())))
        names += outputs
    return made


def names_of(graph: list[Described]) -> list[str]:
    return [*INPUTS, *[f"n{at}_{out}" for at, node in enumerate(graph) for out in range(node[1])]]


def value(at: int, values: list[Any]) -> tuple[Any, ...]:
    """What node *at* computes, long enough to show every mistake in the wiring."""
    return at, *values


def make_node(graph: list[Described], at: int) -> Node:
    read, outputs, is_async = graph[at]
    names = names_of(graph)
    parameters = ", ".join(names[one] for one in read)
    body = f"value({at}, [{parameters}])"
    result = (
        body
        if outputs == 1
        else "(" + ", ".join(f"(*{body}, {out})" for out in range(outputs)) + ")"
    )
    head = "async def" if is_async else "def"
    wait = "await asyncio.sleep(0); " if is_async else ""
    namespace: dict[str, Any] = {"value": value, "asyncio": asyncio, "__name__": __name__}
    exec(f"{head} n{at}({parameters}): {wait}return {result}", namespace)
    return Node(namespace[f"n{at}"], [f"n{at}_{out}" for out in range(outputs)])


def make_nodes(graph: list[Described]) -> list[Node]:
    return [make_node(graph, at) for at in range(len(graph))]


def recursive(graph: list[Described], given: dict[str, Any]) -> Any:
    """Name -> value, by plain recursion; the names that were computed are left behind in it."""
    names = names_of(graph)
    known = dict(given)

    def find(name: str) -> Any:
        if name not in known:
            at = int(name[1:].partition("_")[0])
            read, outputs, _ = graph[at]
            found = value(at, [find(names[one]) for one in read])
            for out in range(outputs):
                known.setdefault(f"n{at}_{out}", found if outputs == 1 else (*found, out))
        return known[name]

    return find


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, Any]]:
    with ThreadPoolExecutor(3) as threads, AsyncExecutor(5) as loop:
        yield {
            "sequential": "sequential",
            "async": "async",
            "threaded": HyperNodesEngine("threaded", "threaded", max_workers=4),
            "threads lent": threads,
            "loop lent": loop,
            "nodes overlap": HyperNodesEngine(node_executor=loop),
            "items overlap": HyperNodesEngine(map_executor=loop),
            "items by threads": HyperNodesEngine("sequential", "threaded", max_workers=3),
            "both": HyperNodesEngine("threaded", "async", max_workers=3),
            "both, other way": HyperNodesEngine("async", "threaded", max_workers=3),
        }


few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@few
@given(graphs(), st.data())
def test_runs(engines: dict[str, Any], graph: list[Described], data: Any) -> None:
    names = names_of(graph)
    wanted = data.draw(st.lists(st.sampled_from(names[2:]), min_size=1, unique=True))
    nodes = make_nodes(graph)
    shuffled = data.draw(st.permutations(nodes))
    ask = recursive(graph, {"a": "A", "b": "B"})
    expected = {name: ask(name) for name in wanted}
    inputs = needed(nodes, wanted)
    for name, engine in engines.items():
        made = Pipeline(shuffled, engine=engine)
        assert made.run(inputs, wanted) == expected, name
        cached = Pipeline(shuffled, engine=engine, cache=MemoryCache())
        assert [cached.run(inputs, wanted) for _ in range(2)] == [expected] * 2, name


@few
@given(graphs(), st.data())
def test_runs_with_given_intermediates(
    engines: dict[str, Any], graph: list[Described], data: Any
) -> None:
    names = names_of(graph)
    wanted = data.draw(st.sampled_from(names[2:]))
    replaced = data.draw(st.lists(st.sampled_from(names[2:]), max_size=3, unique=True))
    nodes = make_nodes(graph)
    given_ = {name: f"given {name}" for name in replaced}
    ask = recursive(graph, {"a": "A", "b": "B", **given_})
    used = needed(nodes, [wanted], set(replaced))
    inputs = {
        **used,
        **{
            name: value
            for name, value in given_.items()
            if name in read_by(nodes, wanted, set(replaced))
        },
    }
    for name, engine in engines.items():
        assert Pipeline(nodes, engine=engine).run(inputs, wanted) == ask(wanted), name


@few
@given(graphs(), st.lists(st.integers(), max_size=4), st.data())
def test_maps_and_nested_maps(
    engines: dict[str, Any], graph: list[Described], values: list[int], data: Any
) -> None:
    nodes = make_nodes(graph)
    wanted = data.draw(st.sampled_from(names_of(graph)[2:]))
    inputs = needed(nodes, [wanted])
    over = data.draw(st.sampled_from(sorted(inputs)))
    expected = [recursive(graph, {"a": "A", "b": "B", over: one})(wanted) for one in values]
    for name, engine in engines.items():
        made = Pipeline(nodes, name="inner")
        flat = Pipeline(nodes, engine=engine)
        assert flat.map({**inputs, over: values}, map_over=over, output_name=wanted) == expected, (
            name
        )
        outer = Pipeline([made.as_node(map_over=over)], engine=engine)
        assert outer.run({**inputs, over: values}, wanted) == expected, name
        twice = outer.map({**inputs, over: [values, []]}, map_over=over, output_name=wanted)
        assert twice == [expected, []], name


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2) as pool:
        yield pool


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(), st.lists(st.integers(), max_size=4))
def test_processes(
    processes: ProcessPoolExecutor, graph: list[Described], values: list[int]
) -> None:
    nodes = make_nodes(graph)
    wanted = names_of(graph)[-1]
    inputs = needed(nodes, [wanted])
    over = min(inputs)
    expected = [recursive(graph, {"a": "A", "b": "B", over: one})(wanted) for one in values]
    made = Pipeline(nodes, engine=processes)
    assert made.run(inputs, wanted) == recursive(graph, {"a": "A", "b": "B"})(wanted)
    assert made.map({**inputs, over: values}, map_over=over, output_name=wanted) == expected
    nested = Pipeline(
        [Pipeline(nodes).as_node(map_over=over)], engine=processes, cache=MemoryCache()
    )
    for _ in range(2):
        assert nested.map({**inputs, over: [values]}, map_over=over, output_name=wanted) == [
            expected
        ]


def read_by(nodes: list[Node], wanted: str, stop: set[str]) -> set[str]:
    """Every name that is looked at for *wanted*, if the search ends at the names in *stop*."""
    producers = {name: one for one in nodes for name in one.outputs}
    seen, todo = set(), [wanted]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += [] if name in stop or name not in producers else producers[name].inputs
    return seen


def needed(nodes: list[Node], wanted: list[str], stop: set[str] = frozenset()) -> dict[str, str]:  # type: ignore[assignment]
    seen = set().union(*(read_by(nodes, name, stop) for name in wanted))
    return {name: name.upper() for name in INPUTS if name in seen}
