"""``kogine runs watch`` shows runs of another process while they run; curves in ``runs ls``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.cli.recorded import KOGINE, started
from tests.flow.terminal import Terminal
from tests.oracle import on_path, run_kogine

SCRIPT = """\
import os, time
lr = 0.5
for step in range(8):
    print(f"step {step} loss: {lr * (8 - step)}", flush=True)
print("waits", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
"""


def test_runs_are_watched_from_another_terminal(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(SCRIPT)
    none = run_kogine(tmp_path, "runs", "watch")
    assert (none.status, none.stdout) == (0, "no run is under way\n")
    flow = started(tmp_path, "run", "t.py", "--sweep", "lr=1,2", "--workers", "2")
    store = tmp_path / ".kogine" / "runs"
    while len([*store.glob("*/log.txt")]) < 2:
        assert flow.poll() is None
    terminal = Terminal(100, 12)
    watching = subprocess.Popen(
        [*KOGINE, "runs", "watch"], cwd=tmp_path, stdout=terminal.slave, stderr=terminal.slave,
        env={**os.environ, "PYTHONPATH": on_path(), "TERM": "xterm"},
    )  # fmt: skip
    lines = started(tmp_path, "runs", "watch")
    assert lines.stdout is not None
    assert lines.stdout.readline().startswith("running ")
    terminal.wait_for(lambda screen: screen.count("waits") == 2 and "2 running" in screen)
    assert {"loss=1", "loss=2"} <= set(" ".join(terminal.shown()).split())
    (tmp_path / "go").touch()
    terminal.wait_for(lambda screen: "no run is under way, 2 succeeded" in screen)
    assert watching.wait(60) == 0
    terminal.close()
    rest = lines.communicate(timeout=600)[0]
    assert rest.count("succeeded ") == 2
    assert rest.endswith("no run is under way\n")
    flow.communicate(timeout=600)

    table = run_kogine(tmp_path, "runs", "ls", "--columns", "lr,spark:loss", "--sort", "lr")
    assert table.stdout.splitlines()[1:] == ["1   █▇▆▅▄▃▂▁", "2   █▇▆▅▄▃▂▁"]
    plain = run_kogine(tmp_path, "runs", "ls", "--columns", "spark:loss", PYTHONIOENCODING="ascii")
    assert plain.stdout.splitlines()[1] == "#*+=:-._"
    found = run_kogine(tmp_path, "runs", "ls", "--columns", "spark:loss", "--json", "--sort", "lr")
    assert json.loads(found.stdout)[0]["spark:loss"] == [8.0 - step for step in range(8)]
    typo = run_kogine(tmp_path, "runs", "ls", "--columns", "spark:los")
    assert "no run has a metric 'los'. Did you mean 'loss'?" in typo.stderr
