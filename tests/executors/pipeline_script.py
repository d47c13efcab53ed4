"""A script with a pipeline that has a bit of everything, and what it reports, with any engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.executors.cluster_runs import SECONDS, facts, processes, wait_for
from tests.oracle import on_path

FLOW = """\
import asyncio, json, os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path

import helper
from kohaku_ast import DiskCache, Hooks, Pipeline, node, permanence, script
from kohaku_ast.helpers import context


@dataclass
class Point:
    x: int

    def moved(self):
        return Point(self.x + helper.STEP + OFFSET)


OFFSET = 10


class Odd(ValueError):
    def __init__(self, point, *, why):
        super().__init__(f"no half of {point}: {why}")


class Times:
    def __init__(self, size):
        self.size = size

    def init(self):
        self.more = OFFSET

    def __call__(self, n: int) -> int:
        return n * self.size + self.more


class Member(Pipeline):
    times: Times = Times(2)

    def __call__(self, n: int) -> int:
        for _ in range(3):
            n = self.times(n)
        return n


def load(size):
    yield {"size": size}
    Path("released").write_text("")


@node("point")
def make(n: int) -> Point:
    context.set("made", n)
    print("making", n)
    return Point(n)


@node("big")
def is_big(point: Point) -> bool:
    return point.x > 3


@node("moved", when="big")
def move(point, model):
    return point.moved().x * model["size"]


@node("small", when="not big")
def stay(point):
    return point.x


@node("late")
async def wait(point):
    await asyncio.sleep(0)
    return [context.get("made"), type(point) is Point]


@node("half")
def half(x):
    if x == 5:
        raise Odd(Point(x), why="it is five")
    return x / 2


def every(n):
    return list(range(n))


events = []
hooks = Hooks(on_end=lambda event: events.append(["run", str(event.error)]))
move_hooks = Hooks("move", on_success=lambda event: events.append(["move", event.outputs]))
halves = Pipeline([half], name="halves").as_node(map_over={"xs": "x"})
nodes = [make, is_big, move, stay, wait, node("xs")(every), halves,
         script("train.py", outputs="loss", inputs={"lr": "late_lr"})]
pipeline = Pipeline(nodes, permanences={"model": permanence(load, size=2)})


def states(pipeline):
    record = json.loads(Path(pipeline.last_record, "run.json").read_text())
    return [[one["name"], one["kind"], one["status"], one.get("results")]
            for one in record["nodes"]]


def workers(pipeline):
    record = json.loads(Path(pipeline.last_record, "run.json").read_text())
    return sorted({one for node in record["nodes"] for one in node.get("workers", ())})


def report(engine):
    held = {"model": permanence(load, size=2)}
    made = Pipeline(nodes, engine=engine, record=True, permanences=held, callbacks=[hooks, move_hooks],
                    cache=DiskCache("cache"))
    given = {"n": 4, "late_lr": 0.5}
    found = made.run_available(given, made.outputs)
    yield {name: str(one) for name, one in found.items()}
    yield type(found["point"]) is Point and Point.moved.__globals__ is globals()
    yield states(made)
    yield str(made.explain())
    yield Path(made.last_record, "log.txt").read_text()
    print("WORKERS", json.dumps(workers(made)))
    made.run_available(given, made.outputs)
    yield states(made)
    yield made.run({"n": 1}, "small")
    try:
        made.run({"xs": [1, 5]}, "half")
    except Odd as error:
        yield [str(error), getattr(error, "__notes__", None), str(made.last_error)]
        import traceback
        told = traceback.format_exc()
        yield ["in half" in told, 'raise Odd(Point(x)' in told, "kohaku_ast/engines" in told]
    yield states(made)
    one = Pipeline([half], engine=engine)
    kept = one.map({"x": range(6)}, map_over="x", output_name="half", on_error="keep")
    yield list(map(str, kept))
    yield Member(engine=engine).run({"n": 1})
    yield events


if __name__ == "__main__":
    print("REPORT", json.dumps(list(report(sys.argv[1]))))
"""

TRAIN = "lr = 0.1\nloss = lr * 4\nprint('loss:', loss)\n"


def write() -> None:
    """Write the files of the pipeline into this folder."""
    Path("flow.py").write_text(FLOW)
    Path("helper.py").write_text("STEP = 1\n")
    Path("train.py").write_text(TRAIN)


def run(engine: str, folder: Path) -> tuple[Any, list[str]]:
    """What the pipeline reports with *engine*, and the workers of a cluster that ran its nodes."""
    folder.mkdir()
    os.chdir(folder)
    write()
    done = subprocess.run(
        [sys.executable, "flow.py", engine], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": on_path()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = dict(
        line.split(" ", 1)
        for line in done.stdout.splitlines()
        if line[:7] in ("REPORT ", "WORKERS")
    )
    return json.loads(said["REPORT"].replace(str(folder), ".")), json.loads(said["WORKERS"])


WAITS = """\
import os, subprocess, sys, time
from kohaku_ast import Pipeline, node

@node("a")
def wait(n: int):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open(f"begun-{os.getpid()}", "w")
    time.sleep(600)

pipeline = Pipeline([wait, wait.with_names("again", a="b"), wait.with_names("third", a="c")])
"""


def interrupt(on: str) -> None:
    """Run nodes that wait on the cluster *on*, and interrupt the flow: none of them is left."""
    Path("waits.py").write_text(WAITS)
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    flow = subprocess.Popen(
        [sys.executable, str(launcher), "pipeline", "run", "waits.py", "n=1", "--on", on],
        start_new_session=True, env={**os.environ, "PYTHONPATH": on_path()},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: len([*Path().glob("begun-*")]) == 2)  # there is room for two
    flow.send_signal(signal.SIGINT)
    _, told = flow.communicate(timeout=SECONDS)
    # By Ray Client Python forgets at its end that it was interrupted, and exits with status 1.
    statuses = (-signal.SIGINT, 1) if on.startswith("ray://") else (-signal.SIGINT,)
    assert flow.returncode in statuses, (flow.returncode, told)
    assert "Traceback" not in told
    wait_for(lambda: not processes("task_process", "time.sleep(600)"))
    [found] = facts()
    states = sorted(one["status"] for one in found["nodes"])
    # SLURM has taken the third one, too, which waits for a node of the cluster.
    assert (found["status"], states[:2]) == ("interrupted", ["interrupted"] * 2)
    assert states[2] in ("interrupted", "not run")
