"""Runs that print at the same time to one place share no line."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.cli.recorded import KOGINE
from tests.oracle import Finished, on_path, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sh joins the streams")

MODES = pytest.mark.parametrize("mode", ["auto", "spawn", "warm"])
TWO_AT_ONCE = ("--workers", "2", "--no-record", "--sweep", "n=1,2,3")


def both_streams(folder: Path, text: str, *arguments: str) -> Finished:
    (folder / "s.py").write_text(text)
    command = shlex.join([*KOGINE, "run", "s.py", *TWO_AT_ONCE, *arguments])
    return run(
        ["sh", "-c", f"exec {command} 2>&1"], folder, PYTHONPATH=on_path(), PYTHONUNBUFFERED="1"
    )


def lines_of(done: Finished, number: int) -> list[str]:
    return [line for line in done.stdout.splitlines() if line.startswith(f"run {number} ")]


@MODES
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_pieces_of_a_line(tmp_path: Path, mode: str, stream: str) -> None:
    text = f"import sys\nn = 0\nfor i in range(2000):\n    print('run', n, i, 'end', file=sys.{stream})\n"
    done = both_streams(tmp_path, text, "--mode", mode)
    assert done.status == 0
    for number in (1, 2, 3):
        assert lines_of(done, number) == [f"run {number} {i} end" for i in range(2000)]


@MODES
def test_two_streams_on_two_places(tmp_path: Path, mode: str) -> None:
    (tmp_path / "s.py").write_text(
        "import sys\nn = 0\nfor i in range(500):\n"
        "    print('run', n, i, 'o')\n    print('run', n, i, 'e', file=sys.stderr)\n"
    )
    done = run(
        [*KOGINE, "run", "s.py", *TWO_AT_ONCE, "--mode", mode], tmp_path,
        PYTHONPATH=on_path(), PYTHONUNBUFFERED="1",
    )  # fmt: skip
    for number in (1, 2, 3):
        assert lines_of(done, number) == [f"run {number} {i} o" for i in range(500)]
        errors = Finished(0, done.stderr, "")
        assert lines_of(errors, number) == [f"run {number} {i} e" for i in range(500)]


LAST = {
    "no line end": "print('run', n, 'last', end='')\n",
    "longer than is held": "print('run', n, 'x' * 300_000)\nprint('run', n, 'last')\n",
    "a bar": "for i in range(3):\n    print(end=f'\\rrun {n} {i}')\nprint()\nprint('run', n, 'last')\n",
    "a process that prints later": (
        "import subprocess, sys\nprint(end=f'run {n} ')\n"
        "subprocess.run([sys.executable, '-c', 'print(end=\"last\")'], check=True)\nprint()\n"
    ),
}


@MODES
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in LAST.items()])
def test_nothing_is_lost_at_the_end(tmp_path: Path, text: str, mode: str) -> None:
    done = both_streams(tmp_path, "n = 0\n" + text, "--mode", mode)
    assert done.status == 0
    for number in (1, 2, 3):
        assert f"run {number} last" in done.stdout


KILLING = """\
import os
n = 0
print(end=f"run {n} ", flush=True)
for one in open(f"/proc/{KOGINE}/task/{KOGINE}/children").read().split():
    try:
        while not (line := open(f"/proc/{one}/cmdline").read()):
            if open(f"/proc/{one}/stat").read().rsplit(")", 1)[1].split()[0] == "Z":
                break  # the other run has killed it; else its exec is under way
        if "output_process.py" in line:
            os.kill(int(one), 9)
    except (FileNotFoundError, ProcessLookupError):
        pass  # the other run has killed it, and kogine knows
print("last", flush=True)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="no /proc that lists children")
def test_half_a_line_outlives_the_process_that_copies(tmp_path: Path) -> None:
    text = KILLING.replace("{KOGINE}", "{os.getppid()}")
    done = both_streams(tmp_path, text, "--mode", "spawn")
    assert done.status == 0
    for number in (1, 2, 3):
        assert lines_of(done, number) == [f"run {number} last"]
