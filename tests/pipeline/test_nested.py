"""Pipelines as nodes: names in and out, maps inside, to any depth."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kohaku_ast import Callback, MemoryCache, Node, Pipeline, PipelineError, node


@node("y")
def scale(x: Any, k: Any = 2) -> Any:
    return x * k


@node("z")
def less(y: Any, d: int = 1) -> Any:
    return y - d


@node("total")
def add(zs: list[Any]) -> Any:
    return sum(zs)


inner = Pipeline([scale, less], name="inner")


def test_inputs_and_outputs_are_those_of_the_pipeline() -> None:
    made = inner.as_node()
    assert (made.name, made.inputs, made.outputs) == ("inner", ("x", "k", "d"), ("y", "z"))
    assert dict(made.defaults) == {"k": 2, "d": 1}
    assert Pipeline([made]).run({"x": 3}) == {"y": 6, "z": 5}


def test_names_outside_and_inside() -> None:
    made = inner.as_node({"length": "x"}, {"z": "height"}, name="stage")
    assert (made.name, made.inputs, made.outputs) == (
        "stage",
        ("length", "k", "d"),
        ("height",),
    )
    assert Pipeline([made]).run({"length": 3, "k": 1}, "height") == 2


def test_names_may_change_places() -> None:
    made = inner.as_node(input_mapping={"k": "x", "x": "k"})
    assert made.inputs == ("k", "x", "d")
    assert Pipeline([made]).run({"k": 5}, "y") == 10
    assert Pipeline([made]).run({"k": "ab", "x": 3}, "y") == "ababab"


def test_outputs_that_a_mapping_does_not_name_stay_inside() -> None:
    first = inner.as_node(output_mapping={"y": "high"}, name="first")
    second = inner.as_node({"high": "x"}, {"z": "z"}, name="second")
    assert Pipeline([first, second]).run({"x": 3}) == {"high": 6, "z": 11}
    with pytest.raises(PipelineError, match="no node gives 'y'"):
        Pipeline([first]).run({"x": 3}, "y")
    assert inner.as_node(output_mapping={}).outputs == ("y", "z")


@pytest.mark.parametrize("engine", ["sequential", "threaded", "async", "parallel"])
def test_all_outputs_are_those_of_pipelines_inside_too(engine: str) -> None:
    outer = Pipeline([Pipeline([inner], name="deep"), Node(abs, "w", rename={"x": "z"})], engine)
    assert outer.run({"x": 3}) == {"y": 6, "z": 5, "w": 5}
    assert outer.run({"z": -3}) == {"w": 3}, "what is given replaces its node"
    assert outer.map({"x": [1, 2]}, "x")[1] == {"y": 4, "z": 3, "w": 3}


@pytest.mark.parametrize("engine", ["sequential", "threaded", "async", "parallel"])
def test_no_output_is_an_empty_dict(engine: str) -> None:
    made = Pipeline([inner], engine)
    assert made.run({"x": 3}, []) == made.run({}, ()) == made.run(output_name=[]) == {}
    assert made.map({"x": [1, 2]}, "x", output_name=[]) == [{}, {}]
    with pytest.raises(PipelineError, match="no node reads the input 'xx'"):
        made.run({"xx": 3}, [])


def test_an_intermediate_may_come_from_outside() -> None:
    made = inner.as_node(input_mapping={"ready": "y"})
    assert made.inputs == ("ready", "d")
    assert Pipeline([made]).run({"ready": 5}, "z") == 4


def test_the_same_pipeline_twice_under_other_names() -> None:
    first = inner.as_node({"x": "x"}, {"y": "y1", "z": "z1"}, name="first")
    second = inner.as_node({"z1": "x"}, {"y": "y2", "z": "z2"}, name="second")
    assert Pipeline([second, first]).run({"x": 3}, "z2") == 9


def test_a_map_takes_lists_and_gives_lists() -> None:
    made = inner.as_node(map_over="x", output_mapping={"z": "zs"})
    assert Pipeline([made]).run({"x": [1, 2], "k": 3}) == {"zs": [2, 5]}
    assert Pipeline([made, add]).run({"x": [1, 2]}, "total") == 4
    assert Pipeline([made, add]).run({"x": []}, "total") == 0


def test_a_map_over_names_outside() -> None:
    made = inner.as_node({"xs": "x"}, {"z": "zs"}, map_over="xs")
    assert Pipeline([made, add]).run({"xs": [1, 2]}, "total") == 4


def test_a_map_may_rename_as_map_does() -> None:
    made = inner.as_node(output_mapping={"z": "zs"}, map_over={"xs": "x"})
    assert made.inputs == ("xs", "k", "d")
    assert Pipeline([made, add]).run({"xs": [1, 2]}, "total") == 4


@pytest.mark.parametrize(
    ("mode", "result"),
    [pytest.param("zip", [2, 5], id="zip"), pytest.param("product", [2, 3, 5, 7], id="product")],
)
def test_a_map_over_several(mode: str, result: list[int]) -> None:
    made = inner.as_node(map_over=["x", "k"], map_mode=mode)
    assert Pipeline([made]).run({"x": [1, 2], "k": [3, 4]}, "z") == (
        result if mode == "product" else [2, 7]
    )


def test_an_optional_input_that_varies_may_be_left_out() -> None:
    made = inner.as_node(map_over=["x", "k"])
    assert Pipeline([made]).run({"x": [1, 2]}, "y") == [2, 4]


def test_maps_in_maps() -> None:
    rows = inner.as_node(map_over="x", output_mapping={"z": "zs"}, name="row")
    table = Pipeline([rows, add], name="table")
    outer = Pipeline([table.as_node(map_over="x")])
    assert outer.run({"x": [[1, 2], [], [3]]}, "total") == [4, 0, 5]
    deepest = Pipeline([outer.as_node(map_over="x")])
    assert deepest.map({"x": [[[[1, 2]], [[3]]], []]}, map_over="x", output_name="total") == [
        [[4], [5]],
        [],
    ]


def test_nested_to_any_depth() -> None:
    made: Any = inner
    for depth in range(50):
        made = Pipeline([made.as_node(name=f"depth {depth}")])
    assert made.run({"x": 3}, "z") == 5


def test_only_what_is_needed_of_it_runs() -> None:
    def never(x: int) -> None:
        raise AssertionError("nobody asked for it")

    made = Pipeline([scale, Node(never, "n")], name="both")
    assert Pipeline([made, less]).run({"x": 1}, "z") == 1
    assert Pipeline([Pipeline([made]), less]).run({"x": 1}, "z") == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda: inner.as_node({"a": "xx"}),
            "'inner' has no input 'xx'. Did you mean 'x'",
            id="unknown input",
        ),
        pytest.param(
            lambda: inner.as_node(output_mapping={"zz": "a"}),
            "no output 'zz'. Did you mean 'z'",
            id="unknown output",
        ),
        pytest.param(
            lambda: inner.as_node(map_over="xx"),
            "no input 'xx'. Did you mean 'x'",
            id="map over unknown",
        ),
        pytest.param(
            lambda: inner.as_node({"xs": "x"}, map_over="x"),
            "no input 'x'. Did you mean 'xs'",
            id="map over the name in there",
        ),
        pytest.param(
            lambda: inner.as_node({"a": "x", "b": "x"}),
            "'a' and 'b' both go to 'x'",
            id="two go to one",
        ),
        pytest.param(
            lambda: inner.as_node({"k": "x"}),
            "'k' goes to 'x', and is the name of another input",
            id="a name that another input has",
        ),
        pytest.param(
            lambda: inner.as_node(output_mapping={"y": "z", "z": "z"}),
            "two outputs are called 'z'",
            id="an output called as another",
        ),
        pytest.param(
            lambda: inner.as_node(output_mapping={"y": "a-b"}),
            "'a-b' cannot name an output",
            id="no identifier",
        ),
        pytest.param(
            lambda: inner.as_node(map_over="x", map_mode="zipp"), "map_mode is 'zipp'", id="mode"
        ),
        pytest.param(
            lambda: inner.as_node(map_over=[]), "needs the input that varies", id="map over nothing"
        ),
    ],
)
def test_what_is_refused_when_it_is_made(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        make()


def test_it_pickles_by_the_standard_library() -> None:
    made = inner.as_node({"xs": "x"}, {"z": "zs"}, map_over="xs", name="stage", cache=False)
    again = pickle.loads(pickle.dumps(made))
    assert (again.name, again.inputs, again.outputs, again.cache) == (
        made.name,
        made.inputs,
        made.outputs,
        False,
    )
    assert again.run({"xs": [1, 2]}) == made.run({"xs": [1, 2]})


def test_a_pipeline_pickles_with_the_plans_that_it_has_made() -> None:
    inner.run({"x": 1})
    assert pickle.loads(pickle.dumps(inner)).run({"x": 3}, "z") == 5


def test_what_failed_before_does_not_travel_with_a_pipeline() -> None:
    made = Pipeline([Node(lambda lock: 1 // 0, "y", name="n")], name="inner")
    with pytest.raises(ZeroDivisionError):
        made.run({"lock": threading.Lock()})
    assert pickle.loads(pickle.dumps(made)).last_error is None
    with pytest.raises(ZeroDivisionError):
        Pipeline([made], engine="parallel").map({"lock": [1]}, map_over="lock")


class Names(Callback):
    """The nodes that were told of."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def on_node_start(self, name: str, inputs: Any, context: Any) -> None:
        self.names.append(name)


class Engine:
    """Counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, job: Any) -> Any:
        self.runs += 1
        values = dict(job.values)
        for one in job.plan.nodes:
            inside = getattr(one, "run_inside", None)
            given = {name: values[name] for name in one.inputs if name in values}
            result = inside(given, job.scope) if inside else one.run(given)
            values.update(zip(one.outputs, result))
        return job.plan.result(values)

    def map(self, job: Any, rows: Any, keep: bool) -> list[Any]:
        return [self.run(job.item(at, rows.values(at))) for at in range(len(rows))]


def test_engine_cache_and_callbacks_are_inherited() -> None:
    engine, names = Engine(), Names()
    Pipeline([inner], engine=engine).run({"x": 1})
    assert engine.runs == 2
    outer = Pipeline([inner], callbacks=[names], cache=MemoryCache())
    outer.run({"x": 1})
    assert names.names == ["inner", "scale", "less"]
    outer.run({"x": 1, "d": 5})
    assert names.names[3:] == ["inner", "less"], "scale came from the cache of the outer pipeline"


def test_its_own_are_used_where_it_has_them() -> None:
    outer_engine, own_engine, outer_names, own_names = Engine(), Engine(), Names(), Names()
    own = Pipeline([scale, less], engine=own_engine, callbacks=[own_names], cache=MemoryCache())
    outer = Pipeline(
        [own.as_node(name="own", cache=False)], engine=outer_engine, callbacks=[outer_names]
    )
    for _ in range(2):
        outer.run({"x": 1}, "z")
    assert (outer_engine.runs, own_engine.runs) == (2, 2)
    assert own_names.names == []  # this Engine tells nothing
    sequential = Pipeline([Pipeline([scale], callbacks=[own_names])], callbacks=[outer_names])
    sequential.run({"x": 1})
    assert (outer_names.names, own_names.names) == (["pipeline"], ["scale"])


@pytest.mark.parametrize("engine", ["sequential", "threaded", "async", "parallel"])
def test_own_callbacks_are_told_in_this_process_whatever_the_outer_engine(engine: str) -> None:
    own = Names()
    middle = Pipeline([Pipeline([scale, less], callbacks=[own], name="own")], name="middle")
    assert Pipeline([middle], engine=engine).run({"x": 2}, "z") == 3
    assert own.names == ["scale", "less"]
    found = Pipeline([middle], engine=engine).map({"x": [1, 2]}, map_over="x", output_name="z")
    assert (found, sorted(own.names)) == ([1, 3], sorted(["scale", "less"] * 3))


@pytest.mark.parametrize("engine", ["sequential", "threaded", "async", "parallel"])
def test_an_own_cache_is_used_whatever_the_outer_engine(engine: str) -> None:
    names = Names()
    own = Pipeline([scale, less], callbacks=[names], cache=MemoryCache())
    outer = Pipeline([own.as_node(cache=False)], engine=engine)
    for _ in range(2):
        assert outer.map({"x": [1, 2]}, map_over="x", output_name="z") == [1, 3]
    assert sorted(names.names) == ["less"] * 2 + ["scale"] * 2
