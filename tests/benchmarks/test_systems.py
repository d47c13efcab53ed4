"""Messages a second, and how long one is on its way: systems beside loops and dataflows by hand."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.systems import Component, Input, Node, Output, System

pytestmark = pytest.mark.benchmark
COUNT = 20_000


class Send(Component):
    """Sends when it sent, and *size* bytes."""

    @dataclass
    class Config:
        size: int = 0

    out = Output(tuple)

    def setup(self) -> None:
        self.load = bytes(self.config.size)

    def step(self) -> tuple[float, bytes]:
        return time.time(), self.load


class Pass(Component):
    value = Input(tuple)
    out = Output(tuple)

    def step(self, value: tuple[float, bytes]) -> tuple[float, bytes]:
        return value


class Take(Component):
    """Keeps how long messages were on their way, and when the last one came."""

    @dataclass
    class Config:
        path: str = ""

    value = Input(tuple)

    def setup(self) -> None:
        self.times: list[float] = []
        self.first = 0.0

    def step(self, value: tuple[float, bytes]) -> None:
        now = time.time()
        self.first = self.first or now
        self.times.append(now - value[0])
        self.last = now

    def teardown(self) -> None:
        text = f"{len(self.times)} {self.last - self.first} {statistics.median(self.times)}"
        Path(self.config.path).write_text(text)


def chain(path: Path, nodes: list[Node], rate: float | None = None, size: int = 0) -> System:
    send = Send(node=nodes[0], rate=rate, size=size)
    through = Pass(value=send.out, node=nodes[len(nodes) // 2])
    take = Take(value=through.out, node=nodes[-1], path=str(path))
    return System([send, through, take])


def by_hand(path: Path, rate: float | None = None) -> None:
    """The same in a loop, with a queue at each connection as a careful person would have."""
    first, second = deque[Any](), deque[Any]()
    send, through, take = Send(), Pass(), Take(path=str(path))
    for one in (send, through, take):
        one.setup()
    for _ in range(COUNT):
        first.append(send.step())
        second.append(through.step(first.popleft()))
        take.step(second.popleft())
    take.teardown()


DATAFLOW = """\
nodes:
  - {{id: send, path: {python}, args: "-u {folder}/send.py {count} {rate}", outputs: [out]}}
  - id: pass
    path: {python}
    args: -u {folder}/through.py
    inputs: {{value: {{source: send/out, queue_size: {count}, queue_policy: backpressure}}}}
    outputs: [out]
  - id: take
    path: {python}
    args: -u {folder}/take.py {count}
    inputs: {{value: {{source: pass/out, queue_size: {count}, queue_policy: backpressure}}}}
"""
SEND = """\
import sys, time
import pyarrow as pa
from dora import Node
node, count, rate = Node(), int(sys.argv[1]), float(sys.argv[2])
due = time.monotonic()
for number in range(count):
    if rate:
        due += 1 / rate
        time.sleep(max(0, due - time.monotonic()))
    node.send_output("out", pa.array([time.time()]), {})
"""
THROUGH = """\
from dora import Node
node = Node()
for event in node:
    if event["type"] == "INPUT":
        node.send_output("out", event["value"], {})
"""
TAKE = """\
import statistics, sys, time
from dora import Node
node, times, first = Node(), [], 0
while len(times) < int(sys.argv[1]):
    event = node.next()
    if event["type"] == "INPUT":
        last = time.time()
        first = first or last
        times.append(last - event["value"][0].as_py())
open("result.txt", "w").write(f"{len(times)} {last - first} {statistics.median(times)}")
"""


def dataflow_by_hand(folder: Path, count: int, rate: float) -> str:
    for name, text in (("send", SEND), ("through", THROUGH), ("take", TAKE)):
        (folder / f"{name}.py").write_text(text)
    (folder / "flow.yml").write_text(
        DATAFLOW.format(python=sys.executable, folder=folder, count=count, rate=rate)
    )
    dora = str(Path(sys.executable).with_name("dora"))
    subprocess.run(
        [dora, "run", "flow.yml"], cwd=folder, check=True, capture_output=True, timeout=120
    )
    return (folder / "result.txt").read_text()


def line(name: str, result: str) -> str:
    count, seconds, way = map(float, result.split())
    return (
        f"{name:34} {(count - 1) / seconds:10,.0f} messages/s   {way * 1e6:10,.0f} us on their way"
    )


def test_in_this_process(tmp_path: Path) -> None:
    path = tmp_path / "result"
    lines = [f"\n{COUNT} messages, send >> pass >> take ({os.cpu_count()} cores)"]
    one, threads = [Node("one")], [Node(name, threads=True) for name in "abc"]
    cases: list[tuple[str, Callable[[], object]]] = [
        ("a loop by hand", lambda: by_hand(path)),
        ("native, one thread", lambda: chain(path, one).run(COUNT)),
        ("native, a thread for each node", lambda: chain(path, threads).run(COUNT)),
        ("native, 1,000 a second", lambda: chain(path, one, 1000).run(2000)),
        ("native, threads, 1,000 a second", lambda: chain(path, threads, 1000).run(2000)),
    ]
    for name, run in cases:
        run()
        lines.append(line(name, path.read_text()))
    print("\n".join(lines))


def test_on_dora(tmp_path: Path) -> None:
    pytest.importorskip("dora")
    path = tmp_path / "result"
    nodes = [Node(name, engine="dora") for name in "abc"]
    lines = ["\nsend >> pass >> take, three processes"]
    for count, rate in ((5000, 0.0), (1000, 200.0)):
        what = f"{rate:.0f} a second" if rate else "as fast as it goes"
        lines.append(line(f"a dataflow by hand, {what}", dataflow_by_hand(tmp_path, count, rate)))
        chain(path, nodes, rate or None).run(count, timeout=120)
        lines.append(line(f"dora engine, {what}", path.read_text()))
    chain(path, nodes, 50, 1_000_000).run(200, timeout=120)
    lines.append(line("dora engine, 1 MB, 50 a second", path.read_text()))
    print("\n".join(lines))
