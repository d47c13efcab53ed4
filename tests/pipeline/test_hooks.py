"""Hooks: when they are called, with what, and what becomes of their own exceptions."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import (
    HookEvent,
    Hooks,
    HyperNodesEngine,
    LastRun,
    MemoryCache,
    Pipeline,
    PipelineError,
    node,
)
from tests.oracle import run_kogine


@node("half")
def halved(x: int) -> float:
    return x / 2


@node("inverse")
def inverted(half: float) -> float:
    return 1 / half


class Heard(list[Any]):
    """What hooks were called with."""

    def hooks(self, node: str = "") -> Hooks:
        return Hooks(
            node,
            on_start=lambda event: self.append(("start", event.name, event.inputs)),
            on_success=lambda event: self.append(("success", event.name, event.outputs)),
            on_failure=lambda event: self.append(("failure", event.name, type(event.error))),
            on_end=lambda event: self.append(("end", event.name, event.state)),
        )


ENGINES: dict[str, Any] = {
    "sequential": "sequential",
    "threaded": "threaded",
    "async": "async",
    "parallel": HyperNodesEngine("parallel", "parallel", max_workers=2),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_runs_and_nodes(engine: str) -> None:
    heard = Heard()
    callbacks = [heard.hooks(), heard.hooks("inverted")]
    made = Pipeline([halved, inverted], ENGINES[engine], name="p", callbacks=callbacks)
    made.run(x=1)
    assert heard == [
        ("start", "p", {"x": 1}),
        ("start", "inverted", {"half": 0.5}),
        ("success", "inverted", {"inverse": 2.0}),
        ("end", "inverted", "succeeded"),
        ("success", "p", {"half": 0.5, "inverse": 2.0}),
        ("end", "p", "succeeded"),
    ]
    heard.clear()
    with pytest.raises(ZeroDivisionError):
        made.run(x=0)
    error = ZeroDivisionError
    assert heard[2:] == [
        ("failure", "inverted", error),
        ("end", "inverted", "failed"),
        ("failure", "p", error),
        ("end", "p", "failed"),
    ]
    heard.clear()
    made.map({"x": [1, 0]}, map_over="x", on_error="keep")
    assert [one for one in heard if one[1] == "p"] == [
        ("start", "p", {}),
        ("success", "p", {}),
        ("end", "p", "succeeded"),
    ]
    assert sorted(one[2] for one in heard if one[0] == "end") == ["failed", *["succeeded"] * 2]


def test_those_of_a_pipeline_inside_are_for_it_alone_and_hide_no_callbacks() -> None:
    heard, outside, last = Heard(), Heard(), LastRun()
    inner = Pipeline([halved], name="p", callbacks=[heard.hooks(), heard.hooks("halved")])
    outer = Pipeline(
        [inner.as_node({"y": "x"}, {"half": "other"}, name="q"), halved, inverted],
        name="p",
        callbacks=[last, outside.hooks("q"), outside.hooks("halved")],
        cache=MemoryCache(),
    )
    outer.run(x=2, y=4)
    assert [one[:2] for one in heard if one[0] == "start"] == [("start", "p"), ("start", "halved")]
    assert ("success", "halved", {"half": 2.0}) in heard
    assert sorted(one for one in outside if one[0] == "success") == [
        ("success", "halved", {"half": 1.0}),
        ("success", "q", {"other": 2.0}),
    ]
    assert last["q", "halved"].state == "succeeded"
    outside.clear()
    outer.run(x=2, y=4)
    assert outside == []  # cached


def test_runs_in_several_threads_have_inputs_of_their_own() -> None:
    both, seen = threading.Barrier(2), []

    @node
    def wait(x: int) -> int:
        both.wait(30)
        return x

    def ended(event: HookEvent) -> None:
        seen.append((event.inputs["x"], event.outputs["wait"]))

    hooks = [Hooks(on_end=ended), Hooks("wait", on_end=ended)]
    made = Pipeline([wait], callbacks=hooks)
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(lambda x: made.run({"x": x}, "wait"), (1, 2))] == [1, 2]
    assert sorted(seen) == [(1, 1), (1, 1), (2, 2), (2, 2)]


def test_what_no_hook_can_be() -> None:
    async def later(event: HookEvent) -> None: ...

    with pytest.raises(PipelineError, match=r"Hooks\(\) has none of on_start"):
        Hooks("train")
    with pytest.raises(PipelineError, match=r"on_end is <function .*: give a plain function"):
        Hooks(on_end=later)
    with pytest.raises(PipelineError, match=r"unknown node 'halfed'.*Did you mean 'halved'"):
        Pipeline([halved], callbacks=[Hooks("halfed", on_end=print)])


STEPS = """\
from kohaku_ast.helpers import process


@process
def data(n: int = 2):
    return [*range(n)]


@process
def mean(data):
    return sum(data) / len(data)


def tell(event):
    print("told", event.name, event.state, event.context.path)


def broken(event):
    raise OSError("no network")
"""
TOML = """\
[pipeline]
name = "toy"
modules = ["hook_steps"]
on_failure = "hook_steps:tell"
on_end = "broken"

[processes.data]
type = "data"
on_success = "tell"

[processes.fit.processes.mean]
type = "mean"
on_end = "tell"
"""


def test_toml_and_the_record(tmp_path: Path) -> None:
    (tmp_path / "hook_steps.py").write_text(STEPS)
    (tmp_path / "pipe.toml").write_text(TOML)
    (tmp_path / "text.py").write_text(
        "from kohaku_ast import Pipeline\n"
        "open('again.toml', 'w').write(Pipeline.from_toml('pipe.toml').to_toml())\n"
    )
    assert run_kogine(tmp_path, "run", "text.py").status == 0
    for file in ("pipe.toml", "again.toml"):
        done = run_kogine(tmp_path, "pipeline", "run", file)
        assert done.stdout == (
            "told data succeeded ('toy', 'data')\n"
            "told mean succeeded ('toy', 'fit', 'mean')\n"
            "mean = 0.5\n"
        ), done
        assert done.stderr == (
            "kogine: warning: on_end of pipeline 'toy', broken (hook_steps.py:18), raised "
            "OSError: no network (hook_steps.py:19)\n"
        )
    failed = run_kogine(tmp_path, "pipeline", "run", "pipe.toml", "n=0")
    assert "told toy failed ('toy',)" in failed.stdout
    assert failed.status == 1
    assert "ZeroDivisionError" in failed.stderr
    shown = json.loads(run_kogine(tmp_path, "runs", "show", "1", "--json").stdout)
    assert shown["status"] == "succeeded"
    assert shown["hook_errors"] == [
        {"hook": "on_end of pipeline 'toy'", "error": "OSError: no network (hook_steps.py:19)"}
    ]
    assert "hooks that raised" in run_kogine(tmp_path, "runs", "show", "1").stdout
    (tmp_path / "pipe.toml").write_text(TOML.replace('"broken"', '"brokn"'))
    refused = run_kogine(tmp_path, "pipeline", "run", "pipe.toml")
    assert refused.stderr == (
        "kogine: error: pipe.toml: pipeline.on_end: there is no function or class 'brokn'. "
        "Did you mean 'broken'?\n"
    )
