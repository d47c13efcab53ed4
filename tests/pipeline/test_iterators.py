"""An iterator can be read once: two nodes, two items or a node and the caller cannot share one."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Callback, HyperNodesEngine, MemoryCache, Node, Pipeline, PipelineError, node

ENGINES = ["sequential", "threaded", "async", "parallel"]


class Pass:
    """An iterator of one pass, as ``__iter__`` says."""

    def __init__(self) -> None:
        self.rest = [1, 2]

    def __iter__(self) -> Pass:
        return self

    def __next__(self) -> int:
        if not self.rest:
            raise StopIteration
        return self.rest.pop()


class Again(Pass):
    """An iterator that starts anew."""

    def __iter__(self) -> Again:
        self.rest = [1, 2]
        return self


async def coroutines() -> AsyncIterator[int]:
    yield 1


def generated(n: int) -> Iterator[int]:
    yield from range(n)


@node("s")
def first(g: Iterable[Any]) -> int:
    return len(list(g))


@node("s2")
def second(g: Iterable[Any]) -> int:
    return len(list(g))


def pipeline(make: Callable[[int], Any], **options: Any) -> Pipeline:
    return Pipeline([Node(make, "g", name="make"), first, second], **options)


def ranged(n: int) -> Iterator[int]:
    return iter(range(n))  # pickles: worker processes would each get one of their own


@pytest.mark.parametrize(
    ("engine", "make"),
    [
        *((engine, ranged) for engine in ENGINES),
        # To another process a generator cannot be sent at all.
        *((engine, generated) for engine in ENGINES if engine != "parallel"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"callbacks": [Callback()]}], ids=["bare", "reported"])
def test_two_nodes_cannot_read_one(engine: str, make: Any, options: Any) -> None:
    with pytest.raises(PipelineError, match=r"'first'.* and 'second'.*read it. Return a list"):
        pipeline(make, engine=engine, **options).run({"n": 3}, ["s", "s2"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cached", [False, True])
def test_nor_in_the_items_of_a_map(engine: str, cached: bool) -> None:
    made = pipeline(ranged, engine=engine, cache=MemoryCache() if cached else None)
    for _ in range(2):
        with pytest.raises(
            PipelineError, match=r"is a range_iterator, which can be read only once"
        ):
            made.map({"n": [2, 3]}, map_over="n", output_name=["s", "s2"])


ITERATORS: dict[str, Callable[[], Any]] = {
    "generator": lambda: generated(2),
    "map": lambda: map(str, [1, 2]),
    "zip": lambda: zip([1, 2], [3, 4]),
    "filter": lambda: filter(None, [1, 2]),
    "enumerate": lambda: enumerate([1, 2]),
    "reversed": lambda: reversed([1, 2]),
    "itertools": lambda: itertools.chain([1], [2]),
    "csv": lambda: csv.reader(["a", "b"]),
    "re": lambda: re.finditer("a", "aa"),
    "file": lambda: Path(__file__).open(),  # noqa: SIM115  # the test closes it
    "bytes of a file": lambda: Path(__file__).open("rb"),  # noqa: SIM115  # the test closes it
    "class": Pass,
    "async": coroutines,
}


@pytest.mark.parametrize("kind", ITERATORS)
def test_what_is_an_iterator(kind: str) -> None:
    value = ITERATORS[kind]()
    with pytest.raises(PipelineError, match=rf"'g' is a {type(value).__name__}, .* Give a list"):
        Pipeline([first, second]).run({"g": value})
    if hasattr(value, "close") and kind != "async":
        value.close()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([1, 2], id="list"),
        pytest.param(range(2), id="range"),
        pytest.param({1: 2, 3: 4}.items(), id="view of a dict"),
        pytest.param(Again(), id="iterator that starts anew"),
        pytest.param("ab", id="text"),
    ],
)
def test_what_is_none(value: Any) -> None:
    assert Pipeline([first, second]).run({"g": value}) == {"s": 2, "s2": 2}


def test_a_file_that_is_written_is_none(tmp_path: Path) -> None:
    @node
    def one(log: Any) -> int:
        return int(log.write("one\n"))

    @node
    def two(log: Any) -> int:
        return int(log.write("two\n"))

    with (tmp_path / "log").open("w") as log:
        Pipeline([one, two]).run({"log": log})
    assert Pipeline([one, two]).run({"log": io.StringIO()}) == {"one": 4, "two": 4}


def test_one_reader_reads_it() -> None:
    made = Pipeline([Node(generated, "g"), first])
    assert made.run({"n": 3}, "s") == 3
    assert made.run({"n": 3})["s"] == 3, "all outputs: nobody has named g"


def test_the_caller_is_a_reader_if_he_names_it() -> None:
    with pytest.raises(PipelineError, match=r"'first' .* and the caller of run read it"):
        Pipeline([Node(generated, "g"), first]).run({"n": 3}, ["g", "s"])
    assert list(Pipeline([Node(generated, "g"), first]).run({"n": 3}, "g")) == [0, 1, 2]


def test_readers_in_a_pipeline_inside() -> None:
    with pytest.raises(PipelineError, match=r"'first' .* and 'second'"):
        Pipeline([Node(generated, "g"), Pipeline([first, second])]).run({"n": 3})
    inner = Pipeline([Node(generated, "g"), first], name="inner")
    assert Pipeline([inner]).run({"n": 3})["s"] == 3
    assert Pipeline([Pipeline([inner])]).run({"n": 3})["s"] == 3
    assert Pipeline([inner, second]).run({"n": 3}, "s2") == 3, "the other one does not run"
    for wanted in (["s", "s2"], None):
        with pytest.raises(PipelineError, match=r"'first' .* and the caller"):
            Pipeline([inner, second]).run({"n": 3}, wanted)


@pytest.mark.parametrize("engine", ["sequential", "threaded", "async"])
def test_items_of_a_map_cannot_share_one(engine: str) -> None:
    @node
    def total(x: int, g: Iterable[int]) -> int:
        return x + sum(g)

    made = Pipeline([total], engine=HyperNodesEngine(map_executor=engine))
    for g in (generated(3), iter([1])):
        with pytest.raises(PipelineError, match=r"'g' is a .* 2 items would read it"):
            made.map({"x": [1, 2], "g": g}, map_over="x")
    assert made.map({"x": [1], "g": generated(3)}, map_over="x", output_name="total") == [4]
    assert made.map({"x": [1, 2], "g": [generated(2), generated(2)]}, ["x", "g"]) == [
        {"total": 2}, {"total": 3},
    ]  # fmt: skip
    with pytest.raises(PipelineError, match=r"'g' is a generator, .* 2 items would read it"):
        made.map({"x": [1, 2], "g": [generated(2)]}, ["x", "g"], "product")
    with pytest.raises(PipelineError, match=r"2 items would read it"):
        Pipeline([total.bind(g=generated(3))]).map({"x": [1, 2]}, "x")
    with pytest.raises(PipelineError, match=r"2 items would read it"):
        Pipeline([Pipeline([total]).as_node(map_over="x")]).run({"x": [1, 2], "g": generated(2)})


def test_nothing_is_left_open_in_the_reports() -> None:
    class Told(Callback):
        def __init__(self) -> None:
            self.started: list[str] = []

        def on_node_start(self, name: str, inputs: Any, context: Any) -> None:
            self.started.append(name)

        def on_node_end(self, name: str, outputs: Any, seconds: float, context: Any) -> None:
            self.started.remove(name)

    for engine in ENGINES:
        told = Told()
        with pytest.raises(PipelineError, match=r"only once"):
            pipeline(ranged, engine=engine, callbacks=[told]).run({"n": 3}, ["s", "s2"])
        assert told.started == []
