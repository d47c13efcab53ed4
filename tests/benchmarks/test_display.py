"""What it costs to show 8 runs that print all the time: ``pytest -m benchmark -s``."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kohaku_ast.flow.log_watch import LogWatch
from kohaku_ast.flow.report import choose_display
from kohaku_ast.flow.run import Observer, Run
from tests.flow.made import running
from tests.flow.terminal import Terminal

pytestmark = pytest.mark.benchmark

_SECONDS = 8.0
_KINDS = {
    "1,000 lines a second each": "print(f'step {n}/99999: loss={1/n} lr: 0.1', flush=True); time.sleep(0.001)",
    "as fast as they can": "print(f'step {n}/99999: loss={1/n} lr: 0.1')",
    "2 bytes a line": "print('y')",
    "progress bars, wide characters": "print(f'\\x1b[31m学習 {n % 100}%|####| {n}/9999999 [00:12<00:15, 3it/s, loss={1/n}]\\x1b[0m', end='\\r')",
}


@pytest.mark.parametrize("kind", _KINDS)
def test_share_of_a_core(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    program = f"import time\nn = 1\nwhile True:\n    {_KINDS[kind]}\n    n += 1\n    if n % 10000 == 0: time.sleep(0.1)\n"
    runs = [running(number, total=40, log=tmp_path / f"{number}.txt") for number in range(8)]
    children = [start(program, run) for run in runs]
    terminal = Terminal(160, 40)
    drain = threading.Thread(target=drained, args=[terminal.master])
    drain.start()
    with open(terminal.slave, "w", encoding="utf-8", closefd=False) as stream:
        spent = watched([LogWatch(), *choose_display(False, stream)], runs)
        stream.write("end\n")
    drain.join()
    terminal.close()
    written = sum(run.log.stat().st_size for run in runs if run.log)
    for child in children:
        child.kill()
        child.wait()
    print(
        f"\n{kind}: {spent / _SECONDS:.2%} of a core, {written / _SECONDS / 1e6:.1f} MB/s of logs"
    )


def start(program: str, run: Run) -> subprocess.Popen[bytes]:
    assert run.log
    with open(run.log, "wb") as log:
        return subprocess.Popen([sys.executable, "-c", program], stdout=log)


def drained(master: int) -> None:
    """Read what is painted, as a terminal does, until it says that it is over."""
    last = b""
    while not last.endswith(b"end\r\n"):
        last = last[-5:] + os.read(master, 65536)


def watched(observers: list[Observer], runs: list[Run]) -> float:
    """Seconds of processor time that showing them takes, without what is loaded once."""
    for one in observers:
        for run in runs:
            one.on_start(run, 40)
    time.sleep(1.0)
    before, end = time.thread_time(), time.monotonic() + _SECONDS
    while time.monotonic() < end:
        for one in observers:
            one.on_tick(runs, {})
        time.sleep(0.1)  # a flow looks more often than 4 times a second when runs end
    return time.thread_time() - before
