"""What a run of a sweep costs in one process.

``pytest -m benchmark -s tests/benchmarks/test_sweeps.py``. KohakuEngine runs beside it
where it is installed; ``KOGINE_PEER_PYTHON`` names another Python that has it.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.ratios import installed_command, interleave, report
from tests.long_sweeps import ENDLESS, TRIVIAL, peak_of_sweep

pytestmark = pytest.mark.benchmark

RUNS = 3000
PEER_CONFIG = f"""\
from kohakuengine import Config

def config_gen():
    for n in range({RUNS}):
        yield Config(globals_dict={{"n": n}})
"""


def peer() -> list[str]:
    """KohakuEngine's command, or nothing."""
    named = os.environ.get("KOGINE_PEER_PYTHON", "")
    if not (named or importlib.util.find_spec("kohakuengine")):
        return []
    return [named or sys.executable, "-m", "kohakuengine.cli", "run", "t.py", "--config", "peer.py"]


def quiet(command: list[str]) -> list[str]:
    """Without the line that each run has."""
    return ["sh", "-c", f"exec {shlex.join(command)} 2> /dev/null"]


def test_runs_a_second(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TRIVIAL)
    (tmp_path / "peer.py").write_text(PEER_CONFIG)
    sweep = [
        installed_command(),
        "run",
        "t.py",
        "--mode",
        "inline",
        "--sweep",
        f"n=range:{RUNS}",
        "--no-record",
    ]
    commands = {"kogine": quiet(sweep), "kogine, with a record": quiet(sweep[:-1])}
    commands |= {"KohakuEngine": quiet(peer())} if peer() else {}
    times = interleave(commands, tmp_path, 7)
    print("\n" + report(times, "kogine"))
    for name, measured in times.items():
        print(f"{name:32} {RUNS / statistics.median(wall for wall, _ in measured):7.0f} runs/s")


def test_memory_of_50_000_runs(tmp_path: Path) -> None:
    peak_of_sweep(tmp_path, 1)  # compiles, and fills the cache
    few, many = (peak_of_sweep(tmp_path, n) for n in (100, 50_000))
    print(f"\npeak: {few} KiB after 100 runs, {many} KiB after 50,000")
    assert many - few < 20 * 1024


def test_time_to_the_first_run_of_an_endless_sweep(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("print('ran', flush=True)\n" + TRIVIAL)
    (tmp_path / "endless.py").write_text(ENDLESS)
    command = [installed_command(), "run", "t.py", "--config", "endless.py", "--no-record"]
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as running:
            assert running.stdout
            assert running.stdout.readline() == b"ran\n"
            seconds.append(time.perf_counter() - start)
            running.kill()
    print(f"\nfirst run after {statistics.median(seconds) * 1e3:.0f} ms")
