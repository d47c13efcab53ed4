"""``kogine transform``: what is printed is what ``kogine run`` compiles."""

from __future__ import annotations

import ast
import io
import os
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from kogine.main import main

from tests.oracle import FIXTURES, Finished, run

SCRIPTS = FIXTURES / "scripts"
ROOT = FIXTURES.parent
NAMES = sorted(path.name for path in SCRIPTS.glob("*.py") if path.name != "cases.py")


def kogine(folder: Path, *arguments: str) -> Finished:
    """The command in a process of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    environment = {"PYTHONPATH": path, "KOGINE_CACHE": str(folder / ".cache")}
    return run([sys.executable, "-m", "kogine", *arguments], folder, **environment)


def write(folder: Path, text: str) -> None:
    (folder / "train.py").write_bytes(text.encode())


def test_targets(tmp_path: Path) -> None:
    write(tmp_path, "lr = 0.1  # rate\nsteps = 3\nprint(lr)\n")
    done = kogine(tmp_path, "transform", "train.py", "lr=0.5")
    assert done == Finished(0, "lr = __kogine__['lr']  # rate\nsteps = 3\nprint(lr)\n", "")


def test_diff(tmp_path: Path) -> None:
    write(tmp_path, "lr = 0.1  # rate\nsteps = 3")
    done = kogine(tmp_path, "transform", "train.py", "steps=5", "--diff")
    assert done.status == 0
    assert done.stdout == (
        "--- a/train.py\n+++ b/train.py\n@@ -1,2 +1,2 @@\n lr = 0.1  # rate\n"
        "-steps = 3\n\\ No newline at end of file\n"
        "+steps = __kogine__['steps']\n\\ No newline at end of file\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "lr = 0.1\nwarm = lr\nfor lr in []: pass\nimport os\n",
            "lr = 0.1\nwarm = lr\nfor lr in []: pass\nimport os\n",
            id="no setting, no change",
        ),
        pytest.param(
            "cfg = {'a': 1, 'b': {'c': [2]}}\n",
            "cfg = {'a': __kogine__['cfg.a'], 'b': {'c': __kogine__['cfg.b.c']}}\n",
            id="entries instead of their container",
        ),
        pytest.param(
            "p.set_defaults(x=1)\np.add_argument('--x', default=2)\n"
            "p.add_argument('--y', dest='x', default=3)\n",
            "p.set_defaults(x=__kogine__['--x'])\n"
            "p.add_argument('--x', default=__kogine__['--x'])\n"
            "p.add_argument('--y', dest='x', default=__kogine__['--x'])\n",
            id="options that share an attribute",
        ),
        pytest.param("a, b = 1, 2\n", "a, b = __kogine__['a'], __kogine__['b']\n", id="unpacked"),
    ],
)
def test_without_targets_every_setting(before: str, after: str, tmp_path: Path) -> None:
    write(tmp_path, before)
    assert kogine(tmp_path, "transform", "train.py") == Finished(0, after, "")


@pytest.mark.parametrize("name", NAMES)
def test_every_script_is_shown_in_its_own_bytes(
    name: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    shutil.copy(SCRIPTS / name, tmp_path)
    assert main(["transform", str(tmp_path / name)]) == 0
    shown = capfdbinary.readouterr().out
    data = (SCRIPTS / name).read_bytes()
    ast.parse(shown)
    assert b"__kogine__" in shown
    assert shown.startswith(b"\xef\xbb\xbf") == data.startswith(b"\xef\xbb\xbf")
    assert shown.count(b"\r\n") in (0, shown.count(b"\n"))
    assert comments(shown) == comments(data)


def comments(data: bytes) -> list[str]:
    tokens = tokenize.tokenize(io.BytesIO(data).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("name", ["bom_counts.py", "crlf_grid.py", "latin1_cafe.py", "profiles.py"])
def test_a_diff_can_be_applied(
    name: str,
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copy(SCRIPTS / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["transform", name, "--diff"]) == 0
    diff = capfdbinary.readouterr().out
    assert main(["transform", name]) == 0
    whole = capfdbinary.readouterr().out
    subprocess.run(["git", "apply", "-"], input=diff, cwd=tmp_path, check=True)
    assert (tmp_path / name).read_bytes() == whole


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([], "no script given", id="no script"),
        pytest.param(["none.py"], "can't open file 'none.py'", id="no such file"),
        pytest.param(["train.py", "lrr=1"], "Did you mean 'lr'", id="an unknown target"),
        pytest.param(["train.py", "lr=abc"], "train.py:1: lr=abc", id="a value that does not fit"),
        pytest.param(["train.py", "--", "x"], "runs nothing", id="arguments for the script"),
        pytest.param(["broken.py", "x=1"], "SyntaxError", id="not Python"),
    ],
)
def test_refusals(arguments: list[str], said: str, tmp_path: Path) -> None:
    write(tmp_path, "lr = 0.1\n")
    (tmp_path / "broken.py").write_text("x = (1\n")
    done = kogine(tmp_path, "transform", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    write(tmp_path, "lr = 0.1\n" + "# line\n" * 50_000)
    command = f"{sys.executable} -m kogine transform train.py lr=1 | head -1"
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    done = run(["sh", "-c", command], tmp_path, PYTHONPATH=path)
    assert (done.stdout, done.stderr) == ("lr = __kogine__['lr']\n", "")
