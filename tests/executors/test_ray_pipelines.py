"""Pipelines on a Ray cluster that kogine did not start, by Ray Client."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.executors.cluster_runs import processes, wait_for
from tests.executors.pipeline_script import interrupt, run, write
from tests.executors.test_ray import address as address  # a fixture
from tests.oracle import run_kogine

pytestmark = pytest.mark.ray


def test_results_and_records_are_those_of_this_process(address: str, tmp_path: Path) -> None:
    here, _ = run("sequential", tmp_path / "here")
    there, workers = run(address, tmp_path / "there")
    assert there == here
    assert workers
    wait_for(lambda: not processes("task_process"))


def test_a_killed_worker_loses_nothing_and_leaves_no_child(address: str) -> None:
    write()
    Path("dies.py").write_text(DIES)
    done = run_kogine(Path(), "pipeline", "run", "dies.py", "n=3", "--on", address)
    assert (done.status, done.stdout) == (0, "a = 3\n"), done
    wait_for(lambda: not processes("task_process", "time.sleep(600)"))


def test_ctrl_c_ends_the_nodes(address: str) -> None:
    interrupt(address)


DIES = """\
import os, signal, subprocess, sys, time
from kohaku_ast import Pipeline, node

@node("a")
def dies(n: int):
    if not os.path.exists("killed"):
        open("killed", "w")
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    return n

pipeline = Pipeline([dies])
"""
