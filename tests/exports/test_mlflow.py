"""Runs in MLflow, read by MLflow's own client: all that a record has, once, also by two at once."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from kohaku_ast import Config, Script, Sequential
from kohaku_ast.errors import UsageError
from kohaku_ast.exports.mlflow import metric_names
from kohaku_ast.exports.series import Point, points_of
from kohaku_ast.store.store import Store
from tests.cli.recorded import started
from tests.oracle import run_kogine
from tests.pipeline.recorded import write_flow

TRAIN = """\
import os
from pathlib import Path
lr = 0.1
bs = 32
class Args:
    depth = 3
def main(epochs=3):
    for epoch in range(epochs):
        print(f"epoch: {epoch} val/loss: {lr / (epoch + 1)} acc@1: 0.5")
if __name__ == "__main__":
    Path(os.environ["KOGINE_RUN_DIR"], "model.pt").write_text(f"weights {lr}")
    os.path.isdir("ckpt") or os.mkdir("ckpt")
    Path("ckpt", "last.pt").write_text(f"last {lr}")
    print("bound: inf")
    main()
    if bs > 100:
        raise ValueError("no memory")
"""
VALUES: list[dict[str, Any]] = [
    {"lr": 0.5, "main(epochs)": 4},
    {"bs": 256},
    {"lr": "x" * 7000, "main(epochs)": 0},
]


def project(folder: Path) -> Store:
    (folder / "train.py").write_text(TRAIN)
    configs = [Config(values, outputs=["bs"], metadata={"who": "me"}) for values in VALUES]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        artifacts = ["ckpt", "*.pt"]
        Sequential([Script("train.py", configs)], on_error="continue", artifacts=artifacts).run()
    return Store(folder / ".kogine" / "runs")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return project(tmp_path_factory.mktemp("project"))


# --- without MLflow ------------------------------------------------------------------------------


def test_points_have_steps_and_times(store: Store) -> None:
    record = store.find(1)
    points = [*points_of(record)]
    losses = [one for one in points if one.name == "val/loss"]
    assert [(one.value, one.step) for one in losses] == [(0.5 / n, n - 1) for n in (1, 2, 3, 4)]
    assert all(record.started <= one.time <= (record.ended or 0) + 1 for one in losses)
    assert points[-1]._replace(time=0) == Point("bs", 32, 0, 0), "an output that is a number"


def test_steps_that_are_no_integers_are_counted(tmp_path: Path) -> None:
    text = "for e in (0.25, 0.5, 1.0): print({'loss': 1.0, 'epoch': e})\n"
    (tmp_path / "train.py").write_text(text)
    run_kogine(tmp_path, "run", "train.py", "--record")
    points = points_of(Store(tmp_path / ".kogine" / "runs").find("last"))
    assert [one.step for one in points if one.name == "loss"] == [0, 1, 2]


def test_names_are_those_that_mlflow_takes() -> None:
    names = ["val/loss", "acc@1", "acc%1", "/a", "a//b", "../x", "..", "e" * 300, "東"]
    found = metric_names([Point(name, 0, 0, 0) for name in names])
    assert [*found.values()] == [
        "val/loss", "acc_1", "acc_1_2", "_a", "a__b", "_.._x", "_..", "e" * 240, "東",
    ]  # fmt: skip


def test_without_the_library(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(UsageError, match=r'needs mlflow: pip install "kohaku-ast\[mlflow\]"'):
        store.export(1, tmp_path / "tracking", "mlflow")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["mlflow"], "no run given", id="no run"),
        pytest.param(
            ["mlflow", "1", "-o", "x", "--force"], "has no effect with mlflow", id="force"
        ),
        pytest.param(["mlflow", "1", "-o", "train.py"], "cannot make the folder", id="a file"),
        pytest.param(["mlflow", "1", "-o", "a?b"], "takes no ?, # or %", id="characters"),
        pytest.param(["mlflow", "--where", "lr > 99"], "no run fits", id="no run fits"),
    ],
)
def test_mistakes(store: Store, words: list[str], message: str) -> None:
    done = run_kogine(store.root.parents[1], "runs", "export", *words)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def test_it_is_no_text(store: Store) -> None:
    with pytest.raises(UsageError, match="mlflow is no file: use export"):
        store.exported(1, "mlflow")


# --- with MLflow ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(store: Store) -> Any:
    """MLflow's client of the store that all runs were exported to, by two processes at once."""
    folder = store.root.parents[1]
    words = ["runs", "export", "mlflow", "--where", "seconds >= 0", "-o", "tracking"]
    both = [started(folder, *words) for _ in range(2)]
    ends = [(*one.communicate(), one.returncode) for one in both]
    place = f"3 runs in sqlite:///{folder}/tracking/mlflow.db"
    assert sorted(ends) == [(f"{place}: 3 new\n", "", 0), (f"{place}: 3 unchanged\n", "", 0)]
    return client(folder / "tracking")


def client(folder: Path) -> Any:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    return pytest.importorskip("mlflow").MlflowClient(f"sqlite:///{folder}/mlflow.db")


def runs_of(client: Any) -> dict[str, Any]:
    """The name of the record -> the MLflow run."""
    experiment = client.get_experiment_by_name("train.py")
    found = client.search_runs([experiment.experiment_id])
    names = {run.data.tags["kogine.run"]: run for run in found}
    assert len(names) == len(found), "a run is there twice"
    return names


pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


@pytest.mark.trackers
def test_params_tags_times_and_status(store: Store, exported: Any) -> None:
    runs = runs_of(exported)
    record = store.find(1)
    run = runs[record.folder.name]
    assert run.data.params == {"lr": "0.5", "bs": "32", "Args.depth": "3", "main.epochs": "4"}
    tags: Mapping[str, str] = run.data.tags
    assert (tags["kogine.status"], tags["metadata.who"]) == ("succeeded", "me")
    assert (tags["kogine.identity"], tags["kogine.label"]) == (record.identity, record.label)
    assert (run.info.status, run.info.start_time) == ("FINISHED", round(record.started * 1000))
    assert run.info.end_time == round((record.ended or 0) * 1000)
    failed = runs[store.find(2).folder.name]
    assert failed.info.status == "FAILED"
    assert failed.data.tags["kogine.error"] == "ValueError: no memory"
    assert len(runs[store.find(3).folder.name].data.params["lr"]) == 6000


@pytest.mark.trackers
def test_metrics_have_the_whole_series(store: Store, exported: Any) -> None:
    run = runs_of(exported)[store.find(1).folder.name]
    history = exported.get_metric_history(run.info.run_id, "val/loss")
    points = [one for one in points_of(store.find(1)) if one.name == "val/loss"]
    assert [(one.value, one.step, one.timestamp) for one in history] == [
        (one.value, one.step, round(one.time * 1000)) for one in points
    ]
    assert (run.data.metrics["bs"], run.data.metrics["acc_1"]) == (32, 0.5)
    assert run.data.metrics["bound"] > 1e300 or math.isinf(run.data.metrics["bound"])


@pytest.mark.trackers
def test_artifacts_are_the_log_and_the_files(store: Store, exported: Any) -> None:
    record = store.find(1)
    run = runs_of(exported)[record.folder.name]
    assert [one.path for one in exported.list_artifacts(run.info.run_id)] == [
        "artifacts", "files", "log.txt",
    ]  # fmt: skip
    folder = Path(unquote(urlparse(run.info.artifact_uri).path))
    assert (folder / "files" / "model.pt").read_text() == "weights 0.5"
    assert not (folder / "artifacts" / "model.pt").exists(), "once is enough"
    last = folder / "artifacts" / "ckpt" / "last.pt"
    assert (last.is_symlink(), last.read_text()) == (False, "last 0.5")
    assert store.root.parents[1] / "tracking" / "mlruns" in folder.parents


@pytest.mark.trackers
def test_a_second_export_updates_what_has_changed(store: Store, exported: Any) -> None:
    folder = store.root.parents[1]
    before = exported.get_metric_history(
        runs_of(exported)[store.find(1).folder.name].info.run_id, "val/loss"
    )
    store.tag(1, "paper")
    store.note(1, "the best")
    done = store.export(store.runs(), folder / "tracking", "mlflow")
    assert done.endswith(": 1 updated, 2 unchanged")
    run = runs_of(exported)[store.find(1).folder.name]
    assert run.data.tags["kogine.tags"] == "paper"
    assert run.data.tags["mlflow.note.content"] == "the best"
    assert exported.get_metric_history(run.info.run_id, "val/loss") == before
    store.note(1, "")
    store.export(1, folder / "tracking", "mlflow")
    assert runs_of(exported)[store.find(1).folder.name].data.tags["mlflow.note.content"] == ""


@pytest.mark.trackers
def test_a_run_under_way_is_continued(store: Store, exported: Any, tmp_path: Path) -> None:
    """What it has printed since comes later; another attempt comes instead."""
    folder, name = tmp_path / "runs", store.find(1).folder.name
    target = store.root.parents[1] / "tracking"
    series = (store.find(1).folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    text = (store.find(1).folder / "run.json").read_text()
    new = name[:-1] + "x"
    (folder / new).mkdir(parents=True)
    running = text.replace('"status": "succeeded"', '"status": "running"')
    running = running.replace('"host": "', '"host": "another-')
    for count, facts, status in (
        (2, running, "RUNNING"),
        (5, running, "RUNNING"),
        (9, text, "FINISHED"),
    ):
        (folder / new / "run.json").write_text(facts)
        (folder / new / "metrics.jsonl").write_text("".join(series[:count]))
        Store(folder).export(1, target, "mlflow")
        run = runs_of(exported)[new]
        history = exported.get_metric_history(run.info.run_id, "val/loss")
        assert (run.info.status, len(history)) == (status, min(count, len(series)) - 1)
    (folder / new / "run.json").write_text(text.replace('"attempt": 1', '"attempt": 2', 1))
    (folder / new / "metrics.jsonl").write_text("".join(series[:2]))
    Store(folder).export(1, target, "mlflow")
    run = runs_of(exported)[new]
    assert len(exported.get_metric_history(run.info.run_id, "val/loss")) == 1


@pytest.mark.trackers
def test_more_points_than_one_batch_holds(tmp_path: Path, exported: Any, store: Store) -> None:
    (tmp_path / "train.py").write_text("for n in range(2500): print(f'step: {n} loss: {n}')\n")
    run_kogine(tmp_path, "run", "train.py", "--record")
    own = Store(tmp_path / ".kogine" / "runs")
    own.export(1, store.root.parents[1] / "tracking", "mlflow")
    run = runs_of(exported)[own.find(1).folder.name]
    history = exported.get_metric_history(run.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(n, n) for n in range(2500)]


@pytest.mark.trackers
def test_a_deleted_experiment_is_named(tmp_path: Path, exported: Any, store: Store) -> None:
    (tmp_path / "gone.py").write_text("lr = 1\n")
    run_kogine(tmp_path, "run", "gone.py", "--record")
    own, target = Store(tmp_path / ".kogine" / "runs"), store.root.parents[1] / "tracking"
    own.export(1, target, "mlflow")
    exported.delete_experiment(exported.get_experiment_by_name("gone.py").experiment_id)
    with pytest.raises(UsageError, match=r"experiment 'gone.py' was deleted: restore it by"):
        own.export(1, target, "mlflow")


@pytest.mark.trackers
@pytest.mark.parametrize("data", [b"no database", b"SQLite format 3\0" + bytes(900)])
def test_a_damaged_database_is_one_message(store: Store, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(data)
    done = run_kogine(store.root.parents[1], "runs", "export", "mlflow", "1", "-o", str(tmp_path))
    assert (done.status, done.stdout) == (2, "")
    assert "kogine: error: MLflow at 'sqlite" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.trackers
def test_a_pipeline_and_the_runs_inside_of_it(tmp_path: Path, exported: Any) -> None:
    write_flow(tmp_path)
    run_kogine(tmp_path, "pipeline", "run", "flow.py", "n=3")
    own = Store(tmp_path / ".kogine" / "runs")
    assert own.export(own.runs(), tmp_path / "tracking", "mlflow").endswith(": 2 new")
    tracking = client(tmp_path / "tracking")
    parent, child = (
        tracking.search_runs([tracking.get_experiment_by_name(name).experiment_id])[0]
        for name in ("flow.py", "train.py")
    )
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert (child.data.tags["kogine.node"], parent.data.params["n"]) == ("inner/train", "3")
    assert parent.data.metrics["loss"] == child.data.metrics["loss"]


def test_addresses_on_a_server_are_not_printed_among_the_output(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    seen: list[str | None] = []

    def ended(*_: object, **__: object) -> None:
        seen.append(os.environ.get("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"))

    monkeypatch.setattr(mlflow.MlflowClient, "set_terminated", ended)
    store.export("last", tmp_path, "mlflow")
    assert (seen, os.environ.get("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT")) == (["true"], None)
