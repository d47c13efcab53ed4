"""Systems as dataflows of Dora: the same messages, ends, failures, machines."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.errors import SystemFailed, SystemsError
from kohaku_ast.systems import Component, Node, System, Values
from tests.executors.second_host import Hosts, two_hosts
from tests.oracle import on_path, run_kogine
from tests.systems.parts import Count, Fail, Keep, Slow, Twice
from tests.systems.test_native import check_latest, small
from tests.systems.test_system import EXAMPLE

pytestmark = pytest.mark.dora


def test_smoke_the_same_messages_as_in_this_process(tmp_path: Path) -> None:
    """Three nodes, rates that differ, a cycle."""
    kept = []
    for engine in ("native", "dora"):
        system, keep = small()
        keep.config.path = tmp_path / engine
        handle = system.run(50, engine, timeout=600)
        assert handle.status == "succeeded"
        kept.append((keep.config.path.read_text(), handle.steps))
    assert kept[0] == kept[1]
    assert len(kept[0][0].splitlines()) == 25


def test_smoke_the_example_by_the_command(tmp_path: Path) -> None:
    words = ("system", "run", str(EXAMPLE), "--iterations", "40", "camera.speed=5")
    native, dora = (run_kogine(tmp_path, *words, "--engine", one) for one in ("native", "dora"))
    assert (dora.status, dora.stderr) == (0, "")
    assert dora.stdout == native.stdout
    assert "wheels: 40 steps\n" in dora.stdout


def pair(last: Component, engine: str = "dora") -> tuple[System, Node]:
    """count on a node, *last* on another."""
    count = Count(node=Node("first", engine=engine))
    other = last.node = Node("second", engine=engine)
    count.number >> last.inputs["value"]
    return System([count, last]), other


@pytest.mark.parametrize("iterations", [10, None])
def test_a_component_that_raises_raises_here(iterations: int | None) -> None:
    system, _ = pair(Fail())
    handle = system.launch(iterations)
    with pytest.raises(ValueError, match="three is too many") as caught:
        handle.wait(120)
    assert handle.status == "failed"
    assert "in component 'fail', step 3, with value=3" in str(caught.value.__cause__)


@pytest.mark.parametrize("iterations", [10, None])
def test_a_node_that_is_killed_is_an_error_and_no_hang(iterations: int | None) -> None:
    fail = Fail(how="kill")
    keep = Keep(value=fail.same, node=Node("third", engine="dora"))
    system, _ = pair(fail)
    handle = System([*system.components.values(), keep]).launch(iterations)
    with pytest.raises(SystemFailed, match=r"the node 'second' \(fail\) ended: .*SIGKILL"):
        handle.wait(120)


def test_latest_drops_messages_on_purpose(tmp_path: Path) -> None:
    check_latest("dora", tmp_path / "seen")


def test_stop_ends_sources_without_end() -> None:
    slow = Slow()
    system, _ = pair(slow)
    handle = system.launch()
    with pytest.raises(TimeoutError):
        handle.wait(4)
    handle.stop()
    assert handle.wait(60) == "stopped"
    assert handle.steps["count"] > 0


def every_message() -> list[Any]:
    import numpy as np

    return [
        True, 0, -(2**63), 2**70, 1.5, float("inf"), "ä$HOME", "", b"", b"\0\1", [1, 2], [1, None], [],
        [1, 2.5], [[1], [2, 3]], {"a": 1, "b": [1.0]}, {"b": 1, "a": {"c": None}}, {}, {1: 2}, (1, "x"), {3},
        [{"a": 1}, {"b": 2}], Path("a/b"), 1j, np.arange(6, dtype="int16").reshape(2, 3), np.float32(2),
        np.array([True, False]), np.array(3.5), np.array(["x"]), np.zeros((0, 3)), np.arange(3, dtype=">i4"),
    ]  # fmt: skip


def test_messages_come_back_as_they_were() -> None:
    import numpy as np
    import pyarrow as pa

    from kohaku_ast.systems.arrow import decode, encode

    for one in every_message():
        back = decode(*encode(one))
        assert type(back) is type(one), one
        if isinstance(one, np.ndarray):
            assert back.dtype == one.dtype
            assert back.flags.writeable
            np.testing.assert_array_equal(back, one)
        else:
            assert repr(back) == repr(one)
    array = pa.array([1, 2])
    assert decode(*encode(array)) is array
    assert encode(b"\1\2")[0].to_pylist() == [1, 2]  # as nodes in other languages read it
    assert encode({"x": 1})[0].to_pylist() == [{"x": 1}]
    others = [
        (pa.array([7]), int, 7),
        (pa.array([7, 8]), list, [7, 8]),
        (pa.array([1], "uint8"), bytes, b"\1"),
    ]
    for given, hint, expected in others:
        assert decode(given, {}, hint) == expected


def test_messages_of_many_kinds_cross_nodes(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    items = [
        one for one in every_message() if type(one) in (int, float, str, list) and one != 2**70
    ]
    values, keep = Values(items=items, node=Node("a")), Keep(path=path, node=Node("b"))
    values.value >> keep.value
    System([values, keep]).run(engine="dora", timeout=600)
    assert path.read_text() == "".join(f"{one!r}\n" for one in items)


def described(*components: Component) -> dict[str, Any]:
    """What the node of *components*, which another node feeds, gets to know."""
    import json

    from kohaku_ast.systems.dora import DoraEngine

    source = Count(name="source", node=Node("elsewhere"))
    for one in components:
        for port in one.inputs.values():
            source.number >> port
    system = System([source, *components])
    return json.loads(DoraEngine()._description(system, components[0].node, None))  # type: ignore[no-any-return]


def message(name: str, value: Any, number: int, **more: Any) -> dict[str, Any]:
    from kohaku_ast.systems.arrow import encode

    array, metadata = encode(value)
    metadata = {**metadata, "kogine.number": number, **more}
    return {"type": "INPUT", "id": name, "value": array, "metadata": metadata}


def end(name: str, number: int) -> dict[str, Any]:
    return message(name, b"", number, **{"kogine.last": True})


@pytest.mark.parametrize(
    ("events", "status", "outputs", "said"),
    [
        pytest.param([(1, 0), (2, 1), "end 2"], 0, [2, 4], "", id="complete"),
        pytest.param([(1, 0), (3, 2), "end 3"], 1, [2], "message 2 came after 1 of them: Dora has lost 1", id="gap"),
        pytest.param([(1, 0), "end 2"], 1, [2], "message 2 came after 1 of them", id="gap at the end"),
        pytest.param([(1, 0), "closed"], 1, [2], "the sender has ended after 1 messages without", id="killed"),
        pytest.param([(1, 0), "stop"], 0, [2], '"is_stopped": true', id="stopped"),
    ],
)  # fmt: skip
def test_a_component_on_a_mock_node(events: Any, status: int, outputs: Any, said: str) -> None:
    from dora.testing import MockNode

    from kohaku_ast.systems.dora_node import run_node

    made = described(Twice(node=Node("own")))
    made["outputs"] = ["twice.value_twice"]
    kinds = {
        "closed": {"type": "INPUT_CLOSED", "id": "twice.value"},
        "stop": {"type": "STOP", "id": "MANUAL"},
    }
    given = [
        message("twice.value", *one) if isinstance(one, tuple)
        else kinds.get(one) or end("twice.value", int(one[4:]))
        for one in events
    ]  # fmt: skip
    node = MockNode(given)
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert run_node(made, node) == status
    sent = [one.to_pylist() for one in node.outputs["twice.value_twice"]]
    assert sent == [*([one] for one in outputs), *[[]] * (status == 0)]
    assert said in printed.getvalue()


def test_what_is_compiled_is_valid(tmp_path: Path) -> None:
    system, other = pair(Keep(tags=["$HOME"]))
    other.machine = "10.0.0.7"
    made = system.compile(tmp_path / "build")
    text = Path(made.path("dataflow")).read_text()
    assert 'deploy: {machine: "10.0.0.7"}' in text
    assert "source: first/count.number\n" in text
    assert "queue_policy: backpressure" in text
    assert "\\u0024HOME" in text
    with pytest.raises(
        SystemsError, match=r"'second' is on the machine '10.0.0.7': name the coordinator"
    ):
        system.launch(1)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def daemons(folder: Path, hosts: Hosts) -> Iterator[str]:
    """A coordinator and two daemons, the machines left and right, of which right is the second of
    *hosts*; the coordinator's address.
    """
    dora = str(Path(sys.executable).with_name("dora"))
    port, started = free_port(), []
    here = ["--coordinator-port", str(port)]
    to = ["--coordinator-addr", hosts.first, *here]

    def start(name: str, *words: str) -> None:
        command = [*(hosts.enter if name == "right" else ()), dora, *words]
        with open(folder / f"{name}.log", "wb") as log:
            started.append(
                subprocess.Popen(
                    command, cwd=folder, stdout=log, stderr=log, start_new_session=True
                )
            )

    try:
        words = ["--interface", "0.0.0.0", "--port", str(port), "--store", "memory", "--quiet"]
        start("coordinator", "coordinator", *words)
        for _ in range(100):
            if (
                subprocess.run([dora, "list", *here], capture_output=True, check=False).returncode
                == 0
            ):
                break
            time.sleep(0.1)
        for name in ("left", "right"):
            start(
                name, "daemon", "--machine-id", name, *to, "--local-listen-port", str(free_port())
            )
        for _ in range(100):
            if all("Connected" in (folder / f"{one}.log").read_text() for one in ("left", "right")):
                break
            time.sleep(0.1)
        yield f"{hosts.first}:{port}"
    finally:
        for one in reversed(started):
            one.send_signal(signal.SIGINT)
        for one in reversed(started):
            try:
                one.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()


def test_two_daemons_are_two_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with two_hosts() as hosts, daemons(tmp_path, hosts) as address:
        keep = Keep(path=tmp_path / "kept")
        system, other = pair(keep)
        other.machine, system.get_node("first").machine = "right", "left"
        system.components["count"].rate = 100
        try:
            handle = system.run(100, engine=f"dora://{address}", timeout=600)
        except SystemsError as lost:  # Dora promises nothing between daemons: complete or an error
            said = str(lost)
        else:
            said = "Dora has lost nothing"
            assert keep.config.path is not None
            assert keep.config.path.read_text().split() == [str(one) for one in range(1, 101)]
            assert handle.steps == {"count": 100, "keep": 100}
        assert "Dora has lost" in said
        slow = Slow(name="slow", value=system.components["count"].outputs["number"], node=other)
        endless = System([*system.components.values(), slow]).launch(engine=f"dora://{address}")
        with pytest.raises(TimeoutError):
            endless.wait(15)  # the coordinator is asked meanwhile, and may refuse to answer
        endless.stop()
        assert endless.wait(60) == "stopped"
        failing, other = pair(Fail(how="kill"))
        other.machine, failing.get_node("first").machine = "right", "left"
        with pytest.raises(SystemFailed, match=r"the node 'second' .* ended: .*SIGKILL"):
            failing.run(10, engine=f"dora://{address}", timeout=600)


def test_the_nodes_of_a_command_that_is_killed_end(tmp_path: Path) -> None:
    import psutil

    command = [sys.executable, str(Path(__file__).parents[1] / "kogine_command.py")]
    started = psutil.Popen(
        [*command, "system", "run", str(EXAMPLE), "--engine", "dora"], cwd=tmp_path,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": on_path()},
    )  # fmt: skip
    with started.stdout:
        assert started.stdout.readline().startswith(b"turn")
        below = started.children(recursive=True)
        assert len(below) >= 3
        started.kill()
        assert psutil.wait_procs([started, *below], timeout=600)[1] == []
