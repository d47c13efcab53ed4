"""How many runs there are at a time if the command line does not say it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kohaku_ast.flow.settings import usable_cores
from tests.cli.recorded import log_of, records
from tests.oracle import run_kogine

SCRIPT = """\
import os, pathlib, time
n = 0
print(os.environ["KOGINE_WORKER_ID"])
here = pathlib.Path("started")
here.mkdir(exist_ok=True)
(here / str(n)).touch()
# Every worker has a run of its own before one of them takes the next.
last = time.monotonic() + 60
while len([*here.iterdir()]) < int(os.environ.get("AT_ONCE", 1)) and time.monotonic() < last:
    time.sleep(0.01)
"""
GENERATOR = """\
from kohaku_ast import Config
def config_gen():
    for n in range(6):
        last = yield Config({"n": n})
"""
SWEEP = ("--sweep", "n=range:0:6")
CORES = usable_cores()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.py").write_text(SCRIPT)
    (tmp_path / "hears.py").write_text(GENERATOR)
    return tmp_path


def workers_of(folder: Path) -> set[int]:
    return {int(log_of(record)) for record in records(folder)}


@pytest.mark.parametrize(
    ("words", "workers"),
    [
        pytest.param(("run", "s.py", *SWEEP, "--mode", "spawn"), CORES, id="spawned"),
        pytest.param(("run", "s.py", *SWEEP, "--mode", "warm"), CORES, id="warm"),
        pytest.param(("run", "s.py", *SWEEP, "--workers", "auto"), CORES, id="auto"),
        pytest.param(("workflow", "parallel", "s.py", *SWEEP), CORES, id="workflow"),
        pytest.param(("run", "s.py", *SWEEP, "--gpus", "0,1,2"), 3, id="one a GPU"),
        pytest.param(("workflow", "parallel", "s.py", *SWEEP, "--gpus", "0,1,2"), 3, id="workflow with GPUs"),
        pytest.param(("run", "s.py", *SWEEP, "--gpus", "0", "--workers", "4"), 4, id="more than GPUs"),
        pytest.param(("run", "s.py", *SWEEP), 1, id="one after another"),
        pytest.param(("run", "s.py", *SWEEP, "--isolate"), 1, id="isolated in a row"),
        pytest.param(("run", "s.py", *SWEEP, "--timeout", "60"), 1, id="in a row with a timeout"),
        pytest.param(("run", "s.py", "--config", "hears.py", "--mode", "warm"), 1, id="generator that listens"),
        pytest.param(("workflow", "sequential", "s.py", *SWEEP, "--mode", "warm"), 1, id="sequential"),
    ],
)  # fmt: skip
def test_workers(folder: Path, words: tuple[str, ...], workers: int) -> None:
    done = run_kogine(folder, *words, "--json", AT_ONCE=str(min(workers, 6)))
    assert (done.status, done.stderr) == (0, "")
    assert workers_of(folder) == set(range(min(workers, 6)))


def test_a_single_run_shows_what_it_prints_whatever_the_gpus(folder: Path) -> None:
    (folder / "s.py").write_text("print('seen')\n")
    done = run_kogine(folder, "run", "s.py", "--gpus", "0,1")
    assert done.stdout == "seen\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a system without affinity masks")
def test_workers_are_as_many_as_cores_of_the_affinity_mask(folder: Path) -> None:
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    try:
        run_kogine(folder, "run", "s.py", *SWEEP, "--mode", "warm")
    finally:
        os.sched_setaffinity(0, every)
    assert workers_of(folder) == {0}
