"""What a record costs a run: ``pytest -m benchmark -s tests/benchmarks/test_records.py``."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.ratios import installed_command, interleave

pytestmark = pytest.mark.benchmark

RUNS = {"inline": 1000, "spawn": 20, "warm": 60}


@pytest.mark.parametrize("mode", RUNS)
@pytest.mark.parametrize("workers", [1, 2])
def test_cost_of_a_record(tmp_path: Path, mode: str, workers: int) -> None:
    if mode == "inline" and workers > 1:
        pytest.skip("one process runs one at a time")
    (tmp_path / "t.py").write_text("n = 0\nprint(n)\n")
    sweep = f"{installed_command()} run t.py --sweep n=range:{RUNS[mode]} --mode {mode}"
    sweep += f" --workers {workers} > out 2>&1"
    commands = {
        "with": ["sh", "-c", f"exec {sweep}"],
        "without": ["sh", "-c", f"exec {sweep} --no-record"],
    }
    times = interleave(commands, tmp_path, 5)
    wall, cpu = (
        statistics.median(
            one[kind] - other[kind] for one, other in zip(times["with"], times["without"])
        )
        for kind in (0, 1)
    )
    each = 1000 / RUNS[mode]
    print(f"\n{mode}, {workers} at once: {wall * each:.2f} ms a run, {cpu * each:.2f} ms of a core")


def test_size_and_search(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("n = 0\n")
    sweep = [installed_command(), "run", "t.py", "--mode", "inline", "--sweep", "n=range:10000"]
    subprocess.run(sweep, cwd=tmp_path, check=True, capture_output=True)
    used = subprocess.check_output(["du", "-sk", tmp_path / ".kogine"], text=True).split()[0]
    commands = {"resume": ["sh", "-c", f"exec {' '.join(sweep)} --resume > out 2>&1"]}
    times = interleave(commands, tmp_path, 3)
    seconds = min(wall for wall, _ in times["resume"])
    print(f"\n10,000 records: {int(used) / 10_000:.1f} kB each, left out in {seconds:.1f} s")
    shutil.rmtree(tmp_path / ".kogine")
