"""Imperative pipelines run as declared ones do: results, engines, cache, callbacks, records."""

from __future__ import annotations

import json
import os
import pickle
import threading
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import (
    Callback,
    DiskCache,
    Hooks,
    LastRun,
    MemoryCache,
    Node,
    Pipeline,
    PipelineError,
)
from tests.imperative.small_classes import Heavy, Scale, Sums, bounds, expected, lines, make, total

CALLS = ["scale", "scale#2", "slow", "inner", "inner/scale", "inner/scale#2", "total"]


class Events(Callback):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_node_start(self, name: str, inputs: Any, context: Any) -> None:
        self.seen.append(f"{'/'.join(context.path[1:])} {dict(inputs)}")

    def on_node_end(self, name: str, outputs: Any, seconds: float, context: Any) -> None:
        self.seen.append(f"{name} -> {dict(outputs)}")

    def on_node_cached(self, name: str, key: str, context: Any) -> None:
        self.seen.append(f"{'/'.join(context.path[1:])} cached")

    def on_map_item_cached(self, item: int, key: str, context: Any) -> None:
        self.seen.append(f"item {item} cached")


def twice(x: int) -> int:
    return 2 * x


def less(twice: int, by: int = 1) -> int:
    return twice - by


class Straight(Pipeline):
    twice: Any = twice
    less: Any = less
    bounds: Any = bounds

    def __call__(self, x: int) -> Any:
        return self.bounds(self.less(self.twice(x)))


straight: Any = Straight


def nodes_of(pipeline: Any) -> list[dict[str, Any]]:
    found = json.loads((Path(pipeline.last_record) / "run.json").read_text())
    own = ("started", "ended", "seconds", "key")
    return [{name: one[name] for name in one if name not in own} for one in found["nodes"]]


def test_it_is_as_the_declared_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nodes = [Node(twice), Node(less), Node(bounds.function, "low high", rename={"y": "less"})]
    forms: list[Any] = [
        Pipeline(nodes, cache=DiskCache("declared"), record=True, callbacks=[LastRun()]),
        straight(cache=DiskCache("called"), record=True, callbacks=[LastRun()], return_all=True),
    ]
    results = [one.run(x=4) for one in forms]
    assert results[0] == results[1] == {"twice": 8, "less": 7, "low": 6, "high": 8}
    first, second = map(nodes_of, forms)
    assert [one.pop("kind") for one in (*first, *second)] == ["function"] * 6
    assert first == second
    assert [one.run(x=4) for one in forms] == results
    assert [nodes_of(one)[-1]["status"] for one in forms] == ["cached", "cached"]
    assert [forms[1].callbacks[0][name].state for name in ("twice", "bounds")] == ["cached"] * 2
    # Its first node has the same inputs: the result of one form is found by the other.
    shared = DiskCache("declared")
    events = Events()
    made = straight(cache=shared, callbacks=[events])
    assert made(4) == (6, 8)
    assert events.seen[0] == "twice cached"


@pytest.mark.parametrize("engine", ["sequential", "threaded", "async", "parallel"])
def test_every_engine_gives_the_same(engine: str) -> None:
    events = Events()
    sums = make(engine=engine, cache=MemoryCache(), callbacks=[events])
    assert (sums.run(x=1), sums(1)) == (expected(1), expected(1))
    starts = [one.split()[0] for one in events.seen if " {" in one and "->" not in one]
    assert starts == CALLS
    assert [one for one in events.seen if "cached" in one] == [
        f"{one} cached" for one in CALLS if "/" not in one
    ]
    found = sums.map({"x": [1, 2, 3], "is_broken": [False, True, False]}, ["x", "is_broken"],
                     on_error="keep")  # fmt: skip
    assert (found[0], found[2]) == (expected(1), expected(3))
    assert str(found[1].failure) == f"in node 'invert' ({make().nodes[-1].where}), item 1, with x=0"
    assert "item 0 cached" in events.seen


def test_init_runs_once_in_each_worker(tmp_path: Path) -> None:
    log = tmp_path / "log"

    class Runs(Pipeline):
        heavy: Heavy

        def __call__(self, x: int) -> int:
            return sum(self.heavy(x + number) for number in range(3))

    make_runs: Any = Runs
    for engine in ("threaded", "parallel"):
        log.write_text("")
        runs = make_runs(heavy=Heavy(str(log), ("a", "b")), engine=engine)
        assert runs.map({"x": [0, 1, 2, 3]}, "x") == [9, 12, 15, 18]
        found = lines(log)
        workers = {one.split()[1] for one in found}
        inits = [one for one in found if "init" in one]
        assert sorted(inits) == sorted(f"init {one}" for one in workers)
        assert len(found) == 12 + len(workers)

    # What it loads is no part of a key, and a cached result needs no init.
    log.write_text("")
    cache = DiskCache(tmp_path / "kept")
    for _ in range(2):
        runs = make_runs(heavy=Heavy(str(log), ("a", "b")), cache=cache)
        assert (runs(1), runs(1)) == (12, 12)
    assert [one.split()[0] for one in lines(log)] == ["init", "call", "call", "call"]
    runs.heavy.words = ["a", "b", "c"]
    assert (runs(1), len(lines(log))) == (15, 8)
    runs.heavy.words = ["a", "b", "d"]  # after init(): it counts, too
    assert (runs(1), len(lines(log))) == (15, 12)  # which runs again


class Loaded:
    """Its ``init()`` reads the settings; a call changes one of them."""

    def __init__(self, by: int, more: dict[str, int], inits: int = 0, calls: int = 0) -> None:
        self.by, self.more, self.inits, self.calls = by, more, inits, calls

    def init(self) -> None:
        self.inits += 1
        self.loaded = self.by + self.more["more"]

    def __call__(self, x: int) -> tuple[int, int]:
        self.calls += 1
        return x * self.loaded, self.inits


def test_init_reads_settings_again_that_were_changed_since(tmp_path: Path) -> None:
    class Runs(Pipeline):
        loaded: Loaded

        def __call__(self, x: int) -> Any:
            return self.loaded(x), self.loaded(x)

    make_runs: Any = Runs
    cache = DiskCache(tmp_path / "kept")
    for kept in (None, cache):
        runs = make_runs(loaded=Loaded(2, {"more": 0}), cache=kept)
        assert runs(1) == ((2, 1), (2, 1))
        runs.loaded.by = 10
        assert runs(1) == ((10, 1), (10, 1))
        runs.loaded.more["more"] = 5
        assert runs(1) == ((15, 1), (15, 1))
    runs = make_runs(loaded=Loaded(10, {"more": 0}), cache=cache)
    assert runs(1) == ((10, 1), (10, 1))


class Filled:
    """Its ``init()`` replaces a setting; a call changes what is in it."""

    def __init__(self) -> None:
        self.words, self.inits = {"size": 1}, 0

    def init(self) -> None:
        self.words, self.inits = {**self.words, "ready": 0}, self.inits + 1

    def __call__(self, x: int) -> tuple[int, int]:
        self.words["ready"] += 1
        return x * self.words["size"], self.inits


@pytest.mark.parametrize("engine", ["sequential", "parallel"])
def test_what_init_has_made_is_a_setting_when_it_is_changed(engine: str) -> None:
    class Runs(Pipeline):
        heavy: Filled

        def __call__(self, x: int) -> Any:
            return self.heavy(x), self.heavy(x + 1)

    make_runs: Any = Runs
    runs = make_runs(engine=engine, cache=MemoryCache())
    assert runs(1) == ((1, 1), (2, 1))
    runs.heavy.words["size"] = 5
    assert [one for one, _ in runs(1)] == [5, 10]
    assert [one for one, _ in runs(2)] == [10, 15]


def test_a_setting_that_changes_is_run_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sums = make(scale=Scale(2, str(log)), cache=DiskCache(tmp_path / "kept"))
    assert (sums(1), sums(1), len(lines(log))) == (expected(1), expected(1), 2)
    sums.scale.by = 3
    assert sums(1) == expected(1) + 4
    assert len(lines(log)) == 4
    other = make(scale={"by": 3, "log": str(log)}, cache=sums.cache, rounds=1)
    assert other(1) == 3 + 1 + 9
    assert len(lines(log)) == 4


def test_a_part_of_it(tmp_path: Path) -> None:
    sums = make(cache=DiskCache(tmp_path / "kept"))
    assert (sums.part(to_node="scale#2").run(x=1), sums.part(to_node="inner")(2)) == (4, 15)
    with pytest.raises(
        PipelineError, match=r"from 'total' on: .* 'inner' is called before it, and"
    ):
        sums.part("total").run(x=1)
    assert sums(1) == expected(1)
    part = sums.part("total")
    assert part(1) == expected(1)
    assert [one.state for one in part.last_calls] == ["cached"] * 5
    with pytest.raises(PipelineError, match="'scale' is called before it, and the pipeline has no"):
        make().part(from_node="inner").run(x=1)
    with pytest.raises(
        PipelineError, match=r"'scale#7' was not called. Its calls were: scale, sca"
    ):
        sums.part(to_node="scale#7").run(x=1)
    with pytest.raises(PipelineError, match=r"to_node='scal': .* Did you mean 'scale'"):
        sums.part(to_node="scal")
    assert sums.run({"x": 1}, ["scale#2", "slow"]) == {"scale#2": 4, "slow": 5}
    assert sums.run({"x": 1}, "total") == expected(1)
    with pytest.raises(PipelineError, match=r"no call of this run gave 'slow#2'\. Its calls"):
        sums.run({"x": 1}, "slow#2")


def test_explain_shows_the_last_run(tmp_path: Path) -> None:
    sums = make()
    assert "scale.by = 2" in str(sums.explain())
    sums(1)
    rows = str(sums.explain("slow")).splitlines()
    assert rows[0] == "pipeline 'sums', last run: 3 calls"
    assert [one.split()[:2] for one in rows[1:]] == [
        ["slow", "succeeded"], ["inner", "succeeded"], ["total", "succeeded"]]  # fmt: skip
    assert rows[3].endswith("values=list of 3")
    assert "scale#2" in sums.visualize().svg
    with pytest.raises(PipelineError, match="only a run can show"):
        sums.explain_cache(x=1)


@pytest.mark.parametrize("engine", ["sequential", "parallel"])
def test_a_member_that_raises(engine: str) -> None:
    sums = make(return_all=True, engine=engine)
    with pytest.raises(ZeroDivisionError) as caught:
        sums.run(x=1, is_broken=True)
    frames = traceback.extract_tb(caught.value.__traceback__)
    shown = [one.name for one in frames if one.name != "run"]  # Python 3.10 shows it
    inside = ["invert"] if engine == "sequential" else []  # else the cause shows it
    assert shown == ["test_a_member_that_raises", "__call__", *inside]
    assert str(sums.last_error).startswith("in node 'invert' (")
    assert sums.last_error.results == {"scale": 2, "scale#2": 4, "slow": 5, "inner": 9}
    assert [one.state for one in sums.last_calls][-1] == "failed"

    class Wrong(Pipeline):
        total: Any = total

        def __call__(self, kind: str) -> int:
            if kind == "twice":
                return int(self.total([], values=[]))
            return int(self.total(value=[]) if kind == "name" else self.total())

    for kind, text in (
        ("name", r"total\(\) has no argument 'value'. Did you mean 'values'\?"),
        ("none", r"total\(\) is called without its argument 'values'"),
        ("twice", r"total\(\) gets the argument 'values' twice"),
    ):
        with pytest.raises(TypeError, match=text):
            Wrong().run(kind=kind)  # type: ignore[call-arg]


@pytest.mark.parametrize("engine", ["sequential", "parallel"])
def test_a_lambda_that_raises_shows_its_line_in_the_record(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Runs(Pipeline):
        scale: Any = total

        def __call__(self, x: int) -> Any:
            return self.scale(x)

    monkeypatch.chdir(tmp_path)
    runs: Any = Runs(scale=lambda x: 1 / x, engine=engine, record=True)  # type: ignore[call-arg]
    with pytest.raises(ZeroDivisionError):
        runs(0)
    text = json.loads(Path(runs.last_record, "run.json").read_text())["error"]["traceback"]
    assert "scale=lambda x: 1 / x" in text
    assert f"{os.sep}kohaku_ast{os.sep}" not in text


def test_inside_a_declared_one_in_threads_and_pickled(tmp_path: Path) -> None:
    cache, events = DiskCache(tmp_path / "kept"), Events()
    outer = Pipeline([make().as_node(output_mapping={"sums": "y"}), bounds], cache=cache,
                     callbacks=[events])  # fmt: skip
    assert outer.run({"x": 1}, "high") == expected(1) + 1
    assert "sums/scale {'x': 1}" in events.seen
    events.seen.clear()
    low_to_high = {"y": expected(1), "low": expected(1) - 1, "high": expected(1) + 1}
    assert outer.run({"x": 1}) == low_to_high
    assert events.seen == ["bounds cached", "sums cached"]
    chain = make() >> Node(lambda sums: sums + 1, "more")
    assert (chain.run(x=1, output_name="more"), chain.name) == (expected(1) + 1, "sums")
    again = pickle.loads(pickle.dumps(make(scale={"by": 5}).bind(x=1)))
    assert again.run() == 5 + 1 + 10 + 1 + 9
    sums = make()
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(sums, range(8))] == [expected(x) for x in range(8)]


def test_hooks_of_a_member_are_for_each_of_its_calls() -> None:
    ends: list[tuple[str, str]] = []
    hooks = Hooks("scale", on_end=lambda event: ends.append((event.name, event.state)))
    make(callbacks=[hooks]).run(x=1)
    assert ends == [("scale", "succeeded"), ("scale#2", "succeeded")]
    with pytest.raises(PipelineError, match="unknown node 'scal'"):
        make(callbacks=[Hooks("scal", on_end=print)])


def test_threads_of_a_body_belong_to_its_run() -> None:
    class Fans(Pipeline):
        scale: Scale

        def __call__(self, x: int) -> list[int]:
            with ThreadPoolExecutor(2) as pool:
                return [*pool.map(self.scale, range(x))]

    fans: Any = Fans(cache=MemoryCache(), return_all=True)  # type: ignore[call-arg]
    assert sorted(fans(4)) == ["scale", "scale#2", "scale#3", "scale#4"]

    # Several runs at the same time, each with threads of its own; and what is no part of them.
    apart = threading.Barrier(3)

    class Waits(Pipeline):
        scale: Scale

        def __call__(self, x: int) -> None:
            apart.wait(30)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(lambda: self.scale(x)).result()
            apart.wait(30)

    waits: Any = Waits(return_all=True)  # type: ignore[call-arg]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(waits, (1, 2))
        apart.wait(30)
        assert waits.scale(7) == Scale()(7)
        apart.wait(30)
        assert [*found] == [{"scale": Scale()(1)}, {"scale": Scale()(2)}]


def test_a_class_with_call_alone_is_as_it_was() -> None:
    class Old(Pipeline):
        count: int = 0

        def __call__(self, x: int) -> Any:
            self.count += 1
            return self.run(x=x)

    old = Old([Node(twice)])
    assert (old(2), old.count, old.nodes[0].name) == ({"twice": 4}, 1, "twice")
    assert issubclass(Sums, Pipeline)
    assert Old.__bases__ == (Pipeline,)


def test_an_object_is_made_ready_once_for_all_pipelines(tmp_path: Path) -> None:
    log = tmp_path / "log"

    class One(Pipeline):
        heavy: Heavy

        def __call__(self, x: int) -> int:
            return self.heavy(x)

    one: Any = One
    heavy = Heavy(str(log), ("a", "b"))
    assert [one(heavy=heavy)(number) for number in range(3)] == [2, 3, 4]
    assert [line.split()[0] for line in lines(log)] == ["init", *["call"] * 3]
    # Workers get it as it was before.
    assert one(heavy=heavy, engine="parallel")(1) == 3
    assert heavy.words == ["a", "b", "loaded"]


def test_a_long_loop_keeps_no_results() -> None:
    alive: list[Any] = []

    class Large(list):  # type: ignore[type-arg]
        pass

    def make_large(number: int) -> Large:
        found = Large([number])
        alive.append(weakref.ref(found))
        return found

    class Loads(Pipeline):
        load: Any = make_large

        def __call__(self, count: int) -> int:
            for number in range(count):
                self.load(number)
            return sum(one() is not None for one in alive)

    loads: Any = Loads()  # type: ignore[call-arg]
    assert loads(20) == 1
    assert len(loads.last_calls) == 20
