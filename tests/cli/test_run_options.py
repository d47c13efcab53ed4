"""Options of ``kogine run`` that a script may have as well, or that are given without a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import run_kogine

SCRIPT = """\
import argparse
import os
p = argparse.ArgumentParser()
p.add_argument("--seed", type=int, default=0)
p.add_argument("--workers", type=int, default=1)
p.add_argument("--isolate", default="no")
lr = 0.1
print(*vars(p.parse_args()).values(), lr)
"""


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        pytest.param("s.py --seed=9", "9 1 no 0.1\n", id="behind the script it is the script's"),
        pytest.param("s.py lr=2 --workers=4", "0 4 no 2.0\n", id="and behind another override"),
        pytest.param("s.py --sweep --seed=1,2", "1 1 no 0.1\n2 1 no 0.1\n", id="swept"),
        pytest.param(
            "s.py --sweep lr=randint:3:4 -n 1 --seed=9", "9 1 no 3.0\n", id="also of a random sweep"
        ),
        pytest.param(
            "--seed=9 s.py --sweep lr=randint:3:4 -n 1", "0 1 no 3.0\n", id="before it it is ours"
        ),
        pytest.param("s.py --sweep lr=randint:3:4 -n 1 --seed 9", "9 1 no 3.0\n", id="apart, too"),
        pytest.param("s.py -- --seed 7", "7 1 no 0.1\n", id="behind the dashes it is an argument"),
        pytest.param("plain.py --sweep n=randint:3:4 -n 1 --seed=9", "3\n", id="no such option"),
    ],
)
def test_an_option_that_both_have(tmp_path: Path, arguments: str, printed: str) -> None:
    (tmp_path / "s.py").write_text(SCRIPT)
    (tmp_path / "plain.py").write_text("n = 0\nprint(n)\n")
    done = run_kogine(tmp_path, "run", *arguments.split())
    assert (done.stdout, done.status) == (printed, 0), done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        pytest.param("plain.py --seed=9", "--seed is for random axes", id="a seed for nothing"),
        pytest.param("--seed 9 s.py", "--seed is for random axes", id="before it it is ours"),
        pytest.param("s.py --seed=9 seed=8", "'--seed' is given twice", id="twice"),
        pytest.param("plain.py --isolate=yes", "--isolate takes no value", id="a flag"),
        pytest.param("--workrs 3 plain.py", "Did you mean '--workers'?", id="mistyped before it"),
        pytest.param("plain.py --workers ²", "--workers ²: a number of at least 1", id="no digit"),
        pytest.param("plain.py --workers 0", "--workers 0: a number of at least 1", id="no worker"),
        pytest.param("plain.py --nice 50", "--nice 50: at most 19", id="nicer than there is"),
    ],
)
def test_refused(tmp_path: Path, arguments: str, word: str) -> None:
    (tmp_path / "s.py").write_text(SCRIPT)
    (tmp_path / "plain.py").write_text("n = 0\nprint(n)\n")
    done = run_kogine(tmp_path, "run", *arguments.split())
    assert (done.stdout, done.status) == ("", 2)
    assert word in done.stderr


def test_isolate_alone_runs_once_in_a_fresh_process(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import os\nn = 0\nprint(n, os.getppid())\n")
    isolated = run_kogine(tmp_path, "run", "s.py", "n=3", "--isolate")
    assert isolated.status == 0
    n, parent = isolated.stdout.split()
    assert n == "3"
    assert "1 run: 1 succeeded" in isolated.stderr
    own = run_kogine(tmp_path, "run", "s.py", "n=3")
    assert own.stdout.split()[1] != parent


def test_isolate_alone_fails_as_the_run_does(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("n = 0\n1 / n\n")
    done = run_kogine(tmp_path, "run", "s.py", "--isolate")
    assert done.status == 1
    assert "failed [1/1]" in done.stderr
    assert "ZeroDivisionError" in done.stderr


CALLS = "def main(n=1):\n    print(n)\n\nif __name__ == '__main__':\n    main()\n"


@pytest.mark.parametrize(
    ("config", "arguments", "printed"),
    [
        pytest.param("_kwargs = {'n': 7}\n", "n=3", "3\n", id="a keyword"),
        pytest.param("_kwargs = {'n': 7}\n", "--sweep n=3,4", "3\n4\n", id="an axis"),
        pytest.param("_args = [7]\n", "main(n)=3", "3\n", id="an argument"),
        pytest.param("_kwargs = {'n': 7}\n", "--entrypoint main n=3", "3\n", id="the keyword of an entrypoint"),
        pytest.param("_kwargs = {'n': 7}\n", "--entrypoint main", "7\n", id="nothing above it"),
    ],
)  # fmt: skip
def test_the_command_line_wins_over_the_call_of_a_config(
    tmp_path: Path, config: str, arguments: str, printed: str
) -> None:
    (tmp_path / "s.py").write_text(CALLS)
    (tmp_path / "cfg.py").write_text(config)
    done = run_kogine(tmp_path, "run", "s.py", "--config", "cfg.py", *arguments.split())
    assert (done.stdout, done.status) == (printed, 0), done.stderr


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        pytest.param("_args = [7]\n_kwargs = {'n': 3}\n", "", id="args and kwargs"),
        pytest.param("_args = [7]\nn = 3\n", "", id="args and a target"),
        pytest.param("_kwargs = {'n': 7}\nn = 3\n", "", id="kwargs and a target"),
        pytest.param("_kwargs = {'n': 7}\nn = 3\n", "--entrypoint main", id="an entrypoint's kwargs"),
        pytest.param("_args = [7]\n", "--entrypoint main n=3", id="an entrypoint's args"),
    ],
)  # fmt: skip
def test_a_parameter_of_the_call_has_one_value(tmp_path: Path, config: str, arguments: str) -> None:
    (tmp_path / "s.py").write_text(CALLS)
    (tmp_path / "cfg.py").write_text(config)
    done = run_kogine(tmp_path, "run", "s.py", "--config", "cfg.py", *arguments.split())
    assert (done.stdout, done.status) == ("", 2)
    assert "'n' is given twice" in done.stderr


def test_argv_of_a_config_is_text(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("print('ran')\n")
    (tmp_path / "cfg.py").write_text("_argv = ['--gain', 4]\n")
    done = run_kogine(tmp_path, "run", "s.py", "--config", "cfg.py")
    assert (done.stdout, done.status) == ("", 2)
    assert "argv" in done.stderr
