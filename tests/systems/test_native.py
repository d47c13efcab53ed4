"""Systems in this process: the order of messages, ends, failures, threads, rates."""

from __future__ import annotations

import io
import time
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.errors import SystemsError, SystemsTypeError
from kohaku_ast.helpers import context
from kohaku_ast.systems import Component, Delay, Input, Node, Output, System, Timer, Values
from tests.systems.parts import Add, Count, Each, Fail, Keep, Newest, Slow, Split, Twice


def small(threads: bool = False, queue: int | None = None) -> tuple[System, Keep]:
    """count -> split -> (twice | add <- delay <- add) -> keep: rates that differ, and a cycle."""
    nodes = [Node("a", threads=threads), Node("b", threads=threads), Node("c")]
    count, split, keep = Count(node=nodes[0]), Split(node=nodes[1]), Keep(node=nodes[2])
    twice = Twice(value=split.odd, node=nodes[1])
    total = Add(a=twice.value_twice, node=nodes[2])
    delay = Delay(initial=0, value=total.total, node=nodes[1])
    delay.delayed >> total.b
    count.number >> split.value
    total.total >> keep.value
    system = System([keep, delay, total, twice, split, count])
    for one in system.components.values():
        for port in one.inputs.values():
            port.queue = queue
    return system, keep


@pytest.mark.parametrize(("threads", "queue"), [(False, None), (True, None), (True, 1)])
def test_the_same_messages_with_and_without_threads(threads: bool, queue: int | None) -> None:
    system, keep = small(threads, queue)
    handle = system.run(50)
    assert keep.seen == [2, 8, 18, 32, 50, 72, 98, 128, 162, 200, 242, 288, 338, 392, 450, 512,
                         578, 648, 722, 800, 882, 968, 1058, 1152, 1250]  # fmt: skip
    assert handle.status == "succeeded"
    assert handle.steps["count"] == 50
    assert handle.steps["twice"] == 25
    assert "twice: 25 steps\n" in handle.logs()
    assert keep.is_done


def test_a_system_runs_again_from_its_start() -> None:
    system, keep = small()
    system.run(3)
    assert keep.seen == [2, 8]
    system.run(1)
    assert keep.seen == [2]
    assert system.run(0).steps["count"] == 0


def test_ports_belong_to_objects() -> None:
    left, right = Count(name="left"), Count(name="right", first=10)
    assert left.number is left.number
    assert left.number is not right.number
    total, keep = Add(a=left.number, b=right.number), Keep()
    total.total >> keep.value
    System([left, right, total, keep]).run(3)
    assert keep.seen == [11, 13, 15]


def test_generators_functions_and_scripts_are_components(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("lr = 0.5\nloss = lr * 2\n")

    def scaled(number: int, by: int = 3) -> tuple[int, str]:
        return number * by, str(number)

    each = Each(value=Values(items=[2, 1, 0, 3]).value)
    function = Component.of_function(scaled, "product text")
    train = Component.of_script(str(path), "loss", ["lr"])
    once = Component.of_script(str(path), "loss", name="once")
    each.below >> function.inputs["number"]
    ends = [Keep(name=name) for name in ("texts", "losses", "first")]
    function.outputs["text"] >> ends[0].value
    function.outputs["product"] >> train.inputs["lr"]
    train.outputs["loss"] >> ends[1].value
    once.outputs["loss"] >> ends[2].value
    values: Any = each.value.source
    system = System([values.owner, each, function, train, once, *ends])
    system.run(100)
    assert [one.seen for one in ends] == [
        ["0", "1", "0", "0", "1", "2"],
        [0, 6, 0, 0, 6, 12],
        [1.0],
    ]
    system.run(2)  # values of the generator are steps
    assert ends[0].seen == ["0", "1", "0"]


@pytest.mark.parametrize("threads", [False, True])
def test_a_component_that_raises_ends_the_system(threads: bool) -> None:
    count, keep = Count(node=Node("other", threads=threads)), Keep()
    fail = Fail(value=count.number)
    fail.same >> keep.value
    handle = System([count, fail, keep]).launch()
    with pytest.raises(ValueError, match="three is too many") as caught:
        handle.wait()
    assert handle.status == "failed"
    assert keep.seen == [1, 2]
    assert keep.is_done
    assert "fail: ValueError: three is too many" in handle.logs()
    shown = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    assert "in component 'fail', step 3, with value=3" in shown
    assert "kohaku_ast/systems" not in shown.replace("tests/systems", "")


class BadSetup(Component):
    number = Output(int)

    def setup(self) -> None:
        raise OSError("no camera")

    def step(self) -> int:
        raise AssertionError


def test_a_setup_that_raises_ends_the_system_before_any_step() -> None:
    bad, count = BadSetup(node=Node("other", threads=True)), Count()
    keeps = [Keep(name="x", value=bad.number), Keep(name="y", value=count.number)]
    with pytest.raises(OSError, match="no camera"):
        System([bad, count, *keeps]).run(5)
    assert keeps[1].seen == []
    assert keeps[1].is_done


def test_stop_ends_sources_and_what_they_sent_arrives() -> None:
    count, keep = Count(node=Node("other", threads=True)), Keep()
    slow = Slow(value=count.number)
    slow.same >> keep.value
    handle = System([count, slow, keep]).launch()
    with pytest.raises(TimeoutError, match="still runs after"):
        handle.wait(0.02)
    assert handle.status == "running"
    handle.stop()
    assert handle.wait() == "stopped"
    assert keep.seen == [*range(1, handle.steps["count"] + 1)]


def test_a_queue_holds_back_what_feeds_it() -> None:
    count = Count(node=Node("other", threads=True))
    slow = Slow(value=count.number)
    slow.value.queue = 2
    ahead = []

    def watch(value: int) -> None:
        ahead.append(count.next - value)

    sink = Component.of_function(watch, outputs="")
    slow.same >> sink.inputs["value"]
    System([count, slow, sink]).run(30)
    assert max(ahead) <= 5


def check_latest(engine: str, path: Path) -> None:
    """Run a system whose second component is too slow for all that the first one sends."""
    eye, brain = Node("eye", threads=True), Node("brain", threads=True)
    count = Count(node=eye, rate=500)
    newest = Newest(value=count.outputs["number"], node=brain)
    keep = Keep(value=newest.outputs["same"], node=brain, path=path)
    system = System([count, newest, keep])
    assert system.run(200, engine, timeout=600).steps["count"] == 200
    seen = [int(one) for one in path.read_text().split()]
    assert seen == sorted({*seen})
    assert len(seen) < 150
    assert seen[-1] == 200


def test_latest_drops_what_a_slow_component_cannot_take_but_not_the_last(tmp_path: Path) -> None:
    check_latest("native", tmp_path / "seen")
    with pytest.raises(SystemsError, match=r"Input\(queue=3, latest=True\): .* one message waits"):
        Input(int, queue=3, latest=True)


def test_a_rate_holds_back_a_source() -> None:
    timer, keep = Timer(rate=500), Keep()
    timer.tick >> keep.value
    start = time.monotonic()
    System([timer, keep]).run(11)
    assert time.monotonic() - start >= 0.02 * 0.99
    assert keep.seen == [*range(11)]


def test_a_cycle_whose_queue_is_too_short_is_a_deadlock() -> None:
    count, total = Count(), Add()
    each, delay = Each(value=total.total), Delay(initial=0)
    each.below >> delay.value
    delay.delayed >> total.b
    count.number >> total.a
    total.b.queue = 1
    with pytest.raises(SystemsError, match=r"deadlock: .*delay waits for room behind delayed"):
        System([count, total, each, delay]).run(50)


class Odd(Component):
    value = Input(int)
    out = Output(int)

    def step(self, value: int) -> Any:
        return {1: "text", 2: 2}[value]


class Two(Component):
    value = Input(int)
    a = Output(int)
    b = Output(int)

    def step(self, value: int) -> Any:
        return [{"a": 1, "c": 2}, 5][value - 1]


class Sink(Component):
    value = Input(int)

    def step(self, value: int) -> Any:
        return value


@pytest.mark.parametrize(
    ("kind", "first", "error", "text"),
    [
        pytest.param(
            Odd, 1, SystemsTypeError, "odd.out sent a str, and is declared as int", id="type"
        ),
        pytest.param(Two, 1, SystemsError, "a step of two returned 'c'", id="no such output"),
        pytest.param(
            Two, 2, SystemsTypeError, "return a dict of them, or a tuple", id="one of two"
        ),
        pytest.param(Sink, 1, SystemsTypeError, "It has no output", id="a sink that returns"),
    ],
)
def test_what_a_step_returns_is_checked(kind: Any, first: int, error: Any, text: str) -> None:
    count = Count(first=first)
    with pytest.raises(error, match=text):
        System([count, kind(value=count.number)]).run(1)


def test_components_see_the_values_of_the_run_that_launched_them() -> None:
    context.set("robot", "r2")
    seen = Keep(
        value=Component.of_function(lambda: context.get("robot"), name="ask").outputs["out"]
    )
    asked: Any = seen.value.source
    System([asked.owner, seen]).run(1)
    assert seen.seen == ["r2"]


def test_an_error_nobody_waits_for_is_printed(tmp_path: Path) -> None:
    import subprocess
    import sys

    root = Path(__file__).parents[2]
    text = (
        "from kohaku_ast.systems import *\nfrom tests.systems.parts import Count, Fail\n"
        "count = Count()\nSystem([count, Fail(value=count.number)]).launch()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=root, capture_output=True, text=True, check=False
    )
    assert "system 'system' failed" in done.stderr
    assert "ValueError: three is too many" in done.stderr


def test_the_example_runs() -> None:
    import runpy

    path = Path(__file__).parents[2] / "docs" / "examples" / "systems" / "robot.py"
    printed = io.StringIO()
    with redirect_stdout(printed):
        runpy.run_path(str(path), run_name="__main__")
    assert printed.getvalue() == (
        "turn -0.484\nturn -0.270\nturn -0.229\nturn -0.146\nturn -0.073\n"
    )
