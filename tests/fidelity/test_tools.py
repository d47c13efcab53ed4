"""Tools that run a program inside themselves: they see the script as if it were run alone.

With a tool below it the script does not stand at the bottom of the stack, under Python neither.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fidelity.probes import WAYS, environment

SCRIPT = """\
unrelated = 1
import sys

def f(x):
    if x > 1:
        return "more"
    return "less"

class A:
    def g(self):
        return [f(x) for x in range(2)]

if __name__ == "__main__":
    print(A().g(), sys.argv)
    if unrelated == 2:
        print("never")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "probe.py").write_text(SCRIPT)
    return tmp_path


def _run(folder: Path, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        env=environment(folder),
        check=False,
        timeout=600,
    )
    return done.stdout + done.stderr


def _kogine(way: str) -> list[str]:
    return ["-m", "kogine", "run", "probe.py", *WAYS[way]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("branch", [[], ["--branch"]], ids=["lines", "branches"])
def test_coverage_measures_the_script(branch: list[str], way: str, folder: Path) -> None:
    expected = _measured(folder, *branch, "probe.py")
    assert expected["executed_lines"]
    assert _measured(folder, *branch, *_kogine(way)) == expected


def _measured(folder: Path, *arguments: str) -> dict[str, object]:
    _run(folder, "-m", "coverage", "run", "--include=probe.py", *arguments)
    _run(folder, "-m", "coverage", "json", "-o", "report.json")
    report = json.loads((folder / "report.json").read_text())
    found: dict[str, object] = report["files"]["probe.py"]
    return found


@pytest.mark.parametrize("way", WAYS)
def test_cprofile_shows_the_functions(way: str, folder: Path) -> None:
    shown = _run(folder, "-m", "cProfile", "-s", "name", *_kogine(way))
    for function in ("4(f)", "10(g)", "1(<module>)"):
        assert f"probe.py:{function}" in shown


@pytest.mark.parametrize("way", WAYS)
def test_pdb_reaches_the_script(way: str, folder: Path) -> None:
    commands = "import os\nbreak probe.py:5\ncontinue\np x\nwhere\nclear 1\ncontinue\nquit\n"
    shown = _run(folder, "-m", "pdb", *_kogine(way), stdin=commands)
    assert "probe.py(5)f()\n-> if x > 1:" in shown
    assert "probe.py(11)<listcomp>()" in shown or "probe.py(11)g()" in shown
    assert "['less', 'less'] ['probe.py']" in shown


@pytest.mark.parametrize("way", WAYS)
def test_trace_prints_the_lines(way: str, folder: Path) -> None:
    def lines(*arguments: str) -> list[str]:
        shown = _run(folder, "-m", "trace", "--trace", *arguments)
        return [line for line in shown.splitlines() if line.startswith("probe.py(")]

    expected = lines("probe.py")
    assert len(expected) > 10
    assert lines("--module", *_kogine(way)[1:]) == expected


@pytest.mark.parametrize("way", WAYS)
def test_a_caller_of_main_gets_the_status(way: str, folder: Path) -> None:
    """``main`` with arguments returns; what the script raises comes through."""
    arguments = _kogine(way)[2:]
    program = f"from kogine.main import main\nprint('status', main({arguments}))"
    assert "\nstatus 0\n" in _run(folder, "-c", program)


@pytest.mark.parametrize("way", WAYS)
def test_import_times_can_be_read(way: str, folder: Path) -> None:
    assert "import time:" in _run(folder, "-X", "importtime", *_kogine(way))
