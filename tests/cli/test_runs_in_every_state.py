"""Each command of ``kogine runs`` on real runs in every state."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.cli.recorded import started
from tests.oracle import Finished, run_kogine
from tests.store.flows import wait_for

SCRIPT = """\
import os, time
lr = 0.1
end = ""
print(f"loss: {lr}", flush=True)
if end == "wait" and "GO_ON" not in os.environ:
    time.sleep(600)
if end == "raise":
    raise ValueError("no")
"""
STATES = ["succeeded", "failed", "interrupted", "lost", "running"]
"""Of the runs 1 to 5."""


def kogine(folder: Path, *words: str, **environment: str) -> Finished:
    return run_kogine(folder, "runs", *words, **environment)


def waiting(folder: Path, lr: float) -> subprocess.Popen[str]:
    before = len([*folder.glob(".kogine/runs/*/metrics.jsonl")])
    words = ("run", "--record", "train.py", f"lr={lr}", "end=wait")
    flow = started(folder, *words, start_new_session=True)
    wait_for(lambda: len([*folder.glob(".kogine/runs/*/metrics.jsonl")]) > before or None)
    return flow


def kill(flow: subprocess.Popen[str]) -> None:
    """Kill the flow, and then its run: a flow that saw the end of its run would record that."""
    children = psutil.Process(flow.pid).children(recursive=True)
    flow.kill()
    flow.wait()
    for one in children:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    flow.communicate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("states")
    (made / "train.py").write_text(SCRIPT)
    assert run_kogine(made, "run", "--record", "train.py", "lr=1").status == 0
    assert run_kogine(made, "run", "--record", "train.py", "lr=2", "end=raise").status == 1
    interrupted = waiting(made, 3)
    os.killpg(interrupted.pid, signal.SIGINT)
    interrupted.communicate()
    kill(waiting(made, 4))
    running = waiting(made, 5)
    yield made
    kill(running)


def test_what_reads(folder: Path) -> None:
    rows = json.loads(kogine(folder, "ls", "--sort", "number", "--json").stdout)
    assert [one["status"] for one in rows] == STATES
    assert [one["metrics"]["loss"]["last"] for one in rows] == [1, 2, 3, 4, 5]
    table = kogine(folder, "compare", "1", "2", "3", "4", "5", "--format", "csv").stdout
    assert [line.split(",")[2] for line in table.splitlines()[1:]] == STATES
    exported = json.loads(kogine(folder, "export", "json", "1", "2", "3", "4", "5").stdout)
    assert [one["status"] for one in exported] == STATES
    best = [kogine(folder, "best", "max:loss", "--json", *more) for more in ([], ["--any-status"])]
    assert [json.loads(one.stdout)["number"] for one in best] == [1, 5]
    for number, state in enumerate(STATES, 1):
        shown = json.loads(kogine(folder, "show", str(number), "--json").stdout)
        assert (shown["status"], shown["params"]["lr"]["json"]) == (state, number)
    logs = [kogine(folder, "logs", str(number)).stdout for number in (2, 4, 5)]
    assert [one.splitlines()[0] for one in logs] == ["loss: 2.0", "loss: 4.0", "loss: 5.0"]
    assert "lr" in kogine(folder, "diff", "1", "5").stdout
    assert kogine(folder, "verify").status == 0


def test_what_changes(folder: Path) -> None:
    for number in ("2", "3", "4", "5"):
        assert kogine(folder, "tag", number, "odd").stdout == f"run {number}: odd\n"
    assert kogine(folder, "reindex").stdout == "5 runs in the index\n"
    (folder / ".kogine/runs/index.db").unlink()
    rows = json.loads(kogine(folder, "ls", "--where", "'odd' in tags", "--json").stdout)
    assert [one["status"] for one in rows] == STATES[:0:-1]
    stopped = [kogine(folder, "stop", str(one)).status for one in (1, 2, 3, 4)]
    assert stopped == [2] * 4
    assert kogine(folder, "rm", "1", "5").status == 2
    assert kogine(folder, "rm", "2", "3", "4").stdout.startswith("3 runs removed.")
    assert kogine(folder, "restore", "--all").stdout == "3 runs restored.\n"
    assert kogine(folder, "gc").stdout.endswith("freed: 0 runs and 0 objects.\n")


def test_what_runs_again(folder: Path) -> None:
    for number in (3, 4):
        found = json.loads(kogine(folder, "reproduce", str(number), "--json", GO_ON="1").stdout)
        assert "metrics.loss" in found["equal"]
        assert found["different"]["status"] == [STATES[number - 1], "succeeded"]
    assert kogine(folder, "repeat", "2").status == 1
    assert kogine(folder, "repeat", "5", GO_ON="1").stdout == "loss: 5.0\n"
    assert kogine(folder, "stop", "5").stdout.endswith("has ended.\n")
    assert json.loads(kogine(folder, "show", "5", "--json").stdout)["status"] != "running"
