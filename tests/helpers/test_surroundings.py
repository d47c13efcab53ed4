"""One script in all surroundings: alone, under kogine, in the workers of a sweep, as the node of a
pipeline and in a notebook. Its values, what it logs and its checkpoints are the same.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from kohaku_ast import Store
from kohaku_ast.store.record import Record
from tests.notebook.test_notebook import write_kernel
from tests.oracle import on_path, run_kogine, run_python

PROBE = """\
import asyncio
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor

from kohaku_ast.helpers import (
    CurrentRun, checkpoints, current_run, device, enter_run, logger, process, progress_bar,
)

lr = 0.25


@process
def train(lr):
    random.seed(7)
    weight = random.random()
    for epoch in progress_bar(range(4), desc="train"):
        weight -= lr * weight
        logger.log({"loss": weight, "val": {"acc": epoch / 4}})
        checkpoints.save({"weight": weight}, step=epoch, result=weight)
    thread = threading.Thread(target=lambda: logger.log({"thread": weight}, step=9))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(logger.log, {"executor": weight}, 9).result()

    async def log():
        logger.log({"task": weight}, step=9)

    loop = asyncio.new_event_loop()  # asyncio.run refuses in a notebook, where a loop is running
    coroutine = asyncio.to_thread(asyncio.run, log())
    thread = threading.Thread(target=loop.run_until_complete, args=(coroutine,))
    thread.start()
    thread.join()
    loop.close()
    outer = current_run()
    with enter_run(CurrentRun()):
        logger.log({"lost": 1})
        with enter_run(CurrentRun(index=3)):
            inner = current_run().index
    same = current_run() is outer
    best = checkpoints.best()
    print(json.dumps([weight, str(device()), inner, same, best.step, best.load(), len(checkpoints.every())]))
    return weight


if __name__ == "__main__":
    train(lr)
"""
FLOW = """\
from kohaku_ast import Pipeline
from probe import train

pipeline = Pipeline([train], engine="ENGINE")
"""
WAYS = {
    "python": ["probe.py"],
    "kogine": ["run", "--record", "probe.py"],
    "spawned worker": ["run", "probe.py", "--mode", "spawn"],
    "warm worker": ["run", "probe.py", "--mode", "warm"],
    "node": ["pipeline", "run", "sequential.py", "lr=0.25"],
    "node in a worker": ["pipeline", "run", "parallel.py", "lr=0.25"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "probe.py").write_text(PROBE)
    for engine in ("sequential", "parallel"):
        (tmp_path / f"{engine}.py").write_text(FLOW.replace("ENGINE", engine))
    return tmp_path


def logged(record: Record) -> list[tuple[int, str, float]]:
    lines = map(json.loads, (record.folder / "metrics.jsonl").read_text().splitlines())
    return [
        (one["step"], name, value)
        for one in lines
        if one.get("logged") and "metrics" in one
        for name, value in one["metrics"].items()
    ]


def saved(*folders: Path) -> dict[str, object]:
    return {
        path.name: pickle.loads(path.read_bytes())
        for folder in folders
        for path in sorted(folder.rglob("*.ckpt"))
    }


def in_notebook(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The line that the probe prints in a cell, and the html of its bar."""
    write_kernel(folder)
    monkeypatch.setenv("JUPYTER_PATH", str(folder))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    monkeypatch.setenv("PYTHONPATH", on_path())
    monkeypatch.delenv("KOGINE_STANDALONE", raising=False)  # of a test that logs in this process
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PROBE)])
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="under-test").execute(
        cwd=str(folder)
    )
    outputs: list[Any] = notebook.cells[0].outputs
    printed = "".join(one["text"] for one in outputs if one["output_type"] == "stream")
    [bar] = [one["data"] for one in outputs if one["output_type"] == "display_data"]
    return printed, bar["text/html"]


@pytest.mark.filterwarnings("ignore")  # nbclient and its dependencies warn of each other
def test_a_probe_gives_the_same_everywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed: dict[str, str] = {}
    for way, words in WAYS.items():
        run = run_python if way == "python" else run_kogine
        done = run(folder, *words, PYTHONPATH=on_path())
        assert done.status == 0, (way, done)
        printed[way] = next(line for line in done.stdout.splitlines() if line[0] == "[")
    text, bar = in_notebook(folder, monkeypatch)
    printed["notebook"] = text.strip()
    assert 'value="1.0000" max="1"></progress>' in bar
    assert "train" in bar
    weight = json.loads(printed["python"])[0]
    assert printed == dict.fromkeys(
        printed, json.dumps([weight, "cpu", 3, True, 3, {"weight": weight}, 3])
    )
    records = [*Store().runs(sort="number")]
    assert len(records) == len(printed)
    for record in records:
        points = logged(record)
        assert points == logged(records[0]), record.folder
        assert {name for _, name, _ in points} == {"loss", "val/acc", "thread", "executor", "task"}
    statuses = [record.status for record in records]
    assert statuses[:-1] == ["succeeded"] * len(WAYS)
    assert statuses[-1] in ("succeeded", "running", "lost")  # a kernel may be killed at its end
    files = [record.folder / "files" / "checkpoints" for record in records]
    own = [saved(one) for one in files if one.exists()]
    alone = [saved(one) for one in sorted((folder / "checkpoints").iterdir())]
    assert len(own) + len(alone) == len(records)
    assert all(one == own[0] for one in [*own, *alone])
    assert len(own[0]) == 3
