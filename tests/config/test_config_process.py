"""What a Python config does to the process does not reach the script; its own code keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import run_kogine, run_python

SCRIPT = """
import os, sys
x = 1
print(x, os.getcwd(), os.environ.get("ZZ"), os.environ["HOME"], sys.getrecursionlimit())
print("error", file=sys.stderr)
"""
CONFIGS = {
    "bare": "x = 3\n",
    "function": "def config_gen():\n    import kohaku_ast\n    return kohaku_ast.Config({'x': 3})\n",
    "generator": "def config_gen():\n    assert_own()\n    yield {'x': 3}\n    assert_own()\n",
}
SETS = """
import os, sys
os.chdir("/")
os.environ["ZZ"] = "1"
del os.environ["HOME"]
sys.setrecursionlimit(5000)
_out = sys.stdout = sys.stderr = sys.stdin = open(os.devnull, "w")
def assert_own():
    assert (os.getcwd(), os.environ["ZZ"], sys.getrecursionlimit()) == ("/", "1", 5000)
    assert "HOME" not in os.environ and sys.stdout is _out
_overrides = {}
"""


@pytest.mark.parametrize("mode", ["inline", "spawn"])
@pytest.mark.parametrize("config", CONFIGS)
def test_process_is_as_without_the_config(tmp_path: Path, config: str, mode: str) -> None:
    (tmp_path / "s.py").write_text(SCRIPT.replace("x = 1", "x = 3"))
    expected = run_python(tmp_path, "s.py")
    (tmp_path / "s.py").write_text(SCRIPT)
    body = CONFIGS[config].replace("x = 3", "x, assert_own = 3, assert_own\ndel assert_own")
    (tmp_path / "c.py").write_text(SETS + body)
    more = ["--mode", mode] if mode != "inline" else []
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py", *more)
    assert expected.stdout in got.stdout, got
    assert "error" in got.stderr + got.stdout
    assert got.status == 0


def test_a_config_without_streams_ends_as_every_other(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("x = 1\nprint(x)\n")
    (tmp_path / "c.py").write_text("import sys\nsys.stdout = None\nx = 2\n")
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py")
    assert (got.status, got.stdout, got.stderr) == (0, "2\n", "")


def test_a_base_and_its_heir_have_their_own(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import os\nx = y = 1\nprint(x, y, os.environ.get('ZZ'))\n")
    (tmp_path / "base.py").write_text("import os\nos.environ['ZZ'] = 'base'\ny = 2\n")
    (tmp_path / "c.py").write_text(
        "import os\nfrom kohaku_ast import use_config\nos.environ['ZZ'] = 'heir'\n"
        "use_config('base.py')\nx = os.environ['ZZ']\n"
    )
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py")
    assert got.stdout == "heir 2 None\n", got
