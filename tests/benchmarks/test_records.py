"""What a record costs a run, and beside MLflow: ``pytest -m benchmark -s tests/benchmarks/test_records.py``."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kohaku_ast import Node, Pipeline
from tests.benchmarks.ratios import installed_command, interleave
from tests.store.made_runs import make_run

pytestmark = pytest.mark.benchmark

RUNS = {"inline": 1000, "spawn": 20, "warm": 60}


@pytest.mark.parametrize(
    ("mode", "workers"), [("inline", 1), ("spawn", 1), ("warm", 1), ("spawn", 2), ("warm", 2)]
)
def test_cost_of_a_record(tmp_path: Path, mode: str, workers: int) -> None:
    (tmp_path / "t.py").write_text("n = 0\nprint(n)\n")
    sweep = f"{installed_command()} run t.py --sweep n=range:{RUNS[mode]} --mode {mode}"
    sweep += f" --workers {workers} > out 2>&1"
    commands = {
        "with": ["sh", "-c", f"exec {sweep}"],
        "without": ["sh", "-c", f"exec {sweep} --no-record"],
    }
    times = interleave(commands, tmp_path, 5)
    wall, cpu = (
        statistics.median(
            one[kind] - other[kind] for one, other in zip(times["with"], times["without"])
        )
        for kind in (0, 1)
    )
    each = 1000 / RUNS[mode]
    print(f"\n{mode}, {workers} at once: {wall * each:.2f} ms a run, {cpu * each:.2f} ms of a core")


FLOW = """
import sys, time
from kohaku_ast import Script, Sequential, Sweep
count = int(sys.argv[1])
def run(ns):
    began = time.perf_counter()
    Sequential(Script("t.py", Sweep(n=ns)), mode="inline").run()
    return time.perf_counter() - began
run([0, 1])
print("seconds", run([*range(2, count + 2)]), file=sys.stderr)
"""
LOGGER = """
import sys, time
from kohaku_ast.helpers import logger
count = int(sys.argv[1])
def run(n):
    logger.init(project="p", config={"n": n})
    logger.log({"loss": float(n)}, step=0)
    logger.finish()
run(0)
began = time.perf_counter()
for n in range(1, count + 1):
    run(n)
print("seconds", time.perf_counter() - began, file=sys.stderr)
"""
MLFLOW = """
import sys, time
from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient
count, uri = int(sys.argv[1]), sys.argv[2]
client = MlflowClient(tracking_uri=uri)
experiment = client.create_experiment(f"e{time.time()}")
def run(n):
    made = client.create_run(experiment).info.run_id
    client.log_batch(made, [Metric("loss", float(n), 0, 0)], [Param("n", str(n))])
    client.set_terminated(made)
run(0)
began = time.perf_counter()
for n in range(1, count + 1):
    run(n)
print("seconds", time.perf_counter() - began, file=sys.stderr)
"""


def used(*places: Path) -> int:
    """The bytes on the disk of files and folders."""
    files = [file for place in places for file in (place, *place.rglob("*")) if file.exists()]
    return sum(file.lstat().st_blocks * 512 for file in files)


def test_runs_per_second_beside_mlflow(tmp_path: Path) -> None:
    """Runs of one parameter and one number. Those of kogine's flow are runs of a script, with its text,
    log and environment; the logger and MLflow are told of runs that the loop itself makes.
    """
    pytest.importorskip("mlflow", reason="MLflow is not installed: make trackers installs it")
    commands = {
        "kogine": (FLOW, "500"),
        "kogine, logger": (LOGGER, "500"),
        "MLflow, SQLite": (MLFLOW, "30", f"sqlite:///{tmp_path / 'MLflow, SQLite' / 'mlflow.db'}"),
        "MLflow, files": (MLFLOW, "100", (tmp_path / "MLflow, files" / "mlruns").as_uri()),
    }
    for name, (text, *_) in commands.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.py").write_text("n = 0\nprint('loss:', n)\n")
        (tmp_path / name / "flow.py").write_text(text)
    rates: dict[str, list[float]] = {name: [] for name in commands}
    sizes: dict[str, list[int]] = {name: [] for name in commands}
    for _ in range(5):
        for name, (_, *arguments) in commands.items():
            rates[name].append(_rate(["flow.py", *arguments], tmp_path / name))
            sizes[name].append(used(tmp_path / name))
    for name, found in rates.items():
        ratio = statistics.median(own / one for own, one in zip(rates["kogine"], found))
        # A database is half a megabyte before its first run.
        size = (sizes[name][-1] - sizes[name][0]) / (4 * int(commands[name][1]))
        print(
            f"\n{name:16} {statistics.median(found):6.0f} runs/s, kogine {ratio:.1f} times as many, "
            f"{size / 1000:.1f} kB a run",
            end="",
        )
    print()


def _rate(words: list[str], folder: Path) -> float:
    # MLflow 3.17 refuses a folder without the variable.
    environment = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true"}
    command = [sys.executable, "-W", "ignore", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("seconds")]
    return int(words[1]) / float(line.split()[1])


def test_size_and_search(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("n = 0\n")
    sweep = [installed_command(), "run", "t.py", "--mode", "inline", "--sweep", "n=range:10000"]
    subprocess.run(sweep, cwd=tmp_path, check=True, capture_output=True)
    used = subprocess.check_output(["du", "-sk", tmp_path / ".kogine"], text=True).split()[0]
    commands = {"resume": ["sh", "-c", f"exec {' '.join(sweep)} --resume > out 2>&1"]}
    times = interleave(commands, tmp_path, 3)
    seconds = min(wall for wall, _ in times["resume"])
    print(f"\n10,000 records: {int(used) / 10_000:.1f} kB each, left out in {seconds:.1f} s")
    shutil.rmtree(tmp_path / ".kogine")


CACHED = """
import sys, time
from kohaku_ast import Config, Script, Sequential
def run(ns):
    began = time.perf_counter()
    made = Sequential(Script("t.py", [Config(n=n) for n in ns]), mode="inline", cached=True)
    outcomes = made.run()
    return (time.perf_counter() - began) / len(outcomes), dict(made.summary.counts)
ns = [*range(200)]
for what in (ns, ns, ns[:1]):
    print("ms a run: %.2f, %s" % ((found := run(what))[0] * 1000, found[1]), file=sys.stderr)
"""


def test_cached_runs_among_ten_thousand(tmp_path: Path) -> None:
    """The first line is of runs, the second one of cached runs, the third one of one cached run, with
    the search for it.
    """
    (tmp_path / "t.py").write_text("n = 0\nprint('loss:', n)\n")
    for number in range(10_000):
        make_run(tmp_path / ".kogine" / "runs", number)
    done = subprocess.run(
        [sys.executable, "-c", CACHED], cwd=tmp_path, text=True, capture_output=True, check=True
    )
    print(f"\n{done.stderr}")


@pytest.mark.parametrize("count", [3, 100, 1000])
def test_cost_of_a_pipelines_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.chdir(tmp_path)
    nodes = [Node(lambda x: x, f"v{at + 1}", rename={"x": f"v{at}"}) for at in range(count)]
    costs = {}
    for record in (False, True):
        made = Pipeline(nodes, record=record)
        made.run(v0=1)
        costs[record] = statistics.median(cpu_of(lambda: made.run(v0=1)) for _ in range(25))  # noqa: B023
    print(f"\n{count} nodes: {costs[True]:.2f} ms of a core a run, {costs[False]:.3f} ms without")


def cpu_of(call: Callable[[], object]) -> float:
    """The milliseconds of this thread that *call* takes."""
    began = time.thread_time()
    call()
    return 1000 * (time.thread_time() - began)
