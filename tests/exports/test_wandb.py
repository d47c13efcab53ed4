"""The example for W&B in the docs: with a stand-in that writes down its calls, and with W&B."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from kohaku_ast.store.store import Store
from tests.oracle import on_path, run_kogine

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "hand-over.md"
TRAIN = """\
from pathlib import Path
lr = 0.1
for epoch in range(3):
    print(f"epoch: {epoch} loss: {lr / (epoch + 1)} bound: inf")
Path("best.pt").write_text(f"weights {lr}")
assert lr < 0.3
"""
STAND_IN = """\
import json
calls = []
class Run:
    def __getattr__(self, name):
        return lambda *args, **kwargs: calls.append([name, args, kwargs])
class Artifact(Run):
    def __init__(self, *args, **kwargs):
        calls.append(["Artifact", args, kwargs])
    def __repr__(self):
        return "artifact"
def init(**kwargs):
    calls.append(["init", [], kwargs])
    return Run()
import atexit
atexit.register(lambda: open("calls.json", "w").write(json.dumps(calls, default=repr)))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    block = re.search(r"^```python\n# (to_wandb\.py)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert block is not None
    (tmp_path / block[1]).write_text(block[2])
    (tmp_path / "train.py").write_text(TRAIN)
    words = ["--sweep", "lr=0.1,0.2,0.4", "--artifacts", "*.pt"]
    assert run_kogine(tmp_path, "run", "train.py", *words).status == 1
    return tmp_path


def export(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": on_path(), "WANDB_SILENT": "true"}
    done = subprocess.run(
        [sys.executable, "to_wandb.py"], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_each_run_is_handed_over(folder: Path) -> None:
    (folder / "wandb.py").write_text(STAND_IN)
    export(folder)
    calls = json.loads((folder / "calls.json").read_text())
    runs = Store(folder / ".kogine" / "runs").runs(where="lr > 0.1")
    begun = [one for name, _, one in calls if name == "init"]
    assert [(one["id"], one["config"]["lr"]) for one in begun] == [
        (run.folder.name, run.params["lr"]) for run in runs
    ]
    logged = [args[0] for name, args, _ in calls if name == "log"]
    assert [one["loss"] for one in logged[:3]] == pytest.approx([0.4, 0.2, 0.4 / 3])
    assert (logged[2]["step"], logged[2]["bound"], len(logged)) == (2, float("inf"), 6)
    files = [Path(args[0]).read_text() for name, args, _ in calls if name == "add_file"]
    assert files == ["weights 0.4", "weights 0.2"]
    assert [one for name, _, one in calls if name == "finish"] == [
        {"exit_code": 1},
        {"exit_code": 0},
    ]


@pytest.mark.trackers
@pytest.mark.skipif(find_spec("wandb") is None, reason="25 s to install, more than CI has")
def test_wandb_itself_takes_them(folder: Path) -> None:
    export(folder)
    assert len([*(folder / "wandb").glob("offline-run-*/*.wandb")]) == 2
