"""Scripts that fork: the run is the process that was started, whatever its children do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle import on_path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

SCRIPT = """\
import atexit, os, signal, sys
n = 0
how = "exit"
def main():
    global n
    pid = os.fork()
    if pid == 0:
        n = "child"
        atexit.register(print, "ends")
        if how == "exit": sys.exit(5)
        if how == "huge": sys.exit(2**80)
        if how == "text": sys.exit("text")
        if how == "raise": raise ValueError("in the child")
        if how == "interrupt": raise KeyboardInterrupt
        return "child"
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return n
if __name__ == "__main__":
    main()
"""
FLOW = """\
import sys
from kohaku_ast import Config, Script, Sequential, Sweep
mode, how = sys.argv[1:]
sweep = Sweep(n=[1, 2, 3]) | Config({"how": how}, outputs=["n"])
flow = Sequential(Script("script.py", sweep), mode=mode, on_error="continue", record=False)
print([(one.status, one.value, one.outputs["n"]) for one in flow.run()])
"""
ONE = """\
import sys
from kohaku_ast import run
print(run("script.py", how=sys.argv[1], n=1).value)
"""
# From Python 3.12 on its shutdown stumbles over such a status, and prints that.
_HUGE = ["huge"] if sys.version_info < (3, 12) else []
HOW = pytest.mark.parametrize("how", ["exit", *_HUGE, "text", "raise", "interrupt", "return"])


def _seen(folder: Path, *command: str) -> tuple[list[str], str]:
    (folder / "script.py").write_text(SCRIPT)
    (folder / "flow.py").write_text(FLOW)
    (folder / "one.py").write_text(ONE)
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=600,
        check=True, env={**os.environ, "PYTHONPATH": on_path()},
    )  # fmt: skip
    return done.stdout.splitlines(), done.stderr


def _plain(folder: Path, how: str) -> tuple[list[str], str]:
    (folder / "edited.py").write_text(SCRIPT.replace('"exit"', repr(how), 1))
    out, err = _seen(folder, "edited.py")
    return out, err.replace("edited.py", "script.py")


@HOW
@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_a_flow_has_the_runs_that_it_has_started(mode: str, how: str, tmp_path: Path) -> None:
    out, err = _plain(tmp_path, how)
    shown = "[('succeeded', 1, 1), ('succeeded', 2, 2), ('succeeded', 3, 3)]"
    assert _seen(tmp_path, "flow.py", mode, how) == ([*out, *out, *out, shown], 3 * err)


@HOW
def test_a_child_does_not_go_on_with_the_callers_program(how: str, tmp_path: Path) -> None:
    out, err = _plain(tmp_path, how)
    assert _seen(tmp_path, "one.py", how) == ([*out, "1"], err)
