"""Flows on a lent Executor: threads, processes, and those of others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Parallel, Script, Sequential, Sweep
from tests.oracle import on_path

SCRIPT = """\
import os, signal, sys, time
how = "fine"
class Mine:
    n = 5
def main():
    if how == "class": return Mine
    if how == "lambda": return lambda: 6
    if how == "folder": return os.getcwd()
    if how == "nice":
        while os.getpriority(os.PRIO_PROCESS, 0) == os.getpriority(os.PRIO_PROCESS, os.getppid()):
            time.sleep(0.01)
        return os.getpriority(os.PRIO_PROCESS, 0)
    if how == "hang": time.sleep(600)
    if how == "worker": os.kill(os.getppid(), signal.SIGKILL)
    if how == "raise": raise Mine.__class__("no", (KeyError,), {})("seen")
    return "fine"
if __name__ == "__main__":
    main()
"""
KINDS = pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
Kind = Callable[[int], Executor]


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "train.py").write_text(SCRIPT)
    return str(tmp_path / "train.py")


class Cancelling(Executor):
    """Takes everything and does nothing."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.cancel()
        return future


class AtOnce(Executor):
    """Without workers."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@KINDS
def test_what_a_script_defines_comes_back(kind: Kind, script: str) -> None:
    with kind(1) as executor:
        sweep = Sweep(how=["class", "lambda", "raise"])
        made, function, failed = Parallel(Script(script, sweep), mode=executor).run()
    assert made.value.n == 5  # type: ignore[attr-defined]
    assert function.value() == 6  # type: ignore[operator]
    assert failed.error is not None
    assert (failed.error.type, failed.error.message) == ("no", "'seen'")


@KINDS
def test_the_folder_is_that_of_the_flow(
    kind: Kind, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kind(1) as executor:
        executor.submit(int).result()  # its workers are there
        monkeypatch.chdir(tmp_path)
        [found] = Sequential(Script(script, Config({"how": "folder"})), mode=executor).run()
    assert found.value == str(tmp_path)


@KINDS
def test_runs_are_nice(kind: Kind, script: str) -> None:
    with kind(1) as executor:
        config = Config({"how": "nice"})
        [found] = Parallel(Script(script, config), mode=executor, nice=3).run()
    assert found.value == os.getpriority(os.PRIO_PROCESS, 0) + 3


@KINDS
def test_the_time_that_a_run_waits_for_a_worker_does_not_count(kind: Kind, script: str) -> None:
    with kind(1) as executor:
        sweep = Sweep(how=["hang", "fine", "hang", "fine"])
        flow = Parallel(Script(script, sweep), mode=executor, max_workers=4, timeout=2)
        found = flow.run()
    assert [one.value for one in found] == [None, "fine", None, "fine"]
    assert str(found[0].error) == str(found[2].error) == "TimeoutError: took longer than 2 s"


def test_a_worker_that_is_killed_loses_its_run_alone(script: str) -> None:
    with ProcessPoolExecutor(1) as executor:
        sweep = Sweep(how=["fine", "worker", "fine"])
        found = Parallel(Script(script, sweep), mode=executor, max_workers=1).run()
    assert [one.status for one in found] == ["succeeded", "failed", "failed"]
    assert "the executor has lost it (concurrent.futures.process.BrokenProcessPool" in str(
        found[1].error
    )
    assert "could not be started" in str(found[2].error)


def test_a_run_that_the_executor_cancels_has_failed(script: str) -> None:
    [found] = Sequential(script, mode=Cancelling(), on_error="continue").run()
    assert "the executor has lost it (concurrent.futures" in str(found.error)


def test_an_executor_without_workers(script: str) -> None:
    found = Parallel(Script(script, Sweep(how=["fine", "class"])), mode=AtOnce()).run()
    assert [one.status for one in found] == ["succeeded", "succeeded"]


FLOW = """\
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from kohaku_ast import Parallel, Script, Sweep
if __name__ == "__main__":
    kind = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}[sys.argv[1]]
    with kind(2) as executor:
        script = Script("wait.py", Sweep(n=[1, 2, 3]))
        flow = Parallel(script, mode=executor, max_workers=2, record=False)
        try:
            flow.run()
        except KeyboardInterrupt:
            print(flow.summary.counts)
"""
WAIT = """\
import os, time
n = 0
try:
    os.write(1, b"begun\\n")  # in one piece: two runs write into one pipe
    for _ in range(6000): time.sleep(0.1)
except KeyboardInterrupt:
    os.write(1, b"saved\\n")
"""


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_ctrl_c_reaches_the_runs(kind: str, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "wait.py").write_text(WAIT)
    flow = subprocess.Popen(
        [sys.executable, "flow.py", kind], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": on_path()}, start_new_session=True,
    )  # fmt: skip
    assert flow.stdout is not None
    assert [flow.stdout.readline() for _ in range(2)] == ["begun\n", "begun\n"]
    os.killpg(flow.pid, signal.SIGINT)  # as a terminal does
    rest, _ = flow.communicate(timeout=600)
    assert rest == "saved\nsaved\n{'interrupted': 2}\n"
