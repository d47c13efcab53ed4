"""Flows whose runs are jobs of submitit on this machine, without SLURM."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from kohaku_ast import Parallel, Script, Sweep
from tests.executors.cluster_runs import HOWS, SECONDS, processes, start_flow, wait_for
from tests.oracle import on_path, run_kogine

pytestmark = pytest.mark.slurm

TRAIN = (
    """\
import os, signal, sys, time
from kohaku_ast.helpers import checkpoints
n, how = 0, "fine"
print(f"loss: {n / 2}", flush=True)
before = checkpoints.load(0)
checkpoints.save(before + 1, step=before + 1)
if how == "kill" and before == 0:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
if how == "preempt" and before == 0:
    os.kill(os.getppid(), signal.SIGUSR2)  # as SLURM does before it takes the node away
    time.sleep(600)
"""
    + HOWS
    + """\
def main(): return n + before
if __name__ == "__main__": main()
"""
)


@pytest.fixture(autouse=True)
def _script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.setenv("PYTHONPATH", on_path())


def left() -> list[str]:
    """The processes of jobs and runs in this folder."""
    return processes("fresh.py", "submitit")


def nothing_is_left() -> bool:
    """Whether these end: a job does after its result."""
    return bool(wait_for(lambda: not left()))


def test_smoke() -> None:
    done = run_kogine(
        Path(), "run", "train.py", "how=fail", "--sweep", "n=1,2,3", "--on", "slurm-local"
    )
    assert (done.status, "2 succeeded, 1 failed" in done.stderr) == (1, True), done
    assert "ValueError: two" in done.stderr
    assert "loss=0.5" in done.stderr
    again = run_kogine(Path(), "run", "train.py", "how=fail", "--sweep", "n=1,2,3", "--resume")
    assert "3 skipped" in again.stderr
    # The files of jobs that have ended well are removed: they hold the values of the runs.
    assert not [*Path(".kogine/submitit").glob("*.pkl")]
    assert stat.S_IMODE(Path(".kogine/submitit").stat().st_mode) == 0o700


def test_a_killed_job_is_a_failure_that_a_retry_mends_and_leaves_no_child() -> None:
    sweep = Sweep(how=["kill"])
    [found] = Parallel(Script("train.py", sweep), on="slurm-local", retries=1, backoff=0).run()
    assert (found.status, found.value) == ("succeeded", 1)
    assert len([*Path(found.record).glob("attempts/*/end")]) >= 1
    assert nothing_is_left()


def test_a_job_that_is_preempted_goes_on_from_its_checkpoints() -> None:
    [found] = Parallel(Script("train.py", Sweep(how=["preempt"])), on="slurm-local").run()
    assert (found.status, found.value) == ("succeeded", 1)
    assert len([*Path(found.record).glob("attempts/1-*")]) == 2
    assert nothing_is_left()


def test_ctrl_c_ends_the_runs_as_it_ends_them_here() -> None:
    words = ["run", "train.py", "how=wait", "--repeat", "3", "--on", "slurm-local"]
    flow = start_flow(*words, "--workers", "2")
    wait_for(lambda: len([*Path().glob("begun-*")]) >= 2)
    os.killpg(flow.pid, signal.SIGINT)  # as a terminal does: to the processes of submitit, too
    _, told = flow.communicate(timeout=SECONDS)
    assert "2 interrupted" in told
    assert "Traceback" not in told
    logs = [one.read_text() for one in Path(".kogine/runs").glob("*/log.txt")]
    assert logs == ["loss: 0.0\nsaved\n"] * 2
    assert nothing_is_left()


@pytest.mark.parametrize(
    ("on", "told"),
    [
        pytest.param("slurm:partion=a", "Did you mean 'partition'?", id="name"),
        pytest.param("slurm:time=3m", "time is a whole number, got '3m'", id="number"),
        pytest.param("slurm-local:gpus", "gpus is a whole number, got ''", id="nothing"),
        pytest.param("slurm", "there is no sbatch on this machine", id="no SLURM"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(
    on: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    done = run_kogine(Path(), "run", "train.py", "--on", on)
    assert (done.status, told in done.stderr, Path(".kogine/runs").exists()) == (2, True, False)
