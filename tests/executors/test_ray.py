"""Flows on a Ray cluster that kogine did not start, by Ray Client."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
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
from tests.oracle import on_path, run_kogine

pytestmark = pytest.mark.ray
_SECONDS = 90

TRAIN = (
    """\
import os, signal, sys, time
n, how = 0, "fine"
print(f"loss: {n / 2}", flush=True)
open("worker", "w").write(open(f"/proc/{os.getppid()}/cmdline").read())
"""
    + KILLS_ITS_WORKER
    + HOWS
    + """\
def main(): return n
if __name__ == "__main__": main()
"""
)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``ray://HOST:PORT`` of a cluster with room for two runs."""
    folder, port = tmp_path_factory.mktemp("ray"), free_port()
    # Who has it may run code there: Ray asks for it, of late.
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex}
    os.environ.update(token)
    words = [
        "start", "--head", "--block", "--num-cpus=2", "--include-dashboard=false",
        "--node-ip-address=127.0.0.1", f"--port={free_port()}",
        f"--ray-client-server-port={port}", "--disable-usage-stats",
    ]  # fmt: skip
    head = subprocess.Popen(
        [str(Path(sys.executable).with_name("ray")), *words], cwd=folder, start_new_session=True,
        env={**os.environ, "PYTHONPATH": on_path()}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    own = psutil.Process(head.pid)
    try:
        wait_for(lambda: answers(port), _SECONDS)
        yield f"ray://127.0.0.1:{port}"
    finally:
        # Not `ray stop`: it ends every Ray on the machine.
        for one in [*own.children(recursive=True), own]:
            one.kill()
        head.wait()


@pytest.fixture(autouse=True)
def _script(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)


def test_a_sweep_with_a_failure(address: str) -> None:
    done = run_kogine(Path(), "run", "train.py", "how=fail", "--sweep", "n=1,2,3", "--on", address)
    assert (done.status, "2 succeeded, 1 failed" in done.stderr) == (1, True), done
    found = facts()
    assert {one["metrics"]["loss"]["last"] for one in found} == {0.5, 1.0, 1.5}
    assert {one["worker"].rpartition(":")[0] for one in found} == {os.uname().nodename}
    assert Path("worker").read_text().startswith("ray::")
    again = run_kogine(Path(), "run", "train.py", "how=fail", "--sweep", "n=1,2,3", "--resume")
    assert "3 skipped" in again.stderr


def test_a_killed_worker_loses_no_run_and_leaves_no_child(address: str) -> None:
    configs = [Config({"n": n, "how": "kill" if n == 2 else "fine"}) for n in (1, 2, 3)]
    found = Parallel(Script("train.py", configs), on=address).run()
    assert [one.value for one in found] == [1, 2, 3]
    assert none_is_left()
    assert len([*Path(".kogine/runs").glob("*/attempts/1/end")]) == 3
    assert len([*Path(found[1].record).glob("attempts/1-*")]) == 2


def test_ctrl_c_ends_the_runs_of_this_flow(address: str) -> None:
    words = ["run", "train.py", "how=wait", "--repeat", "3", "--on", address, "--workers", "3"]
    flow = start_flow(*words)
    wait_for(lambda: len([*Path().glob("begun-*")]) == 2, _SECONDS)
    flow.send_signal(signal.SIGINT)
    _, told = flow.communicate(timeout=_SECONDS)
    assert "3 interrupted" in told
    wait_for(lambda: not children(), _SECONDS)
    logs = [one.read_text() for one in Path(".kogine/runs").glob("*/log.txt")]
    assert sorted(logs) == ["", "loss: 0.0\nsaved\n", "loss: 0.0\nsaved\n"]


def test_two_hundred_runs(address: str) -> None:
    found = Parallel(Script("train.py", Sweep(n=range(200))), on=address).run()
    assert [one.value for one in found] == [*range(200)]


def test_where_no_cluster_answers() -> None:
    done = run_kogine(Path(), "run", "train.py", "--on", "ray://127.0.0.1:1,gpus=x")
    assert (done.status, "gpus is a number, got 'x'" in done.stderr) == (2, True)
