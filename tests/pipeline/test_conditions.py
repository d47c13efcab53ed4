"""Nodes with a condition: what is skipped, what its readers get, and who is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import (
    DiskCache,
    HyperNodesEngine,
    LastRun,
    MemoryCache,
    Node,
    Pipeline,
    PipelineError,
    node,
    script,
)
from tests.oracle import run_kogine


@node
def data(n: int) -> list[int]:
    return list(range(n))


@node
def flag(data: list[int]) -> bool:
    return len(data) > 2


@node("small", when="not flag")
def make_small(data: list[int]) -> str:
    return f"small {data}"


@node("big", when="flag")
def make_big(data: list[int]) -> str:
    return f"big {data}"


@node
def loud(big: str) -> str:
    return big.upper()


@node
def merged(small: str | None = None, big: str | None = None) -> str | None:
    return small or big


@node("odd", when=lambda data: len(data) % 2)
async def make_odd(data: list[int]) -> str:
    return "odd"


NODES = [data, flag, make_small, make_big, loud, merged, make_odd]
TWO = {"data": [0, 1], "flag": False, "small": "small [0, 1]", "merged": "small [0, 1]"}
THREE = {
    "data": [0, 1, 2],
    "flag": True,
    "big": "big [0, 1, 2]",
    "loud": "BIG [0, 1, 2]",
    "merged": "big [0, 1, 2]",
    "odd": "odd",
}
ENGINES: dict[str, Any] = {
    "sequential": "sequential",
    "threaded": "threaded",
    "async": "async",
    "async items": HyperNodesEngine("sequential", "async"),
    "parallel": HyperNodesEngine("parallel", "parallel", max_workers=2),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_skips_the_same_nodes(engine: str) -> None:
    for cache in (None, MemoryCache()):
        last = LastRun()
        made = Pipeline(NODES, ENGINES[engine], cache, callbacks=[last])
        for _ in range(2):
            assert made.run(n=2) == TWO
            assert made.map({"n": [2, 3]}, map_over="n") == [TWO, THREE]
        assert (last["loud"].state, last["loud"].skipped) == (
            "cached" if cache else "succeeded",
            1,
        )
        assert last["loud"].why.startswith("it needs 'big', and node 'make_big' (")
        outer = Pipeline([made.as_node(map_over="n"), _joined], ENGINES[engine], cache)
        assert outer.run({"n": [2, 3]}, "joined") == [None, "BIG [0, 1, 2]"]


@node("joined")
def _joined(loud: list[str]) -> list[str]:
    return loud


def test_a_skipped_output_that_is_asked_for_is_an_error_with_node_condition_and_place() -> None:
    made = Pipeline(NODES)
    with pytest.raises(PipelineError) as error:
        made.run({"n": 2}, ["merged", "loud"])
    text = str(error.value)
    assert "'loud' has no value: node 'loud' (" in text
    assert "test_conditions.py:" in text
    assert text.count("its condition is 'flag', and flag is False") == 1
    found = made.map({"n": [2, 3]}, map_over="n", output_name="loud", on_error="keep")
    assert (type(found[0].exception), found[1]) == (PipelineError, "BIG [0, 1, 2]")


def test_a_given_value_replaces_the_condition_or_the_node() -> None:
    made = Pipeline(NODES)
    assert made.run({"data": [], "flag": True}, "loud") == "BIG []"
    assert made.run({"big": "x"}, "loud") == "X"
    assert Pipeline([make_big.bind(flag=True)]).run(data=[1]) == {"big": "big [1]"}
    renamed = make_big.with_names(flag="go", data="rows")
    assert Pipeline([renamed]).run(rows=[1], go=0) == {}
    assert Pipeline([renamed]).inputs == ("rows", "go")
    with pytest.raises(PipelineError, match=r"'go' is missing: 'make_big' \("):
        Pipeline([renamed]).run(rows=[1])


def test_pipelines_and_scripts_inside(tmp_path: Path) -> None:
    (tmp_path / "prep.py").write_text("scale = 2\nfactor = scale * 10\n")
    inner = Pipeline(NODES, name="inner")
    prep = script(str(tmp_path / "prep.py"), "factor", when="not go", name="prep")
    for engine in ("sequential", "async"):
        made = Pipeline([inner.as_node(when="go"), prep], engine, record=False)
        assert made.run(n=2, go=1) == TWO
        assert made.run(n=2, go=0, scale=3) == {"factor": 30}
    assert Pipeline([prep.with_names(go="no")], record=False).run(no=[1]) == {}
    ended: list[Any] = []

    class Tell(LastRun):
        def on_pipeline_end(self, name: str, outputs: Any, seconds: float, context: Any) -> None:
            ended.append((name, outputs))

    Pipeline([inner], callbacks=[Tell()], name="outer").run(n=2)
    assert ended == [("inner", TWO), ("outer", TWO)]


class Mask:
    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


def test_a_condition_that_is_neither_true_nor_false() -> None:
    for engine in ("sequential", "threaded"):
        with pytest.raises(PipelineError, match=r"'flag' of node 'make_big' \(.*ambiguous"):
            Pipeline([make_big], engine).run(data=[], flag=Mask())


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("flag and more", "give the name of an input or output"),
        ("not", "give the name"),
        (3, "give a name or a function"),
        (lambda dat: dat, "no parameter of the node. Did you mean 'data'?"),
        (lambda *rest: rest, "rest"),
    ],
)
def test_conditions_that_no_node_can_have(when: Any, text: str) -> None:
    with pytest.raises(PipelineError) as error:
        Node(lambda data: data, "x", when=when)
    assert text in str(error.value)


def test_a_cache_knows_conditions(tmp_path: Path) -> None:
    limit = 1

    def make(is_wanted: Any) -> Pipeline:
        gate = Node(lambda x: x, "y", name="gate", when=is_wanted)
        after = Node(lambda y=None: y, "z", name="after")
        return Pipeline([gate, after], cache=DiskCache(tmp_path))

    assert make(lambda x: x > limit).run(x=2) == {"y": 2, "z": 2}
    assert make(lambda x: x > limit).run(x=2) == {"y": 2, "z": 2}
    assert make(lambda x: x < limit).run(x=2) == {"z": None}
    assert make("on").run(x=2, on=True) == {"y": 2, "z": 2}
    made = make("not on")
    assert made.run(x=2, on=True) == {"z": None}
    found = made.explain_cache(x=3, on=True)
    assert (found["gate"].state, found["gate"].why) == (
        "skipped",
        "its condition is 'not on', and on is True",
    )
    clear = made.explain_cache(x=3, on=False)["gate"]
    assert (clear.state, "condition" in clear.why) == ("runs", False)
    unclear = Pipeline(NODES, cache=DiskCache(tmp_path)).explain_cache(n=3)["make_big"]
    assert unclear.why.endswith("; it runs if its condition 'flag' holds")


def test_it_is_drawn_and_explained() -> None:
    last = LastRun()
    made = Pipeline(NODES, callbacks=[last])
    made.run(n=2)
    assert "  runs only if not flag\n" in made.explain()
    drawn = made.visualize().svg
    assert "if not flag" in drawn
    assert "and flag is False" in drawn


TOML = """\
[pipeline]
modules = ["cond_steps"]

[processes.make]
type = "make"

[processes.prep]
script = "prep.py"
outputs = "factor"
when = "not go"

[processes.use]
type = "use"

[processes.fit]
when = "go"

[processes.fit.processes.inner]
type = "make"
outputs = "fitted"
"""


def test_toml_and_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    Path("prep.py").write_text("factor = 10\n")
    Path("cond_steps.py").write_text(
        "from kohaku_ast.helpers import process\n"
        "@process(when='go')\ndef make(x: int = 1):\n    return x\n"
        "@process\ndef use(make, factor=0):\n    return make + factor\n"
    )
    Path("pipe.toml").write_text(TOML)
    made = Pipeline.from_toml("pipe.toml")
    Path("again.toml").write_text(made.to_toml())
    assert Pipeline.from_toml("again.toml").explain() == made.explain()
    ran = run_kogine(tmp_path, "pipeline", "run", "pipe.toml", "go=0")
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    assert "use, fitted: skipped, because a condition does not hold" in ran.stderr
    shown = run_kogine(tmp_path, "runs", "show", "1", "--json")
    nodes = {one["name"]: one for one in json.loads(shown.stdout)["nodes"]}
    assert {name: one["status"] for name, one in nodes.items()} == {
        "make": "skipped",
        "prep": "succeeded",
        "use": "skipped",
        "fit": "skipped",
    }
    assert nodes["fit"]["why"] == "its condition is 'go', and go is False"
    asked = run_kogine(tmp_path, "pipeline", "run", "pipe.toml", "go=no", "--only", "use")
    assert (asked.status, asked.stdout) == (1, "")
    shown = run_kogine(tmp_path, "runs", "show", "last", "--json")
    assert json.loads(shown.stdout)["exit_status"] == 1
    nothing = run_kogine(
        tmp_path, "pipeline", "run", "pipe.toml", "go=no", "--only", "use", "--no-record"
    )
    assert nothing.status == 1
    assert "'use' has no value: node 'use' (cond_steps.py:5) was skipped" in asked.stderr
    again = run_kogine(tmp_path, "runs", "repeat", "1", "go=yes")
    assert (again.stdout, again.status) == ("use = 1\nfitted = 1\n", 0), again
    table = run_kogine(tmp_path, "runs", "show", "1").stdout
    assert "skipped, its condition is 'go', and go is False" in table
    with pytest.raises(PipelineError, match=r"'use' has no value: node 'use' \(cond_steps.py:5\)"):
        made.run({"go": False}, "use")
    Path("pipe.toml").write_text(TOML.replace('"not go"', '"no go"'))
    refused = run_kogine(tmp_path, "pipeline", "run", "pipe.toml", "go=0")
    assert "pipe.toml: processes.prep.when: 'prep': when is 'no go'" in refused.stderr
    sys.modules.pop("cond_steps", None)
