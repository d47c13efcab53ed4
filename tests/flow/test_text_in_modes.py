"""Text for a call, for None and for an int is the same value in every mode, child and API."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.oracle import on_path, run, run_kogine, run_python

SCRIPT = """
import multiprocessing as mp
from datetime import date
from decimal import Decimal

step = Decimal("0.1")
day = date(2020, 1, 2)
flag = None
gamma = 1


def show():
    print("values", repr(step), repr(day), repr(flag), repr(gamma), flush=True)


if __name__ == "__main__":
    show()
    child = mp.get_context("spawn").Process(target=show)
    child.start()
    child.join()
"""
EDITS = [
    ('Decimal("0.1")', 'Decimal("0.30")'),
    ("date(2020, 1, 2)", "date(2021, 10, 12)"),
    ("flag = None", "flag = False"),
    ("gamma = 1", "gamma = 0.9"),
]
WORDS = ["step=0.30", "day=2021-10-12", "flag=false", "gamma=0.9"]


def edited(folder: Path) -> str:
    text = SCRIPT
    for old, new in EDITS:
        text = text.replace(old, new)
    (folder / "s.py").write_text(text)
    expected = run_python(folder, "s.py").stdout
    (folder / "s.py").write_text(SCRIPT)
    (folder / "c.yaml").write_text("".join(f"{word.replace('=', ': ')}\n" for word in WORDS))
    assert expected.count("values") == 2
    return expected


@pytest.mark.parametrize("words", [WORDS, ["--config", "c.yaml"]], ids=["words", "yaml"])
@pytest.mark.parametrize("mode", ["", "inline", "spawn", "warm"])
def test_mode(tmp_path: Path, mode: str, words: list[str]) -> None:
    expected = edited(tmp_path)
    more = ["--mode", mode, "--no-record"] if mode else []
    got = run_kogine(tmp_path, "run", "s.py", *words, *more)
    lines = [line for line in got.stdout.splitlines() if line.startswith("values")]
    assert (got.status, lines) == (0, expected.splitlines()), got


def test_python(tmp_path: Path) -> None:
    expected = edited(tmp_path)
    code = (
        "import sys; from kohaku_ast import Config, Script\n"
        "Script('s.py').run(Config.from_file('c.yaml'))\n"
    )
    (tmp_path / "api.py").write_text(code)
    got = run([sys.executable, "api.py"], tmp_path, PYTHONPATH=on_path())
    assert got.stdout == expected, got


def test_a_value_through_a_call_and_the_value_itself_are_two_runs(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("from collections import deque\nx = deque([1])\nprint(x)\n")
    run_kogine(tmp_path, "run", "s.py", "x=[2]", "--retries", "0", "--resume")
    again = run_kogine(tmp_path, "run", "s.py", "x=[2]", "--retries", "0", "--resume")
    other = run_kogine(tmp_path, "run", "--as-is", "s.py", "x=[2]", "--retries", "0", "--resume")
    assert "deque" not in again.stdout
    assert "[2]\n" in other.stdout, other
