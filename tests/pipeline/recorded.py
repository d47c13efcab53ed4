"""A pipeline with a script in it, its records, and processes that are ended from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kohaku_ast.store.record import Record
from tests.oracle import on_path

FLOW = """\
import helper
from kohaku_ast import DiskCache, Pipeline, node, script

@node
def rows(n: int, scale=2):
    return list(range(n))

@node("total")
def add(rows):
    if not rows:
        raise ValueError("no rows")
    return helper.add(rows)

@node
def report(loss, unit="m"):
    return f"{loss} {unit}"

train = script("train.py", outputs="loss", inputs={"start": "total"})
p = Pipeline([rows, add, Pipeline([train], name="inner"), report], cache=DiskCache("kept"), name="flow")
"""
TRAIN = """\
import os
lr = 0.1
start = 0
for epoch in range(3):
    loss = start * lr / (epoch + 1)
    print(f"epoch {epoch} loss: {loss}")
with open(os.path.join(os.environ.get("KOGINE_RUN_DIR", "."), "model.txt"), "w") as file:
    file.write("x")
"""
SLOW = """\
import os, time
from pathlib import Path
from kohaku_ast import Pipeline, node

@node
def first(n: int):
    return n

@node
def slow(first):
    if not Path("go").exists():
        time.sleep(600)
    return first

@node
def last(slow):
    return slow

p = Pipeline([first, slow, last])
"""


def write_flow(folder: Path) -> Path:
    (folder / "flow.py").write_text(FLOW)
    (folder / "train.py").write_text(TRAIN)
    (folder / "helper.py").write_text("def add(values):\n    return sum(values)\n")
    return folder


def records(folder: Path) -> list[dict[str, Any]]:
    """The run.json of each run, the oldest first, each with its ``id``."""
    found = []
    for path in sorted(folder.glob(".kogine/runs/*/run.json")):
        try:
            found.append(
                {**json.loads(path.read_text()), "id": path.parent.name, "folder": path.parent}
            )
        except FileNotFoundError:
            pass
    return found


def states(record: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["status"] for one in record["nodes"]}


def in_slow(record: dict[str, Any]) -> bool:
    found = Record.read(record["folder"])
    return found is not None and found.nodes[1]["status"] == "running"


def wait_for(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come")


@contextmanager
def slow_run(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """``kogine pipeline run slow.py n=1`` in its node ``slow``."""
    (folder / "slow.py").write_text(SLOW)
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    before = len(records(folder))
    started = subprocess.Popen(
        [sys.executable, str(launcher), "pipeline", "run", "slow.py", "n=1", *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": on_path()}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        if "--no-record" not in words:
            wait_for(lambda: [*map(in_slow, records(folder)[before:])] == [True])
        yield started
    finally:
        started.kill()
        started.wait()
