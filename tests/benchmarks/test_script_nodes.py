"""What a script costs as a node: beside ``Script.run``, and mapped beside ``kogine run --sweep``."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kohaku_ast import Config, Pipeline, Script, script
from tests.benchmarks.ratios import installed_command

pytestmark = pytest.mark.benchmark

SMALL = "lr = 0.1\nloss = lr * 2\n"
NUMPY = "import numpy as np\nlr = 0.1\nloss = float(np.arange(100).sum() * lr)\n"
RUNS = 1000


def cpu() -> float:
    """Of this process and of those that it has waited for."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def timed(call: Callable[[], object]) -> tuple[float, float]:
    wall, used = time.perf_counter(), cpu()
    call()
    return time.perf_counter() - wall, cpu() - used


def test_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.py").write_text(SMALL)
    pipeline = Pipeline([script("small.py", "loss")])
    ways: dict[str, Callable[[], object]] = {
        "Script.run": lambda: Script(
            "small.py", Config(globals_dict={"lr": 3}, outputs=("loss",))
        ).run(),
        "a node": lambda: pipeline.run(lr=3),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(300):
        for name, way in ways.items():
            used = time.process_time_ns()
            way()
            if turn >= 20:
                times[name].append((time.process_time_ns() - used) / 1e3)
    medians = {name: statistics.median(found) for name, found in times.items()}
    print("\n" + "\n".join(f"{name:12} {median:7.0f} us cpu" for name, median in medians.items()))
    print(f"{'overhead':12} {medians['a node'] - medians['Script.run']:7.0f} us cpu (target: 50)")


@pytest.mark.parametrize("text", [SMALL, NUMPY], ids=["small", "numpy"])
def test_a_thousand_values(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(text)
    values = [number / RUNS for number in range(RUNS)]
    node = script("train.py", "loss")
    sweep = [installed_command(), "run", "train.py", "--sweep", f"lr=linspace:0:1:{RUNS}"]

    def swept(*options: str) -> Callable[[], object]:
        return lambda: subprocess.run([*sweep, *options], capture_output=True, check=True)

    ways = {
        "map, in this process": lambda: Pipeline([node]).map(lr=values, map_over="lr"),
        "kogine run --sweep": swept(),
        "map, parallel (warm, *)": lambda: Pipeline([node], engine="parallel").map(
            lr=values, map_over="lr"
        ),
        "--sweep, warm, 2 workers": swept("--mode", "warm", "--workers", "2"),
    }
    print(f"\n{RUNS} runs, {os.cpu_count()} cores (*: cpu without that of the warm servers)")
    for name, way in ways.items():
        wall, used = timed(way)
        print(f"{name:28} {wall:7.2f} s wall {used:7.2f} s cpu {used / RUNS * 1e3:6.2f} ms a run")
