"""Engines of clusters, on an Executor of this machine."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from kohaku_ast import DaskEngine, Pipeline, PipelineError, RayEngine, SlurmEngine
from kohaku_ast.engines.cluster_engine import ClusterEngine
from kohaku_ast.errors import UsageError
from kohaku_ast.executors import task_process, worker
from tests.oracle import run_kogine

STEPS = """\
import os
from kohaku_ast import node
@node("place")
def where(n: int): return [os.path.realpath(__file__), os.getcwd(), n]
"""


def test_a_worker_without_the_files_of_the_flow_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own_steps.py").write_text(STEPS)
    monkeypatch.syspath_prepend(os.getcwd())
    steps = import_module("own_steps")
    for module in (task_process, worker):
        monkeypatch.setattr(module, "lacks_files", lambda setup: bool(setup["texts"]))
    try:
        with ThreadPoolExecutor(2) as pool:
            made = Pipeline([steps.where], engine=ClusterEngine(pool))
            found = made.map({"n": range(8)}, map_over="n", output_name="place")
            assert not task_process._processes  # they end with the run
    finally:
        del sys.modules["own_steps"]
    assert [n for _, _, n in found] == [*range(8)]
    for file, folder, _ in found:
        assert Path(file).parent == Path(folder) != Path.cwd()
        assert not Path(folder).exists()  # it is gone with the process


AWAY = """\
import os
from kohaku_ast import Pipeline, node, script
from kohaku_ast.helpers import logger
@node("y")
def double(lr: float):
    print("doubling", lr)
    logger.log({"speed": 3}, step=0)
    with open(os.path.join(os.environ["KOGINE_RUN_DIR"], "own.txt"), "w") as file: file.write("own")
    return 2 * lr
train = script("train.py", inputs={"lr": "lr"}, outputs=["result"])
pipeline = Pipeline([double, train])
"""


def test_what_nodes_record_on_another_disk_comes_back(tmp_path: Path) -> None:
    Path("train.py").write_text(
        "import os\nlr = 0\nprint('loss:', lr)\nresult = 3 * lr\n"
        "open(os.path.join(os.environ['KOGINE_RUN_DIR'], 'weights'), 'w').write('w')\n"
    )
    Path("flow.py").write_text(AWAY)
    Path("pool.py").write_text(
        f"import pathlib, sys; sys.path.append({str(Path(__file__).parents[2])!r})\n"
        "from tests.executors.test_clusters import Elsewhere\n"
        "def make(): return Elsewhere(pathlib.Path.cwd())\n"
    )
    done = run_kogine(tmp_path, "pipeline", "run", "flow.py", "lr=0.5", "--on", "pool:make")
    assert (done.status, done.stdout) == (0, "y = 1.0\nresult = 1.5\n"), done
    parent, child = sorted(Path(".kogine/runs").glob("*-*"))
    assert (parent / "log.txt").read_text() == "doubling 0.5\n"
    assert (child / "log.txt").read_text() == "loss: 0.5\n"
    assert (parent / "files/own.txt").read_text() == "own"
    assert (child / "files/weights").read_text() == "w"
    of_parent, of_child = (json.loads((one / "run.json").read_text()) for one in (parent, child))
    assert of_parent["metrics"]["speed"]["last"] == 3
    assert of_child["metrics"]["loss"]["last"] == 0.5
    assert (of_child["status"], of_child["parent"]) == ("succeeded", parent.name)
    assert of_parent["nodes"][1]["runs"] == [child.name]
    assert run_kogine(tmp_path, "runs", "reproduce", child.name).status == 0


@pytest.mark.parametrize(
    ("made", "text"),
    [
        pytest.param(DaskEngine(), "dask", id="Dask here"),
        pytest.param(DaskEngine("h:8786"), "dask://h:8786", id="Dask"),
        pytest.param(DaskEngine("dask://h:8786"), "dask://h:8786", id="as for --on"),
        pytest.param(RayEngine(gpus=0.5), "ray:gpus=0.5", id="Ray here"),
        pytest.param(RayEngine("h:1", cpus=2, gpus=1), "ray://h:1,cpus=2,gpus=1", id="Ray"),
        pytest.param(SlurmEngine(partition="a", time=5), "slurm:partition=a,time=5", id="SLURM"),
        pytest.param(SlurmEngine(local=True), "slurm-local", id="jobs here"),
    ],
)
def test_an_engine_is_the_text_of_its_cluster(made: ClusterEngine, text: str) -> None:
    assert made.on == text


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        pytest.param("daks", "Did you mean 'dask'", id="a near name"),
        pytest.param("daks:x=1", "Did you mean 'dask'", id="with options"),
        pytest.param("ray://", "name the host and the port: ray://HOST:PORT", id="no address"),
    ],
)
def test_a_wrong_text_is_told_before_anything_runs(engine: str, told: str) -> None:
    with pytest.raises((PipelineError, UsageError), match=told):
        Pipeline([], engine=engine)
