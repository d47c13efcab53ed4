"""Flows on a Ray cluster that kogine did not start, by Ray Client."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohaku_ast import Config, Parallel, Script, Sweep
from tests.executors.cluster_runs import (
    HOWS,
    KILLS_ITS_WORKER,
    children,
    facts,
    none_is_left,
    start_flow,
    wait_for,
)
from tests.executors.ray_cluster import ray_cluster
from tests.oracle import run_kogine

pytestmark = pytest.mark.ray
_SECONDS = 90

TRAIN = (
    """\
import os, signal, sys, time
n, how = 0, "fine"
print(f"loss: {n / 2}", flush=True)
worker, = [line for line in open(f"/proc/{os.getppid()}/status") if line.startswith("PPid")]
print("raylet", worker.split()[1], open(f"/proc/{os.getppid()}/cmdline").read(), flush=True)
"""
    + KILLS_ITS_WORKER
    + HOWS
    + """\
def main(): return n
if __name__ == "__main__": main()
"""
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ray_cluster() as found:
        yield found


@pytest.fixture(autouse=True)
def _script(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)


def test_smoke(address: str) -> None:
    done = run_kogine(Path(), "run", "train.py", "how=fail", "--sweep", "n=1,2,3", "--on", address)
    assert (done.status, "2 succeeded, 1 failed" in done.stderr) == (1, True), done
    found = facts()
    assert {one["metrics"]["loss"]["last"] for one in found} == {0.5, 1.0, 1.5}
    assert {one["worker"].rpartition(":")[0] for one in found} == {os.uname().nodename}
    logs = [one.read_text().split() for one in Path(".kogine/runs").glob("*/log.txt")]
    assert {one[4].partition("::")[0] for one in logs} == {"ray"}
    again = run_kogine(Path(), "run", "train.py", "how=fail", "--sweep", "n=1,2,3", "--resume")
    assert "3 skipped" in again.stderr


def test_a_killed_worker_loses_no_run_and_leaves_no_child(address: str) -> None:
    configs = [Config({"n": n, "how": "kill" if n == 2 else "fine"}) for n in (1, 2, 3)]
    found = Parallel(Script("train.py", configs), on=address).run()
    assert [one.value for one in found] == [1, 2, 3]
    assert none_is_left()
    assert len([*Path(".kogine/runs").glob("*/attempts/1/end")]) == 3
    assert len([*Path(found[1].record).glob("attempts/1-*")]) == 2


def test_ctrl_c_ends_what_this_flow_has_started_and_nothing_else(address: str) -> None:
    flows = []
    for n in (1, 2):  # each takes one of the two nodes; of the second flow a run waits
        words = ["run", "train.py", f"n={n}", "how=wait", "--repeat", str(n), "--workers", "2"]
        flows.append(start_flow(*words, "--on", address))
        wait_for(lambda: len([*Path().glob("begun-*")]) == n, _SECONDS)  # noqa: B023
    flows[1].send_signal(signal.SIGINT)
    _, told = flows[1].communicate(timeout=_SECONDS)
    assert "2 interrupted" in told
    wait_for(lambda: len(children()) == 1, _SECONDS)
    flows[0].send_signal(signal.SIGINT)
    _, told = flows[0].communicate(timeout=_SECONDS)
    assert "1 interrupted" in told
    assert none_is_left()
    logs = [one.read_text() for one in Path(".kogine/runs").glob("*/log.txt")]
    assert len([one for one in logs if one.endswith("saved\n")]) == 2


def test_a_run_that_takes_too_long_is_ended(address: str) -> None:
    [found] = Parallel(Script("train.py", Sweep(how=["wait"])), on=address, timeout=1).run()
    assert str(found.error) == "TimeoutError: took longer than 1 s"
    assert none_is_left()


def test_a_thousand_runs(address: str) -> None:
    found = Parallel(Script("train.py", Sweep(n=range(1000))), on=address).run()
    assert [one.value for one in found] == [*range(1000)]
    assert len([*Path(".kogine/runs").glob("*/attempts/1/end")]) == 1000
    logs = [one.read_text().split() for one in Path(".kogine/runs").glob("*/log.txt")]
    assert len({one[3] for one in logs}) == 2  # each node has a raylet


def test_where_no_cluster_answers() -> None:
    done = run_kogine(Path(), "run", "train.py", "--on", "ray://127.0.0.1:1,gpus=x")
    assert (done.status, "gpus is a number, got 'x'" in done.stderr) == (2, True)
