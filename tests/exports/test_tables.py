"""Recorded runs as CSV, JSON and Parquet: the values come back, and files are whole or not there."""

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Script, Sequential
from kohaku_ast.errors import UsageError
from kohaku_ast.store.store import Store

TRAIN = """\
lr = 0.1
bs = 32
text = "plain"
shape = (1, 2)
loss = lr * bs
if bs > 100:
    raise ValueError("no memory, with \\"quotes\\" and a\\nsecond line")
print(f"step: 1 val_loss: {loss}")
"""
LONG = "x" * 5000
VALUES: list[dict[str, Any]] = [
    {"lr": 0.5, "bs": 1},
    {"lr": math.inf, "text": 'a,"b"\nc'},
    {"lr": math.nan, "bs": 256},
    {"text": LONG},
    {"bs": 2**80, "shape": [3, 4]},
    {"text": Path("out"), "shape": None},
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("project")
    (folder / "train.py").write_text(TRAIN)
    configs = [Config(values, outputs=["loss"]) for values in VALUES]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Sequential([Script("train.py", configs)], mode="inline", on_error="continue").run()
    return Store(folder / ".kogine" / "runs")


def test_csv_has_every_value(store: Store, tmp_path: Path) -> None:
    store.export(store.runs()[::-1], tmp_path / "runs.csv")
    with open(tmp_path / "runs.csv", newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    assert [row["lr"] for row in rows[:3]] == ["0.5", "inf", "nan"]
    assert rows[1]["text"] == 'a,"b"\nc'
    assert rows[3]["text"] == LONG
    assert rows[4]["bs"] == str(2**80)
    assert [json.loads(row["shape"]) for row in rows[3:5]] == [[1, 2], [3, 4]]
    assert "ValueError: no memory" in rows[2]["error"]
    assert [row["status"] for row in rows].count("failed") == 2
    assert float(rows[0]["val_loss"]) == float(rows[0]["loss"]) == 0.5


def test_json_has_every_value(store: Store, tmp_path: Path) -> None:
    store.export(store.runs()[::-1], tmp_path / "runs.json")
    found = json.loads((tmp_path / "runs.json").read_text())
    assert [one["params"]["lr"] for one in found[:3]] == [0.5, "inf", "nan"]
    assert found[3]["params"]["text"] == LONG
    assert found[4]["params"]["bs"] == 2**80
    assert found[0]["metrics"]["val_loss"]["last"] == 0.5
    assert [one["number"] for one in found] == [1, 2, 3, 4, 5, 6]


@pytest.mark.trackers
def test_parquet_has_every_value(store: Store, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    store.export(store.runs()[::-1], tmp_path / "runs.parquet")
    rows = parquet.read_table(tmp_path / "runs.parquet").to_pylist()
    assert [row["lr"] for row in rows[:2]] == [0.5, math.inf]
    assert math.isnan(rows[2]["lr"])
    assert rows[3]["text"] == LONG
    assert rows[4]["bs"] == str(2**80), "no type of Parquet holds it: the column is JSON"
    assert json.loads(rows[4]["shape"]) == [3, 4]
    assert (rows[0]["loss"], rows[0]["exit_status"]) == (0.5, 0)


def test_no_runs(store: Store, tmp_path: Path) -> None:
    for kind in ("csv", "json"):
        store.export(store.runs(where="lr > 100 and lr < 101"), tmp_path / f"runs.{kind}")
    assert (tmp_path / "runs.csv").read_text().startswith("number,id,")
    assert (tmp_path / "runs.json").read_text() == "[]\n"


@pytest.mark.trackers
def test_parquet_of_no_runs(store: Store, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    store.export(store.runs(where="lr > 100 and lr < 101"), tmp_path / "runs.parquet")
    assert parquet.read_table(tmp_path / "runs.parquet").num_rows == 0


def test_parquet_without_pyarrow(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r'needs pyarrow: pip install "kohaku-ast\[parquet\]"'):
        store.export(1, tmp_path / "runs.parquet")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        pytest.param("runs.xls", "", "unknown kind of export '' .expected one of: csv", id="end"),
        pytest.param("runs.csv", "cvs", "Did you mean 'csv'", id="kind"),
        pytest.param("no/runs.csv", "", "cannot write '.*runs.csv': No such file", id="folder"),
        pytest.param(".", "csv", "cannot write", id="a folder"),
    ],
)
def test_mistakes(store: Store, tmp_path: Path, name: str, kind: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        store.export([1, 2], tmp_path / name, kind)
    assert [*tmp_path.iterdir()] == []


def test_a_full_disk_leaves_the_old_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs.csv").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match=r"cannot write .*No space left"):
            store.export(1, tmp_path / "runs.csv")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("runs.csv", "old")]
