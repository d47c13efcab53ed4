"""Flows on a SLURM of two nodes, which kogine did not start: see slurm_cluster.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohaku_ast import Config, Parallel, Script, Sweep
from tests.executors.cluster_runs import (
    HOWS,
    KILLS_ITS_WORKER,
    SECONDS,
    facts,
    none_is_left,
    start_flow,
    wait_for,
)
from tests.executors.pipeline_script import interrupt
from tests.executors.slurm_cluster import slurm
from tests.oracle import on_path, run_kogine

pytestmark = pytest.mark.slurm

TRAIN = (
    """\
import os, signal, sys, time
from kohaku_ast.helpers import checkpoints
n, how = 0, "fine"
print(f"loss: {n / 2}", flush=True)
print("on", os.environ["SLURMD_NODENAME"], "array", os.environ.get("SLURM_ARRAY_JOB_ID"), flush=True)
before = checkpoints.load(0)
if how == "long" and before == 0:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(bool(checkpoints.save(7, step=1))))
    time.sleep(600)
"""
    + KILLS_ITS_WORKER
    + HOWS
    + """\
def main(): return n + before
if __name__ == "__main__": main()
"""
)


@pytest.fixture(scope="module")
def _slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with slurm(tmp_path_factory.mktemp("slurm")) as variables:
        yield variables


@pytest.fixture(autouse=True)
def _script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _slurm: dict[str, str]) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.setenv("PYTHONPATH", on_path())
    for name, value in _slurm.items():
        monkeypatch.setenv(name, value)


def test_smoke() -> None:
    words = ["run", "train.py", "how=fail", "--sweep", "n=1,2,3"]
    done = run_kogine(Path(), *words, "--on", "slurm:time=5,cpus=2")
    assert (done.status, "2 succeeded, 1 failed" in done.stderr) == (1, True), done
    found = facts()
    assert [one["status"] for one in found] == ["succeeded", "failed", "succeeded"]
    assert {one["worker"].rpartition(":")[0] for one in found} == {os.uname().nodename}
    logs = [one.read_text().split() for one in Path(".kogine/runs").glob("*/log.txt")]
    assert {one[3] for one in logs} == {"node1", "node2"}
    assert len({one[5] for one in logs} - {"None"}) == 1  # they were an array
    for one in Path(".kogine/submitit").glob("*.sh"):
        lines = one.read_text().splitlines()
        assert {"#SBATCH --time=5", "#SBATCH --cpus-per-task=2"} <= {*lines}
    assert "3 skipped" in run_kogine(Path(), *words, "--resume").stderr


def test_what_slurm_refuses_is_told() -> None:
    done = run_kogine(Path(), "run", "train.py", "--on", "slurm:partition=gpu")
    assert (done.status, "invalid partition" in done.stderr.lower()) == (1, True), done


def test_a_killed_job_is_a_failure_that_a_retry_mends_and_leaves_no_process() -> None:
    configs = [Config({"n": n, "how": "kill" if n == 2 else "fine"}) for n in (1, 2, 3)]
    flow = Parallel(Script("train.py", configs), on="slurm:time=5", retries=1, backoff=0)
    found = flow.run()
    assert [one.value for one in found] == [1, 2, 3]
    assert len([*Path(".kogine/runs").glob("*/attempts/[12]/end")]) == 3
    assert none_is_left()


def test_a_job_without_time_saves_and_goes_on_until_it_was_too_often() -> None:
    sweep = Sweep(how=["long"])
    [found] = Parallel(Script("train.py", sweep), on="slurm:time=1").run()
    assert (found.status, found.value) == ("succeeded", 7)
    assert len([*Path(found.record).glob("attempts/1-*")]) == 2
    on = "slurm:time=1,max_num_timeout=0"
    [found] = Parallel(Script("train.py", sweep), on=on).run()
    assert "timed-out too many times" in str(found.error)
    assert none_is_left()


def test_ctrl_c_ends_what_this_flow_has_started_and_nothing_else() -> None:
    words = ["run", "train.py", "how=wait", "--repeat"]
    flows = []
    for count in (1, 4):  # there is room for four: one of the second flow waits
        flows.append(start_flow(*words, str(count), "--on", "slurm:time=5,cpus=1"))
        wait_for(lambda: len([*Path().glob("begun-*")]) == min(4, 3 * count - 2))  # noqa: B023
    flows[1].send_signal(signal.SIGINT)
    _, told = flows[1].communicate(timeout=SECONDS)
    assert "4 interrupted" in told
    flows[0].send_signal(signal.SIGINT)
    _, told = flows[0].communicate(timeout=SECONDS)
    assert "1 interrupted" in told
    logs = [one.read_text() for one in Path(".kogine/runs").glob("*/log.txt")]
    assert len([one for one in logs if one.endswith("saved\n")]) == 4
    assert none_is_left()


def test_a_run_that_takes_too_long_is_ended() -> None:
    [found] = Parallel(Script("train.py", Sweep(how=["wait"])), on="slurm", timeout=1).run()
    assert str(found.error) == "TimeoutError: took longer than 1 s"
    assert none_is_left()


def test_a_hundred_runs() -> None:
    found = Parallel(Script("train.py", Sweep(n=range(100))), on="slurm:time=5").run()
    assert [one.value for one in found] == [*range(100)]
    assert len([*Path(".kogine/runs").glob("*/attempts/1/end")]) == 100
    assert len({one.worker for one in found}) == 100


JOBQUEUE = """\
from dask_jobqueue import SLURMCluster
def make():
    cluster = SLURMCluster(cores=1, processes=1, memory="500MB", walltime="00:05:00")
    cluster.scale(jobs=2)
    return cluster
"""


def test_many_short_runs_share_the_jobs_of_dask_jobqueue_which_end_with_the_flow() -> None:
    Path("pool.py").write_text(JOBQUEUE)
    words = ["run", "train.py", "--on", "pool:make", "--sweep"]
    done = run_kogine(Path(), *words, "n=range:20")
    assert (done.status, "20 succeeded" in done.stderr) == (0, True), done
    assert len({one["worker"] for one in facts()}) <= 2
    logs = [one.read_text().split() for one in Path(".kogine/runs").glob("*/log.txt")]
    assert {one[3] for one in logs} <= {"node1", "node2"}
    wait_for(lambda: not queue())
    flow = start_flow(*words, "n=range:20", "how=wait")
    wait_for(lambda: len([*Path().glob("begun-*")]) == 2)
    assert len(queue()) == 2
    flow.send_signal(signal.SIGINT)
    _, told = flow.communicate(timeout=SECONDS)
    assert "20 interrupted" in told
    assert none_is_left()
    wait_for(lambda: not queue())


def queue() -> list[str]:
    """The jobs that SLURM has, but for those that have ended."""
    words = ["squeue", "-h", "-t", "pending,running", "-o", "%i"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


def test_a_pipeline_has_a_job_for_each_node_and_ctrl_c_ends_them() -> None:
    Path("flow.py").write_text(
        "import os\nfrom kohaku_ast import Pipeline, SlurmEngine, node\n"
        "@node('a')\ndef one(n: int): return [n, os.environ['SLURM_JOB_ID']]\n"
        "@node('b')\ndef two(a): return [*a, os.environ['SLURM_JOB_ID']]\n"
        "pipeline = Pipeline([one, two])\n"
    )
    done = run_kogine(Path(), "pipeline", "run", "flow.py", "n=3", "--json", "--on", "slurm")
    assert done.status == 0, done
    n, first, second = json.loads(done.stdout)["b"]
    assert n == 3
    assert first != second
    [found] = facts()
    assert all(len(one["workers"]) == 1 for one in found["nodes"])
    shutil.rmtree(".kogine")
    interrupt("slurm")
