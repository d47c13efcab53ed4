"""Runs that are tried again: what waits for them, and what becomes of them if the flow ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sequential
from tests.flow.test_faults import kogine

MODES = pytest.mark.parametrize("mode", ["inline", "spawn"])

FLAKY = """\
import os
rate = 0.5
if not os.path.exists("tried"):
    open("tried", "w").close()
    raise OSError("the disk was asleep")
"""


@MODES
def test_what_comes_next_waits_until_a_run_has_been_tried_again(tmp_path: Path, mode: str) -> None:
    (tmp_path / "prepare.py").write_text(FLAKY)
    (tmp_path / "train.py").write_text("rate = 0\n")
    flow = Sequential(
        [
            Script(str(tmp_path / "prepare.py"), Config(outputs=["rate"]), name="prepare"),
            Script(
                str(tmp_path / "train.py"),
                lambda previous: Config(
                    {"rate": previous["prepare"].outputs["rate"]}, outputs=["rate"]
                ),
            ),
        ],
        mode=mode, retries=1, backoff=0.01,
    )  # fmt: skip
    prepare, train = flow.run()
    assert (prepare.status, train.status) == ("succeeded", "succeeded")
    assert train.outputs["rate"] == 0.5


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("more", [[], ["--mode", "spawn", "--workers", "2"]])
def test_a_run_that_waits_for_that_has_failed_if_the_flow_is_interrupted(
    tmp_path: Path, more: list[str]
) -> None:
    (tmp_path / "fails.py").write_text("n = 0\nraise ValueError(n)\n")
    options = ["--sweep", "n=0", "--retries", "1", "--backoff", "600", *more]
    flow = kogine(tmp_path, "run", "fails.py", *options, stderr=subprocess.PIPE)
    assert flow.stderr is not None
    assert any(line.startswith(b"retrying") for line in flow.stderr)
    flow.send_signal(signal.SIGINT)
    _, errors = flow.communicate(timeout=600)
    assert flow.returncode == 130
    assert b"failed [1/1] n=0: ValueError: 0" in errors
    assert b"1 run: 1 failed" in errors
    (record,) = tmp_path.glob(".kogine/runs/*/run.json")
    assert json.loads(record.read_text())["status"] == "failed"
