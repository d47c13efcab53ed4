"""More workers than the machine has room for: runs wait for each other, and none is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.test_faults import kogine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")

WAITS = """\
import os, time
n = 0
while not os.path.exists("go"):
    time.sleep(0.01)
"""


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_runs_wait_for_descriptors_until_others_have_ended(tmp_path: Path, mode: str) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    options = ["--sweep", "n=range:0:30", "--workers", "30", "--mode", mode]
    flow = kogine(
        tmp_path, "run", "waits.py", *options,
        shell='ulimit -n 24 && exec "$@"', stderr=subprocess.PIPE,
    )  # fmt: skip
    assert flow.stderr is not None
    full = next((line for line in flow.stderr if line.startswith(b"retrying")), b"")
    (tmp_path / "go").touch()
    _, errors = flow.communicate(timeout=600)
    assert b"it could not be started: Too many open files" in full
    assert b"30 runs: 30 succeeded" in errors
    assert flow.returncode == 0


def test_a_run_that_nothing_makes_room_for_fails_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text("n = 0\n")
    options = ["--sweep", "n=0,1", "--workers", "1", "--mode", "spawn", "--no-record"]
    flow = kogine(
        tmp_path, "run", "small.py", *options,
        # What kogine itself has open, and its libraries while they are imported, fits.
        shell='ulimit -n 5 && exec "$@"', stderr=subprocess.PIPE,
    )  # fmt: skip
    _, errors = flow.communicate(timeout=600)
    assert b"OSError: it could not be started: Too many open files" in errors
    assert b"2 runs: 2 failed" in errors
    assert b"Traceback" not in errors
    assert flow.returncode == 1
