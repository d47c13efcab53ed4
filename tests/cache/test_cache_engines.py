"""The cache under every engine: runs, maps, pipelines inside pipelines, failures."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.errors import CacheWarning
from kohaku_ast.pipeline.callbacks import Callback, Context
from kohaku_ast.pipeline.node import Node, node
from kohaku_ast.pipeline.pipeline import Pipeline

ENGINES = ["sequential", "threaded", "async", "parallel"]


class Marks:
    """A file for each call of a node, in whatever process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def __kogine_fingerprint__(self) -> str:
        return "marks"

    def add(self, name: str) -> None:
        with (self.folder / name).open("a") as file:
            file.write("x")

    def take(self) -> dict[str, int]:
        found = {one.name: len(one.read_text()) for one in self.folder.iterdir()}
        for name in found:
            (self.folder / name).unlink()
        return found


@node
def top(x: int, marks: Marks) -> int:
    marks.add("top")
    return x + 1


@node
async def middle(top: int, marks: Marks) -> int:
    marks.add("middle")
    return top * 2


@node("left right")
def pair(middle: int, marks: Marks) -> tuple[int, list[int]]:
    marks.add("pair")
    return middle, [middle]


@node
def leaf(left: int, right: list[int], marks: Marks, extra: int = 0) -> int:
    marks.add("leaf")
    if extra < 0:
        raise ValueError("below zero")
    return left + right[0] + extra


@node
def total(leaf: list[int], marks: Marks) -> int:
    marks.add("total")
    return sum(leaf)


NODES = [top, middle, pair, leaf]
ONCE = {"top": 1, "middle": 1, "pair": 1, "leaf": 1}


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path / "marks")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["disk", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return DiskCache(tmp_path / "kept") if request.param == "disk" else MemoryCache()


def test_a_run_is_kept_node_by_node(engine: str, cache: Any, marks: Marks) -> None:
    pipeline = Pipeline(NODES, engine=engine, cache=cache)
    first = pipeline.run({"x": 1, "marks": marks})
    assert marks.take() == ONCE
    assert pipeline.run({"x": 1, "marks": marks}) == first
    assert marks.take() == {}
    assert pipeline.run({"x": 1, "marks": marks, "extra": 5}, "leaf") == first["leaf"] + 5
    assert marks.take() == {"leaf": 1}


def test_what_one_engine_kept_another_finds(engine: str, tmp_path: Path, marks: Marks) -> None:
    Pipeline(NODES, cache=DiskCache(tmp_path / "kept")).run({"x": 1, "marks": marks})
    marks.take()
    other = Pipeline(NODES, engine=engine, cache=DiskCache(tmp_path / "kept"))
    assert other.map({"x": [1], "marks": marks}, map_over="x", output_name="leaf") == [8]
    assert marks.take() == {}


def test_a_map_is_kept_item_by_item_and_node_by_node(engine: str, cache: Any, marks: Marks) -> None:
    pipeline = Pipeline(NODES, engine=engine, cache=cache)
    inputs = {"x": [1, 2, 3], "marks": marks}
    first = pipeline.map(inputs, map_over="x", output_name="leaf")
    assert marks.take() == dict.fromkeys(ONCE, 3)
    assert pipeline.map(inputs, map_over="x", output_name="leaf") == first == [8, 12, 16]
    pipeline.map({**inputs, "x": [3, 4, 2]}, map_over="x", output_name="leaf")
    assert marks.take() == ONCE
    pipeline.map({**inputs, "extra": 1}, map_over="x", output_name="leaf")
    assert marks.take() == {"leaf": 3}


def test_a_pipeline_inside_is_kept_as_one_and_node_by_node(
    engine: str, cache: Any, marks: Marks
) -> None:
    inner = Pipeline(NODES, name="inner").as_node()
    pipeline = Pipeline([inner], engine=engine, cache=cache)
    assert pipeline.run({"x": 1, "marks": marks}, "leaf") == 8
    assert marks.take() == ONCE
    pipeline.run({"x": 1, "marks": marks}, "leaf")
    assert marks.take() == {}
    pipeline.run({"x": 1, "marks": marks, "extra": 1}, "leaf")
    assert marks.take() == {"leaf": 1}


def test_a_map_inside_is_kept_as_one_and_item_by_item(
    engine: str, cache: Any, marks: Marks
) -> None:
    inner = Pipeline(NODES, name="inner").as_node(map_over="x")
    pipeline = Pipeline([inner, total], engine=engine, cache=cache)
    assert pipeline.run({"x": [1, 2], "marks": marks}, "total") == 20
    assert marks.take() == {**dict.fromkeys(ONCE, 2), "total": 1}
    pipeline.run({"x": [1, 2], "marks": marks}, "total")
    assert marks.take() == {}
    assert pipeline.run({"x": [2, 3, 1], "marks": marks}, "total") == 36
    assert marks.take() == {**ONCE, "total": 1}


def test_a_map_of_a_pipeline_inside(engine: str, cache: Any, marks: Marks) -> None:
    inner = Pipeline(NODES, name="inner").as_node()
    pipeline = Pipeline([inner], engine=engine, cache=cache)
    inputs = {"x": [1, 2], "marks": marks}
    assert pipeline.map(inputs, map_over="x", output_name="leaf") == [8, 12]
    assert marks.take() == dict.fromkeys(ONCE, 2)
    pipeline.map(inputs, map_over="x", output_name="leaf")
    assert marks.take() == {}
    pipeline.map({**inputs, "extra": 1}, map_over="x", output_name="leaf")
    assert marks.take() == {"leaf": 2}


def test_the_cache_of_a_pipeline_inside_is_its_own(engine: str, cache: Any, marks: Marks) -> None:
    inner = Pipeline(NODES, name="inner", cache=cache)
    pipeline = Pipeline([inner.as_node()], engine=engine)
    for _ in range(2):
        assert pipeline.run({"x": 1, "marks": marks}, "leaf") == 8
    assert marks.take() == ONCE


def test_what_was_finished_before_a_failure_is_kept(engine: str, cache: Any, marks: Marks) -> None:
    pipeline = Pipeline(NODES, engine=engine, cache=cache)
    with pytest.raises(ValueError, match="below zero"):
        pipeline.run({"x": 1, "marks": marks, "extra": -1}, "leaf")
    assert marks.take() == ONCE
    assert pipeline.run({"x": 1, "marks": marks}, "leaf") == 8
    assert marks.take() == {"leaf": 1}


def test_what_was_finished_before_a_failure_in_a_map_is_kept(
    engine: str, cache: Any, marks: Marks
) -> None:
    pipeline = Pipeline(NODES, engine=engine, cache=cache)
    inputs = {"x": [1, 2], "marks": marks}
    pipeline.map({**inputs, "extra": -1}, map_over="x", output_name="leaf", on_error="keep")
    assert marks.take() == dict.fromkeys(ONCE, 2)
    assert pipeline.map(inputs, map_over="x", output_name="leaf") == [8, 12]
    assert marks.take() == {"leaf": 2}


def test_cache_false_under_every_engine(engine: str, cache: Any, marks: Marks) -> None:
    nodes = [Node(top.function, "top", cache=False), middle, pair, leaf]
    pipeline = Pipeline(nodes, engine=engine, cache=cache)
    pipeline.run({"x": 1, "marks": marks}, "leaf")
    marks.take()
    pipeline.run({"x": 1, "marks": marks}, "leaf")
    assert marks.take() == {}, "what is below it is kept"
    pipeline.run({"x": 1, "marks": marks}, "top")
    assert marks.take() == {"top": 1}


@node
def stream(x: int) -> Any:
    return threading.Lock()


@node
def after(stream: Any) -> int:
    return 1


@pytest.mark.parametrize("name", ["sequential", "threaded", "async"])
def test_a_result_that_cannot_be_pickled_is_said_once_for_each_node(name: str, cache: Any) -> None:
    """A worker process could not even send it."""
    other = Node(stream.function, "other", name="other")
    pipeline = Pipeline([stream, other, after], engine=name, cache=cache)
    with pytest.warns(CacheWarning) as caught:
        results = [pipeline.run({"x": 1}, ["after", "other"]) for _ in range(3)]
    assert [one["after"] for one in results] == [1, 1, 1]
    said = [str(one.message) for one in caught]
    assert len(said) == 2
    assert sum("'stream'" in one and "lock" in one for one in said) == 1
    assert sum("'other'" in one and "lock" in one for one in said) == 1


class Told(Callback):
    def __init__(self) -> None:
        self.names: list[str] = []

    def on_node_start(self, name: str, inputs: Any, context: Context) -> None:
        self.names.append(f"start {name}")

    def on_node_cached(self, name: str, key: str, context: Context) -> None:
        self.names.append(f"cached {name}")


def test_callbacks_are_told_of_hits(engine: str, cache: Any, marks: Marks) -> None:
    told = Told()
    pipeline = Pipeline(NODES, engine=engine, cache=cache, callbacks=[told])
    pipeline.run({"x": 1, "marks": marks}, "leaf")
    told.names.clear()
    pipeline.run({"x": 1, "marks": marks, "extra": 1}, "leaf")
    assert sorted(told.names) == ["cached pair", "start leaf"]


def test_processes_share_a_folder_while_they_write(tmp_path: Path, marks: Marks) -> None:
    cache = DiskCache(tmp_path / "kept")
    inner = Pipeline(NODES, name="inner", cache=cache).as_node()
    pipeline = Pipeline([inner], engine="parallel", cache=cache)
    inputs = {"x": [1, 2] * 10, "marks": marks}
    assert pipeline.map(inputs, map_over="x", output_name="leaf") == [8, 12] * 10
    marks.take()
    assert pipeline.map(inputs, map_over="x", output_name="leaf") == [8, 12] * 10
    assert marks.take() == {}
