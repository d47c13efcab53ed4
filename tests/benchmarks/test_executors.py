"""What a run costs on a cluster, beside the cluster's own task and a plain subprocess.

Each needs its packages, and SLURM its daemons: ``make dask ray slurm`` install and try them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Parallel, Script, Sweep
from tests.executors.dask_cluster import dask_cluster
from tests.executors.ray_cluster import ray_cluster
from tests.executors.slurm_cluster import slurm
from tests.oracle import on_path

pytestmark = pytest.mark.benchmark

_TURNS = 3
_COMMAND = [sys.executable, "hello.py"]
Submit = Callable[[Callable[..., Any], list[Any]], None]
"""Calls a function with each item as a task of the cluster, and waits for all."""


@contextmanager
def on_threads(_: Path) -> Iterator[tuple[str, Submit]]:
    with ThreadPoolExecutor(2) as pool:
        yield "", lambda function, items: [*pool.map(function, items)].clear()


@contextmanager
def on_dask(folder: Path) -> Iterator[tuple[str, Submit]]:
    distributed: Any = import_module("distributed")
    with dask_cluster(folder) as address, distributed.Client(address[len("dask://") :]) as client:
        yield (
            address,
            lambda function, items: client.gather(client.map(function, items, pure=False)),
        )


@contextmanager
def on_ray(_: Path) -> Iterator[tuple[str, Submit]]:
    with ray_cluster() as address:
        yield address, _submit_to_ray(address)


def _submit_to_ray(address: str) -> Submit:
    def submit(function: Callable[..., Any], items: list[Any]) -> None:
        ray: Any = import_module("ray")
        ray.init(address, log_to_driver=False)
        try:
            task = ray.remote(function)
            ray.get(task.remote(items[0]))
            started.append(time.perf_counter())
            ray.get([task.remote(one) for one in items])
        finally:
            ray.shutdown()

    return submit


@contextmanager
def on_slurm(folder: Path) -> Iterator[tuple[str, Submit]]:
    with slurm(folder) as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield "slurm:cpus=1,time=5", _submit_jobs(folder, "slurm")


@contextmanager
def on_slurm_local(folder: Path) -> Iterator[tuple[str, Submit]]:
    yield "slurm-local", _submit_jobs(folder, "local")


def _submit_jobs(folder: Path, cluster: str) -> Submit:
    def submit(function: Callable[..., Any], items: list[Any]) -> None:
        submitit: Any = import_module("submitit")
        executor = submitit.AutoExecutor(folder=folder / "jobs", cluster=cluster)
        executor.update_parameters(timeout_min=5)
        # Two at a time on this machine, as a flow has them.
        with ThreadPoolExecutor(2 if cluster == "local" else 1) as pool:
            if cluster == "local":
                [*pool.map(lambda one: _waited(executor.submit(function, one)), items)].clear()
                return
        for job in executor.map_array(function, items):
            _waited(job)

    return submit


def _waited(job: Any) -> Any:
    while not job.paths.result_pickle.exists():  # done() asks sacct
        time.sleep(0.02)
    return job.result()


started: list[float] = []
"""When the tasks were submitted, where it takes time to connect."""


def seconds(act: Callable[[], object]) -> float:
    """The seconds that *act* takes, from when its tasks are submitted."""
    started.clear()
    begun = time.perf_counter()
    act()
    return time.perf_counter() - (started[0] if started else begun)


def same(one: object) -> object:
    return one


def run_hello(folder: str) -> None:
    subprocess.run([sys.executable, "hello.py"], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("name", "open_cluster", "count"),
    [
        pytest.param("threads of this process", on_threads, 60, id="threads"),
        pytest.param("Dask", on_dask, 60, id="dask"),
        pytest.param("Ray, by Ray Client", on_ray, 60, id="ray"),
        pytest.param("submitit on this machine", on_slurm_local, 12, id="slurm-local"),
        pytest.param("SLURM, by submitit", on_slurm, 12, id="slurm"),
    ],
)
def test_cost_of_a_run(
    name: str, open_cluster: Any, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", on_path())
    Path("hello.py").write_text("n = 0\nprint('hello', n)\n")
    Path("cluster").mkdir()
    run_local = ThreadPoolExecutor(2)
    with open_cluster(Path("cluster").resolve()) as (on, submit):
        more = {"on": on} if on else {"mode": "spawn"}

        def flow(runs: int) -> None:
            script = Script("hello.py", Sweep(n=range(runs)))
            Parallel(script, max_workers=2 if on != "slurm" else 4, **more).run().raise_if_failed()

        folder = str(tmp_path)
        acts = {
            "plain subprocess": lambda runs: [*run_local.map(run_hello, [folder] * runs)],
            "own task": lambda runs: submit(same, [*range(runs)]),
            "own task, a subprocess": lambda runs: submit(run_hello, [folder] * runs),
            "kogine": flow,
        }
        took: dict[str, list[float]] = {one: [] for one in acts}
        for _ in range(_TURNS):
            for one, act in acts.items():
                few = seconds(lambda: act(2))  # noqa: B023  # without what it takes to connect
                many = seconds(lambda: act(count + 2))  # noqa: B023
                took[one].append((many - few) / count)
    run_local.shutdown()
    medians = {one: statistics.median(each) for one, each in took.items()}
    plain, own = medians["plain subprocess"], medians["own task, a subprocess"]
    print(f"\n{name}, {count} runs of a script that prints a line, {_TURNS} turns:")
    for one, each in medians.items():
        print(f"  {one:24} {each * 1e3:7.1f} ms a run  {1 / each:7.1f} runs/s  x{each / plain:.2f}")
    added = medians["kogine"] - own
    print(
        f"  kogine adds {added * 1e3:.1f} ms to a task that starts a subprocess, x{own and medians['kogine'] / own:.2f}"
    )
