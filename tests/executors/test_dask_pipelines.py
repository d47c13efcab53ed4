"""Pipelines on a Dask scheduler with two worker processes, which kogine did not start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.executors.cluster_runs import SECONDS, facts, processes, wait_for
from tests.executors.pipeline_script import run
from tests.executors.test_dask import address as address  # a fixture
from tests.oracle import on_path, run_kogine

pytestmark = pytest.mark.dask

FLOW = """\
import os, signal, subprocess, sys, time
from kohaku_ast import DaskEngine, Pipeline, PipelineError, node, permanence, script

def load():
    open(f"made-{os.getpid()}", "w")
    yield os.getpid()
    open(f"released-{os.getpid()}", "w")

@node("a")
def dies(n, how):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if how == "worker" and not os.path.exists("killed"):
        open("killed", "w")
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    if how == "process":
        os._exit(7)
    if how == "wait":
        open(f"begun-{os.getpid()}", "w")
        time.sleep(600)
    child.kill()
    return n

@node("b")
def after(a, model): return [a, model == os.getpid()]

train = script("train.py", outputs="loss", inputs={"how": "how"})
pipeline = Pipeline([dies, after], permanences={"model": permanence(load)})
scripts = Pipeline([train])

if __name__ == "__main__":
    engine = DaskEngine(sys.argv[1])
    one = Pipeline([after], permanences={"model": permanence(load)}, engine=engine)
    with engine:
        found = one.map({"a": range(40)}, map_over="a", output_name="b")
        assert found == [[n, True] for n in range(40)]
        assert one.run({"a": 1}, "b") == [1, True]
"""
TRAIN = """\
import os, signal, psutil, time
how = "fine"
if how == "worker" and not os.path.exists("killed"):
    open("killed", "w")
    os.kill(psutil.Process(os.getppid()).ppid(), signal.SIGKILL)
    time.sleep(600)
loss = 0.5
print("loss:", loss)
"""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "train.py").write_text(TRAIN)


def left() -> list[str]:
    """The processes of tasks, and what they have started, in this folder."""
    return processes("task_process", "time.sleep(600)", "fresh.py")


def test_results_and_records_are_those_of_this_process(address: str, tmp_path: Path) -> None:
    here, nobody = run("sequential", tmp_path / "here")
    there, workers = run(address, tmp_path / "there")
    assert there == here
    assert nobody == []
    for one in workers:
        host, _, pid = one.rpartition(":")
        assert host == os.uname().nodename
        assert "dask" in " ".join(psutil.Process(int(pid)).parent().cmdline())


def test_a_permanence_is_made_once_in_each_process_and_released(address: str) -> None:
    done = subprocess.run(
        [sys.executable, "flow.py", address], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": on_path()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = [one.name.partition("-")[2] for one in Path().glob("made-*")]
    assert 1 <= len(made) <= 4  # two workers; the second run has its own
    assert sorted(made) == sorted(one.name.partition("-")[2] for one in Path().glob("released-*"))
    assert left() == []


@pytest.mark.parametrize("name", ["pipeline", "scripts"])
def test_a_killed_worker_loses_nothing_and_leaves_no_child(address: str, name: str) -> None:
    words = ["n=3", "how=worker"] if name == "pipeline" else ["how=worker"]
    done = run_kogine(Path(), "pipeline", "run", f"flow.py:{name}", *words, "--on", address)
    expected = "b = [3, True]\n" if name == "pipeline" else "loss = 0.5\n"
    assert (done.status, done.stdout) == (0, expected), done
    assert left() == []
    parent = next(one for one in facts() if one.get("kind") == "pipeline")
    assert {one["status"] for one in parent["nodes"]} == {"succeeded"}
    assert all(len(one["workers"]) == 1 for one in parent["nodes"])
    if name == "scripts":
        ends = [one["status"] for one in facts() if one.get("kind") != "pipeline"]
        assert sorted(ends) == ["running", "succeeded"]
        assert parent["metrics"]["loss"]["last"] == 0.5


def test_a_process_that_dies_is_the_error_of_its_node(address: str) -> None:
    words = ["flow.py:pipeline", "n=3", "how=process", "--on", address]
    done = run_kogine(Path(), "pipeline", "run", *words)
    assert done.status == 1
    assert "'dies' (flow.py:9): its process on the worker" in done.stderr
    assert "has ended with status 7" in done.stderr
    assert left() == []


def test_ctrl_c_ends_what_this_flow_has_started_and_nothing_else(address: str) -> None:
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    flows = []
    for n in (1, 2):
        words = ["pipeline", "run", "flow.py:pipeline", f"n={n}", "how=wait", "--on", address]
        flows.append(
            subprocess.Popen(
                [sys.executable, str(launcher), *words],
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": on_path()},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        wait_for(lambda: len([*Path().glob("begun-*")]) == n)  # noqa: B023
    for n, flow in enumerate(flows, 1):
        flow.send_signal(signal.SIGINT)
        _, told = flow.communicate(timeout=SECONDS)
        assert "Traceback" not in told
        assert flow.returncode == -signal.SIGINT
        assert len(left()) == 2 * (len(flows) - n)  # its process, and what that has started
    assert [one["status"] for one in facts()] == ["interrupted"] * 2
    assert [one["nodes"][0]["status"] for one in facts()] == ["interrupted"] * 2
