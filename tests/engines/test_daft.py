"""Pipelines that Daft runs give what the native engine gives."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kohaku_ast import (
    Callback,
    DaftEngine,
    Hooks,
    MemoryCache,
    Pipeline,
    PipelineError,
    node,
    permanence,
    script,
)
from kohaku_ast.helpers import context
from tests.engines.test_equal_results import Described, graphs, make_nodes, names_of, recursive

needs_daft = pytest.mark.daft


class Opaque:
    """Does not pickle, is equal to itself only."""

    def __reduce__(self) -> str:
        raise TypeError("it stays here")


@node("y")
def double(x: int, factor: int = 2) -> int:
    return x * factor


@node("low high")
def split(y: int) -> tuple[int, int]:
    return y - 1, y + 1


@node("total")
def add(low: int, high: int, *, offset: float = 0.5) -> float:
    return low + high + offset


@node("z")
async def later(y: int) -> str:
    return f"{y} later"


@node("kind")
def kind(x: Any) -> tuple[type, Any]:
    return type(x), x


@node("x")
def spread(n: int) -> list[int]:
    return list(range(n))


@node("y")
def wrong_hint(x: int) -> int:
    return f"no number: {x}"  # type: ignore[return-value]


@node("y")
def fails(x: int) -> Any:
    if x == 2:
        raise LookupError("two", x)
    return 1 / x


inner = Pipeline([double, split], name="inner")
PIPELINES: dict[str, Callable[..., Pipeline]] = {
    "one node": lambda **options: Pipeline([double], **options),
    "a chain with several outputs": lambda **options: Pipeline([double, split, add], **options),
    "bound and renamed": lambda **options: Pipeline(
        [
            double.bind(factor=5),
            split,
            add.with_names("sum", high="low_", low="high").with_names(low_="low"),
        ],
        **options,
    ),
    "async": lambda **options: Pipeline([double, later], **options),
    "of any type": lambda **options: Pipeline([kind], **options),
    "a hint that is wrong": lambda **options: Pipeline([wrong_hint], **options),
    "nested": lambda **options: Pipeline([inner, add], **options),
    "nested with an engine of its own": lambda **options: Pipeline(
        [Pipeline([double, split], engine="threaded"), add], **options
    ),
    "nested, by Daft itself": lambda **options: Pipeline(
        [Pipeline([double, split], engine=DaftEngine()), add], **options
    ),
    "a nested map": lambda **options: Pipeline(
        [spread, Pipeline([double], engine=DaftEngine()).as_node(map_over="x")], **options
    ),
    "a node that raises": lambda **options: Pipeline([fails, split], **options),
}
VALUES = [0, 3, True, 2.5, "ab", [1], None, 10**30]


def outcome(call: Callable[[], Any]) -> Any:
    """What *call* gives or raises."""
    try:
        return call()
    except Exception as error:
        return type(error), error.args


@needs_daft
@pytest.mark.parametrize("name", PIPELINES)
def test_equal_to_the_native_engine(name: str) -> None:
    daft, native = PIPELINES[name](engine=DaftEngine()), PIPELINES[name]()
    over = native.inputs[0]
    for x in (1, 2):
        assert outcome(lambda x=x: daft.run({over: x})) == outcome(  # type: ignore[misc]
            lambda x=x: native.run({over: x})  # type: ignore[misc]
        )
    for values in ([], VALUES, [1, 5, 2, 0]):
        found, expected = (
            outcome(lambda one=one, values=values: one.map({over: values}, map_over=over))  # type: ignore[misc]
            for one in (daft, native)
        )
        assert found == expected
    wanted = native.outputs[-1]
    assert outcome(lambda: daft.run({over: 4}, wanted)) == outcome(
        lambda: native.run({over: 4}, wanted)
    )


@needs_daft
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(), st.data())
def test_random_graphs(graph: list[Described], data: Any) -> None:
    names = names_of(graph)
    wanted = data.draw(st.lists(st.sampled_from(names[2:]), min_size=1, unique=True))
    nodes = make_nodes(graph)
    read = {name for one in nodes for name in one.inputs} & {"a", "b"}
    full = {name: [f"{name}{item}" for item in range(3)] for name in sorted(read)}
    pipeline = Pipeline(nodes, engine=DaftEngine())
    plain = Pipeline(nodes)
    inputs = {name: full[name] for name in full if _is_needed(plain, name, wanted)}
    if not inputs:
        return
    found = pipeline.map(inputs, map_over=list(inputs), output_name=wanted)
    for item, result in enumerate(found):
        ask = recursive(graph, {"a": f"a{item}", "b": f"b{item}"})
        assert result == {name: ask(name) for name in wanted}


def _is_needed(pipeline: Pipeline, name: str, wanted: list[str]) -> bool:
    nodes = pipeline.graph.nodes
    needed = set(wanted)
    for one in reversed(nodes):
        if not needed.isdisjoint(one.outputs):
            needed.update(one.inputs)
    return name in needed


@needs_daft
def test_values_that_do_not_pickle_stay_the_same_objects() -> None:
    values = [Opaque(), threading.Lock()]
    found = Pipeline([kind], engine=DaftEngine()).map(x=values, map_over="x", output_name="kind")
    assert all(one is value for (_, one), value in zip(found, values))


@needs_daft
def test_the_original_exception_comes_back() -> None:
    own = LookupError("mine", Opaque())

    @node("y")
    def fail(x: int) -> int:
        raise own

    pipeline = Pipeline([fail], engine=DaftEngine())
    with pytest.raises(LookupError) as caught:
        pipeline.run(x=1)
    assert caught.value is own
    assert pipeline.last_error is not None
    assert pipeline.last_error.inputs == {"x": 1}
    assert "in node 'fail'" in str(pipeline.last_error)


@needs_daft
def test_after_a_failure_no_later_item_goes_on() -> None:
    seen = []

    @node("y")
    def fail(x: int) -> int:
        seen.append(x)
        return 1 // x

    with pytest.raises(ZeroDivisionError):
        Pipeline([fail], engine=DaftEngine()).map(x=[1, 0, 2, 3], map_over="x")
    assert seen == [1, 0]


@needs_daft
def test_failed_items_are_kept() -> None:
    found = Pipeline([fails], engine=DaftEngine()).map(
        x=[1, 2, 4], map_over="x", output_name="y", on_error="keep"
    )
    assert [found[0], found[1].index, found[2]] == [1.0, 1, 0.25]
    assert found[1].failure.node is fails


@needs_daft
def test_ctrl_c_is_no_failed_item() -> None:
    @node("y")
    def interrupted(x: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Pipeline([interrupted], engine=DaftEngine()).map(x=[1, 2], map_over="x", on_error="keep")


@needs_daft
def test_cache_and_callbacks() -> None:
    said: list[str] = []

    class Notes(Callback):
        def on_node_start(self, name: str, *rest: Any) -> None:
            said.append(f"start {name}")

        def on_node_cached(self, name: str, *rest: Any) -> None:
            said.append(f"cached {name}")

        def on_map_item_start(self, item: int, *rest: Any) -> None:
            said.append(f"item {item}")

        def on_map_item_end(self, item: int, *rest: Any) -> None:
            said.append(f"end {item}")

    pipeline = Pipeline(
        [double, split], engine=DaftEngine(), cache=MemoryCache(), callbacks=[Notes()]
    )
    first = pipeline.map(x=[1, 2], map_over="x")
    assert sorted(said) == [
        "end 0",
        "end 1",
        "item 0",
        "item 1",
        *["start double"] * 2,
        *["start split"] * 2,
    ]
    said.clear()
    assert pipeline.map(x=[1, 2], map_over="x") == first
    assert said.count("cached split") == 2
    assert "start split" not in said


@needs_daft
def test_scripts(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("lr = 1\nloss = lr * 2\n")
    made = Pipeline([script(str(tmp_path / "train.py"), "loss")], engine=DaftEngine())
    assert made.map(lr=[1, 2], map_over="lr", output_name="loss") == [2, 4]


@needs_daft
def test_a_frame_that_is_not_collected() -> None:
    ran = []

    @node("seen")
    def see(total: float) -> list[float]:
        ran.append(total)
        return [total]

    pipeline = Pipeline([double, split, add, see], engine=DaftEngine(collect=False))
    frame: Any = pipeline.map(
        x=[1, 2], offset=0.25, map_over="x", output_name=["y", "total", "seen"]
    )
    assert not ran
    types = {field.name: str(field.dtype) for field in frame.schema()}
    assert types == {"x": "Int64", "y": "Int64", "total": "Float64", "seen": "Python"}
    assert frame.to_pydict() == {
        "x": [1, 2],
        "y": [2, 4],
        "total": [4.25, 8.25],
        "seen": [[4.25], [8.25]],
    }
    assert pipeline.run(x=1, output_name="y") == 2


@needs_daft
def test_what_a_frame_that_is_not_collected_cannot_have() -> None:
    engine = DaftEngine(collect=False)
    for options, what in (
        ({"permanences": {"offset": permanence(float)}}, "permanences are made once"),
        ({"callbacks": [Hooks(on_end=print)]}, "hooks are called"),
        ({"record": True}, "the record of a run"),
    ):
        pipeline = Pipeline([double, split, add], engine=engine, **options)
        with pytest.raises(PipelineError, match=f"^{what}.* not collected.*use DaftEngine\\(\\)"):
            pipeline.map({"x": [1, 2]}, map_over="x")

    @node("kept")
    def keep(x: int) -> int:
        context.set("k", x)
        return x

    frame: Any = Pipeline([keep], engine=engine).map({"x": [1, 2]}, map_over="x")
    with pytest.raises(Exception, match="context has the values of a run"):
        frame.collect()


@needs_daft
def test_plan_and_types_are_printed(capfd: pytest.CaptureFixture[str]) -> None:
    Pipeline([double], engine=DaftEngine(show_plan=True, debug=True)).run(x=1)
    out = capfd.readouterr().out
    assert "1 double: Python" in out
    assert "Physical Plan" in out


@needs_daft
def test_by_its_name() -> None:
    assert Pipeline([double], engine="daft").run(x=2) == {"y": 4}


@needs_daft
def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/daft-and-modal.md").read_text("utf-8")
    code = page.split("```python\n# table.py\n")[1].split("```")[0]
    (tmp_path / "table.py").write_text(code, "utf-8")
    done = subprocess.run(
        [sys.executable, "table.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == page.split("```text\n")[1].split("```")[0], done.stderr


def test_what_to_install() -> None:
    """In a process where daft cannot be imported."""
    code = (
        "import sys\nsys.modules['daft'] = None\n"
        "from kohaku_ast import DaftEngine\n"
        "try:\n    DaftEngine()\nexcept Exception as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "the daft engine needs daft: pip install 'kohaku-ast[daft]'\n"
