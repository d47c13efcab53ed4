"""Runs as event files, read by TensorBoard's own reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.errors import UsageError
from kohaku_ast.exports.series import points_of
from kohaku_ast.store.store import Store
from tests.oracle import run_kogine
from tests.pipeline.recorded import write_flow

TRAIN = """\
lr = 0.1
name = "plain"
shape = (1, 2)
big = 2**3
for epoch in range(3):
    print(f"epoch: {epoch} val/loss: {lr / (epoch + 1)}")
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("project")
    (folder / "train.py").write_text(TRAIN)
    assert run_kogine(folder, "run", "train.py", "--sweep", "lr=0.5,1", f"big={2**80}").status == 0
    return Store(folder / ".kogine" / "runs")


def test_without_the_library(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(UsageError, match=r'pip install "kohaku-ast\[tensorboard\]"'):
        store.export(1, tmp_path / "logs", "tensorboard")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["1"], "TensorBoard reads a folder: add -o LOGDIR", id="no folder"),
        pytest.param(["--where", "lr > 9", "-o", "x"], "no run fits", id="no run fits"),
        pytest.param(["1", "-o", "x", "--force"], "no effect with tensorboard", id="force"),
    ],
)
def test_mistakes(store: Store, words: list[str], message: str) -> None:
    done = run_kogine(store.root.parents[1], "runs", "export", "tensorboard", *words)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def read(folder: Path) -> Any:
    name = "tensorboard.backend.event_processing.event_accumulator"
    found = pytest.importorskip(name).EventAccumulator(str(folder))
    found.Reload()
    return found


@pytest.mark.trackers
@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_the_series_once(store: Store) -> None:
    folder = store.root.parents[1]
    words = ["tensorboard", "--where", "lr > 0", "-o", "logs"]
    for _ in range(2):  # the second export replaces the first one
        done = run_kogine(folder, "runs", "export", *words)
        assert (done.status, done.stdout) == (0, "2 runs in logs\n"), done.stderr
    record = store.find(1)
    (folder / "logs" / record.folder.name / "others.txt").write_text("stays")
    found = read(folder / "logs" / record.folder.name)
    points = [one for one in points_of(record) if one.name == "val/loss"]
    assert [(one.value, one.step, one.wall_time) for one in found.Scalars("val/loss")] == [
        (pytest.approx(one.value), one.step, one.time) for one in points
    ]
    store.export(1, folder / "logs", "tensorboard")
    assert (folder / "logs" / record.folder.name / "others.txt").read_text() == "stays"


@pytest.mark.trackers
@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_the_hparams(store: Store, tmp_path: Path) -> None:
    record = store.find(2)
    store.export(2, tmp_path / "logs", "tensorboard")
    found = read(tmp_path / "logs" / record.folder.name)
    content = found.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    kept = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2")
    hparams = kept.HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["lr"].number_value == 1.0
    assert hparams["name"].string_value == "plain"
    assert hparams["shape"].string_value == "[1, 2]"
    assert hparams["big"].string_value == str(2**80)


@pytest.mark.trackers
@pytest.mark.filterwarnings("ignore")
def test_a_pipeline_and_its_scripts(tmp_path: Path) -> None:
    write_flow(tmp_path)
    run_kogine(tmp_path, "pipeline", "run", "flow.py", "n=3")
    own = Store(tmp_path / ".kogine" / "runs")
    assert own.export(own.runs(), tmp_path / "logs", "tensorboard").startswith("2 runs in ")
    parent, child = (
        read(tmp_path / "logs" / own.runs(where=f"kind == {kind!r}").summaries[0].id)
        for kind in ("pipeline", "script")
    )
    assert len(child.Scalars("loss")) == 3
    assert parent.Scalars("loss")[-1].value == child.Scalars("loss")[-1].value
    assert b"\n\x01n\x12" in parent.PluginTagToContent("hparams")["_hparams_/session_start_info"]
