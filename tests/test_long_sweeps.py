"""Sweeps without an end, and of more runs than anybody would keep in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kogine_command import __file__ as launcher
from tests.long_sweeps import ENDLESS, peak_of_sweep
from tests.oracle import on_path, run_kogine


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs the peak of a process")
def test_memory_of_a_sweep_does_not_grow_with_its_runs(tmp_path: Path) -> None:
    peak_of_sweep(tmp_path, 1)  # compiles, and fills the cache
    few, many = peak_of_sweep(tmp_path, 100), peak_of_sweep(tmp_path, 5_000)
    # The benchmark has 100,000 runs and 20 MiB.
    assert many - few < 2 * 1024


def test_the_first_run_of_an_endless_sweep_starts_at_once(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("n = 0\nprint('ran', n, flush=True)\n")
    (tmp_path / "endless.py").write_text(ENDLESS)
    command = [sys.executable, launcher, "run", "t.py", "--config", "endless.py", "--no-record"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": on_path()},
    ) as running:
        assert running.stdout
        assert [running.stdout.readline() for _ in range(3)] == [b"ran 0\n", b"ran 1\n", b"ran 2\n"]
        running.kill()


def test_an_endless_sweep_is_cut_by_n(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("n = 0\nprint(n)\n")
    (tmp_path / "endless.py").write_text(ENDLESS)
    done = run_kogine(tmp_path, "run", "t.py", "--config", "endless.py", "-n", "3", "--no-record")
    assert (done.stdout, done.status) == ("0\n1\n2\n", 0)
