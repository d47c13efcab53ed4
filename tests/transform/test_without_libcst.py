"""What needs libcst, and what works where it is missing or broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.oracle import Finished, on_path, run_kogine

pytestmark = pytest.mark.usefixtures("own_builders")

SCRIPT = """\
import sys
x = 3

def main(y=1):
    print(x, y, sorted(name for name in sys.modules if name.partition(".")[0] == "libcst"))

if __name__ == "__main__":
    main()
"""
LOADED = """\
import kohaku_ast
kohaku_ast.Script("s.py").load()()
"""
CONFIG = """\
from kohaku_ast import use_config
use_config("base.py")
z = 2
"""
NODE = """\
from kohaku_ast import Pipeline, script
print(Pipeline([script("s.py", outputs="x", inputs={"x": "given"})]).run(given=2))
"""


MISSING = "rewriting a script needs libcst: pip install libcst (libcst: undefined symbol)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script, and a libcst beside it that cannot be imported."""
    (tmp_path / "s.py").write_text(SCRIPT)
    (tmp_path / "load.py").write_text(LOADED)
    (tmp_path / "base.py").write_text("z = 1\nx = z + 1\n")
    (tmp_path / "config.py").write_text(CONFIG)
    (tmp_path / "hyper.py").write_text("z = 1\n")
    (tmp_path / "uses.py").write_text("import hyper\nprint(hyper.z)\n")
    (tmp_path / "node.py").write_text(NODE)
    (tmp_path / "broken" / "libcst").mkdir(parents=True)
    failing = "raise ImportError('libcst: undefined symbol\\nmore of it')\n"
    (tmp_path / "broken" / "libcst" / "__init__.py").write_text(failing)
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def run_broken(folder: Path, *arguments: str) -> Finished:
    path = os.pathsep.join([str(folder / "broken"), on_path()])
    return run_kogine(folder, *arguments, PYTHONPATH=path)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("run", "s.py", "x=4"), id="a run"),
        pytest.param(("run", "s.py", "main(y)=4"), id="a default"),
        pytest.param(("transform", "s.py", "x=4"), id="transform"),
        pytest.param(("freeze", "s.py", "x=4"), id="freeze"),
        pytest.param(("run", "s.py", "--sweep", "x=4,5"), id="a sweep"),
        pytest.param(("run", "uses.py", "hyper.z=4"), id="a name of a module"),
        pytest.param(("run", "s.py", "--config", "config.py"), id="the base of a config"),
        pytest.param(("run", "--entrypoint", "main", "s.py"), id="the guard left out"),
    ],
)
def test_a_rewrite_ends_with_one_clear_line(folder: Path, arguments: tuple[str, ...]) -> None:
    found = run_broken(folder, *arguments)
    assert (found.status, found.stdout) == (2, "")
    assert found.stderr.startswith("kogine: error: ")
    assert found.stderr.endswith(MISSING)
    assert found.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("run", "s.py"), id="a run without an override"),
        pytest.param(("run", "--inspect", "s.py"), id="inspect"),
        pytest.param(("transform", "--diff", "load.py"), id="transform of a script without settings"),
    ],
)  # fmt: skip
def test_all_else_works(folder: Path, arguments: tuple[str, ...]) -> None:
    found = run_broken(folder, *arguments)
    assert (found.status, found.stderr) == (0, "")


def test_a_warm_run_works(folder: Path) -> None:
    run_kogine(folder, "run", "s.py", "x=4")
    assert run_broken(folder, "run", "s.py", "x=5").stdout == "5 1 []\n"


def test_a_run_without_an_override_does_not_load_it(folder: Path) -> None:
    assert run_kogine(folder, "run", "s.py").stdout == "3 1 []\n"


@pytest.mark.parametrize("script", ["load.py", "node.py"])
def test_in_python_it_is_an_error_of_ours(folder: Path, script: str) -> None:
    found = run_broken(folder, "run", script)
    assert found.status == 1
    assert f"BrokenInstallation: {MISSING}" in found.stderr
