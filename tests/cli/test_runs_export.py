"""``kogine runs export``: what it prints and writes, and mistakes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.recorded import records
from tests.oracle import Finished, run_kogine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("project")
    (made / "train.py").write_text("lr = 0.1\nprint('loss:', lr)\n")
    assert run_kogine(made, "run", "train.py", "--sweep", "lr=1,2,3").status == 0
    return made


def export(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, "runs", "export", *words)


def test_csv_and_json_are_those_of_ls(folder: Path) -> None:
    for kind in ("csv", "json"):
        listed = run_kogine(folder, "runs", "ls", "--sort", "number", "--format", kind)
        assert export(folder, kind, "--where", "lr > 0") == listed
        assert export(folder, kind, "1", "2", "3") == listed


def test_a_file_is_replaced_with_force_only(folder: Path) -> None:
    assert export(folder, "csv", "1", "-o", "runs.csv") == Finished(0, "", "")
    before = (folder / "runs.csv").read_text()
    done = export(folder, "csv", "2", "-o", "runs.csv")
    assert (done.status, "exists already" in done.stderr) == (2, True)
    assert (folder / "runs.csv").read_text() == before
    assert export(folder, "csv", "2", "-o", "runs.csv", "--force").status == 0
    with open(folder / "runs.csv", newline="") as file:
        assert [row["lr"] for row in csv.DictReader(file)] == ["2.0"]


@pytest.mark.trackers
def test_parquet_is_written_and_printed(folder: Path) -> None:
    import pyarrow.parquet as parquet

    assert export(folder, "parquet", "--where", "lr > 1", "-o", "runs.parquet").status == 0
    assert parquet.read_table(folder / "runs.parquet").column("lr").to_pylist() == [2.0, 3.0]


def test_a_config_gives_the_same_run(folder: Path) -> None:
    assert export(folder, "config", "lr == 2", "-o", "again.py") == Finished(0, "", "")
    text = (folder / "again.py").read_text()
    command = text.splitlines()[1].removeprefix("# kogine ")
    assert command == "run train.py --config again.py"
    done = run_kogine(folder, *command.split(), "--record", "--resume")
    assert "1 skipped" in done.stderr
    assert len(records(folder)) == 3
    assert export(folder, "config", "lr == 2").stdout == text.replace("again.py", "THIS_FILE")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            [],
            "no format given: kogine runs export csv|json|parquet|config|mlflow|tensorboard|artifacts|dvc|lfs RUN ...",
        ),
        (
            ["xls", "1"],
            "'xls' is not one of 'csv', 'json', 'parquet', 'config', 'mlflow', 'tensorboard', 'artifacts', 'dvc', 'lfs'.",
        ),
        (["csv"], "no run given: kogine runs export csv|json"),
        (["csv", "1", "--where", "lr > 0"], "both given: RUN and --where"),
        (["config", "1", "2"], "a config is of one run: 2 are chosen"),
        (["json", "99"], "no run '99'"),
        (["csv", "1", "--force"], "--force has no effect without --output"),
        (["csv", "1", "-o", "no/such/folder.csv"], "cannot write 'no/such/folder.csv'"),
    ],
)
def test_mistakes(folder: Path, words: list[str], message: str) -> None:
    done = export(folder, *words)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_run_whose_name_is_the_start_of_another(folder: Path, tmp_path: Path) -> None:
    import shutil

    name = records(folder)[0].folder.name
    for copy in (name, f"{name}-2"):
        shutil.copytree(folder / ".kogine" / "runs" / name, tmp_path / "runs" / copy)
    done = export(tmp_path, "json", name, f"{name}-2", "--store", "runs")
    assert [one["id"] for one in json.loads(done.stdout)] == [name, f"{name}-2"]
