"""Engines of clusters, on an Executor of this machine."""

from __future__ import annotations

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
