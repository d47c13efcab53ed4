"""A real sweep, and what its files say: for tests of figures and reports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Script, Sequential, Store

TRAIN = """\
import math

lr = 0.1
bs = 16
optimizer = "sgd"
if bs == 64 and lr == 1.0:
    raise RuntimeError(f"out of memory: {bs * 1024} bytes at <b>lr</b> {lr}")
for epoch in range(12):
    loss = math.exp(-lr * epoch) + 1 / bs + 0.05 * math.sin(epoch * bs)
    if lr == 0.01 and epoch == 3:
        loss = math.nan
    print(f"epoch: {epoch} loss: {loss:.5f} acc: {1 - loss:.5f}")
"""
SWEEP: list[dict[str, Any]] = [
    {"lr": lr, "bs": bs, "optimizer": optimizer}
    for lr in (0.01, 0.1, 1.0)
    for bs in (16, 64)
    for optimizer in ("sgd", "<script>alert(1)</script>")
]


@dataclass(frozen=True)
class Files:
    """What the files of one run say."""

    id: str
    status: str
    params: dict[str, Any]
    metrics: dict[str, Any]
    #: The lines of metrics.jsonl.
    points: list[dict[str, Any]]

    def series(self, metric: str) -> tuple[list[Any], list[Any]]:
        """Steps and numbers; None for what is no finite number."""
        own = [one for one in self.points if metric in one["metrics"]]
        numbers = [one["metrics"][metric] for one in own]
        return [one["step"] for one in own], [
            None if isinstance(one, str) else one for one in numbers
        ]


def read_files(root: Path) -> dict[str, Files]:
    """Folder -> what it says, read without our functions."""
    found = {}
    for path in sorted(root.glob("*/run.json")):
        facts = json.loads(path.read_text())
        series = path.with_name("metrics.jsonl")
        lines = series.read_text().splitlines() if series.exists() else []
        params = {name: one["json"] for name, one in facts["params"].items()}
        found[path.parent.name] = Files(
            path.parent.name, facts["status"], params, facts["metrics"], [*map(json.loads, lines)]
        )
    return found


def run_sweep(folder: Path) -> Store:
    """The store of a sweep of twelve runs in *folder*; two have failed with one error."""
    (folder / "train.py").write_text(TRAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        configs = [Config(values) for values in SWEEP]
        Sequential(
            [Script("train.py", configs)], mode="inline", on_error="continue", progress=False
        ).run()
    return Store(folder / ".kogine" / "runs")
