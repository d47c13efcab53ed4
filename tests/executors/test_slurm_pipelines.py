"""Pipelines whose nodes are jobs of submitit on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.executors.cluster_runs import processes, wait_for
from tests.executors.pipeline_script import interrupt, run

pytestmark = pytest.mark.slurm


def test_results_and_records_are_those_of_this_process(tmp_path: Path) -> None:
    here, _ = run("sequential", tmp_path / "here")
    there, workers = run("slurm-local", tmp_path / "there")
    assert there == here
    assert len(workers) > 1  # a job for each node
    wait_for(lambda: not processes("task_process", "submitit"))


def test_ctrl_c_ends_the_nodes() -> None:
    interrupt("slurm-local")
