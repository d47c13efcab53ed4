"""The help, the version, and what is no command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kogine.commands import _COMMANDS
from kogine.options import RUN_OPTIONS

from kohaku_ast.version import VERSION
from tests.oracle import FIXTURES, Finished, run

ROOT = FIXTURES.parent
PATH = os.pathsep.join([str(ROOT), str(ROOT / "cli")])


def kogine(folder: Path, *arguments: str) -> Finished:
    return run([sys.executable, "-m", "kogine", *arguments], folder, PYTHONPATH=PATH)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=["nothing", "--help", "-h"])
def test_help(arguments: list[str], tmp_path: Path) -> None:
    done = kogine(tmp_path, *arguments)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: kogine ")
    assert all(name in done.stdout for name in _COMMANDS)


@pytest.mark.parametrize("name", list(_COMMANDS))
@pytest.mark.parametrize("place", ["before the script", "behind it"])
def test_help_of_a_command(name: str, place: str, tmp_path: Path) -> None:
    arguments = ["--help"] if place == "before the script" else ["train.py", "x=1", "-h"]
    done = kogine(tmp_path, name, *arguments)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: kogine {name} [OPTIONS] {_COMMANDS[name][1].split()[0]}")
    assert all(option in done.stdout for option, _, _ in _COMMANDS[name][0])


def test_every_short_option_is_in_the_help(tmp_path: Path) -> None:
    shown = kogine(tmp_path, "run", "--help").stdout
    assert "-c, --config" in shown
    assert all(text.split(": ")[-1].split()[-1] in shown for _, _, text in RUN_OPTIONS)


def test_help_behind_dashes_is_for_the_script(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import sys\nprint(sys.argv)\n")
    done = kogine(tmp_path, "run", "train.py", "--", "--help")
    assert done == Finished(0, "['train.py', '--help']\n", "")


def test_version(tmp_path: Path) -> None:
    assert kogine(tmp_path, "--version") == Finished(0, f"kogine {VERSION}\n", "")


def test_version_does_not_read_the_metadata(tmp_path: Path) -> None:
    program = (
        "import sys; from kogine.main import main; status = main(['--version']); "
        "sys.exit(status or 'importlib.metadata' in sys.modules)"
    )
    # -S: an editable install may import it at the start of Python.
    click = Path(__import__("click").__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([PATH, str(click)])},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["rnu"], "Did you mean 'run'?", id="a typo"),
        pytest.param(["quux"], "expected one of: run, transform, freeze", id="no command"),
        pytest.param(["train.py"], "To run it: kogine run train.py", id="a script"),
        pytest.param(["--bogus"], "--bogus", id="an unknown option"),
        pytest.param(["run"], "no script given", id="no script to run"),
        pytest.param(["freeze", "x.py", "--bogus"], "--bogus", id="an option it does not have"),
    ],
)
def test_what_is_no_command(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = kogine(tmp_path, *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith("kogine: error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
