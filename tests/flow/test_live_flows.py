"""Flows of a program show their runs on a terminal while they run, and nothing in a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.terminal import Terminal
from tests.oracle import on_path, run_python

FLOW = """\
from kohaku_ast import Parallel, Script, Sequential, Sweep
if __name__ == "__main__":
    sweep = Script("t.py", Sweep(lr=[1, 2]))
    Parallel(sweep, workers=2, mode="spawn", {more}).run()
    Sequential(sweep, mode="spawn", {more}).run()
"""
TERMINAL = [
    "lr=1",
    "lr=2",
    "2 of 2 finished",
    "[1/2] lr=1",
    "[2/2] lr=2",
]


@pytest.mark.parametrize(
    ("more", "lines", "in_pipe"),
    [
        pytest.param("", TERMINAL, "", id="by itself"),
        pytest.param("progress=False", [], "", id="silence"),
        pytest.param("progress=True", TERMINAL, "started [1/2] lr=1", id="lines in a pipe"),
    ],
)
def test_a_flow_shows_its_runs(tmp_path: Path, more: str, lines: list[str], in_pipe: str) -> None:
    (tmp_path / "t.py").write_text("lr = 0\n")
    (tmp_path / "flow.py").write_text(FLOW.format(more=more))
    if not lines or in_pipe:
        piped = run_python(tmp_path, "flow.py", PYTHONPATH=on_path())
        assert piped.stderr.startswith(in_pipe)
        assert bool(piped.stderr) == bool(in_pipe)
    terminal = Terminal(80, 24)
    done = subprocess.Popen(
        [sys.executable, "flow.py"], cwd=tmp_path, stderr=terminal.slave, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": on_path(), "TERM": "xterm"},
    )  # fmt: skip
    while done.poll() is None:
        terminal.read(0.1)
    screen = "\n".join(terminal.shown())
    terminal.close()
    assert done.communicate()[0] == b""
    assert [one for one in TERMINAL if one in screen] == lines
