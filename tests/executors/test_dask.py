"""Flows on a Dask scheduler with two worker processes, which kogine did not start."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kohaku_ast import Config, Parallel, Script, Sweep
from tests.executors.cluster_runs import (
    HOWS,
    KILLS_ITS_WORKER,
    SECONDS,
    children,
    facts,
    none_is_left,
    start_flow,
    wait_for,
)
from tests.executors.dask_cluster import dask_cluster
from tests.oracle import run_kogine

pytestmark = pytest.mark.dask

TRAIN = (
    """\
import os, signal, sys, time, helper
n, how = 0, "fine"
print(f"loss: {n / 2}", flush=True)
"""
    + KILLS_ITS_WORKER
    + HOWS
    + """\
def main(): return n
if __name__ == "__main__": main()
"""
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as found:
        yield found


@pytest.fixture(autouse=True)
def _script(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "helper.py").write_text("")


def test_smoke(address: str) -> None:
    done = run_kogine(Path(), "run", "train.py", "how=fail", "--sweep", "n=1,2,3", "--on", address)
    assert (done.status, "2 succeeded, 1 failed" in done.stderr) == (1, True), done
    found = facts()
    assert [one["status"] for one in found] == ["succeeded", "failed", "succeeded"]
    assert [one["metrics"]["loss"]["last"] for one in found] == [0.5, 1.0, 1.5]
    for one in found:
        host, _, pid = one["worker"].rpartition(":")
        assert host == os.uname().nodename
        assert "dask" in " ".join(psutil.Process(int(pid)).parent().cmdline())
    again = run_kogine(Path(), "run", "train.py", "how=fail", "--sweep", "n=1,2,3", "--resume")
    assert "3 skipped" in again.stderr


def test_smoke_of_pipelines(address: str) -> None:
    Path("flow.py").write_text(
        "from kohaku_ast import Pipeline, node\n\nclass Point:\n    x = 2\n\n"
        "@node('y')\ndef double(n: int): print('at', n); return Point.x * n\n\n"
        "pipeline = Pipeline([double])\n"
    )
    done = run_kogine(Path(), "pipeline", "run", "flow.py", "n=3", "--on", address)
    assert (done.status, done.stdout) == (0, "y = 6\n"), done
    [found] = facts()
    host, _, pid = found["nodes"][0]["workers"][0].rpartition(":")
    assert host == os.uname().nodename
    assert "dask" in " ".join(psutil.Process(int(pid)).parent().cmdline())
    [log] = Path(".kogine/runs").glob("*/log.txt")
    assert log.read_text() == "at 3\n"


def test_a_killed_worker_loses_no_run_and_leaves_no_child(address: str) -> None:
    configs = [Config({"n": n, "how": "kill" if n == 2 else "fine"}) for n in (1, 2, 3, 4)]
    found = Parallel(Script("train.py", configs), on=address).run()
    assert [one.value for one in found] == [1, 2, 3, 4]
    assert none_is_left()
    published = [*Path(".kogine/runs").glob("*/attempts/1/end")]
    assert len(published) == 4
    assert len([*Path(found[1].record).glob("attempts/1-*")]) == 2
    logs = [Path(one.log).read_text() for one in found]
    assert logs == [f"loss: {n / 2}\n" for n in (1, 2, 3, 4)]


def test_ctrl_c_ends_what_this_flow_has_started_and_nothing_else(address: str) -> None:
    flows = []
    for n in (1, 2):  # each takes one of the two workers; the second waits for a free one
        words = ["run", "train.py", f"n={n}", "how=wait", "--repeat", str(n), "--on", address]
        flows.append(start_flow(*words))
        wait_for(lambda: len([*Path().glob("begun-*")]) == n)  # noqa: B023
    flows[1].send_signal(signal.SIGINT)
    _, told = flows[1].communicate(timeout=SECONDS)
    assert "2 interrupted" in told
    assert len(wait_for(children)) == 1
    flows[0].send_signal(signal.SIGINT)
    _, told = flows[0].communicate(timeout=SECONDS)
    assert "1 interrupted" in told
    assert children() == []
    logs = [one.read_text() for one in Path(".kogine/runs").glob("*/log.txt")]
    assert sorted(logs) == ["", "loss: 0.5\nsaved\n", "loss: 1.0\nsaved\n"]


def test_a_run_that_takes_too_long_is_ended(address: str) -> None:
    [found] = Parallel(Script("train.py", Sweep(how=["wait"])), on=address, timeout=1).run()
    assert str(found.error) == "TimeoutError: took longer than 1 s"
    assert children() == []


RESUMED = """\
import os, time
from kohaku_ast.helpers import checkpoints
n = 0
step = checkpoints.load(0) + 1
checkpoints.save(step, step)
print(f"step: {step}", flush=True)
if step != dict([(1, 1), (2, 2), (3, 3)])[n]:
    open(f"waits-{n}-{step}", "w")
    time.sleep(600)
"""


def test_a_sweep_goes_on_there_and_back_here_from_its_checkpoints(address: str) -> None:
    Path("resumed.py").write_text(RESUMED)
    words = ["run", "resumed.py", "--sweep", "n=1,2,3", "--workers", "1"]
    for mark, more in {
        "waits-2-1": (),
        "waits-3-1": ("--resume", "--on", address),
        "waits-3-2": ("--resume",),
    }.items():
        flow = start_flow(*words, *more)
        wait_for(Path(mark).exists)
        flow.send_signal(signal.SIGINT)
        assert "1 interrupted" in flow.communicate(timeout=SECONDS)[1]
    done = run_kogine(Path(), *words, "--resume", "--on", address)
    assert "1 succeeded, 2 skipped" in done.stderr
    ended = [one for one in facts() if one["status"] == "succeeded"]
    assert [one["params"]["n"]["json"] for one in ended] == [1, 2, 3]
    assert [one["metrics"]["step"]["last"] for one in ended] == [1, 2, 3]
    assert [bool(one.get("worker")) for one in ended] == [False, True, True]


def test_a_thousand_runs(address: str) -> None:
    found = Parallel(Script("train.py", Sweep(n=range(1000))), on=address).run()
    assert [one.value for one in found] == [*range(1000)]
    assert len([*Path(".kogine/runs").glob("*/attempts/1/end")]) == 1000
    assert len({one.worker for one in found}) == 2
