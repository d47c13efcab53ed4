"""The five levels of ``docs/examples/levels``: a few lines more each, and the same result."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from tests.oracle import on_path, run_kogine, run_python

LEVELS = sorted((Path(__file__).parents[1] / "docs" / "examples" / "levels").glob("*.py"))
RESULT = "loss: 0.011972"


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_they_are_six() -> None:
    assert [one.name[0] for one in LEVELS] == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.stem)
def test_each_level_gives_the_same_result(level: Path, tmp_path: Path) -> None:
    plain = run_python(tmp_path, str(level), PYTHONPATH=on_path())
    assert (plain.status, last_line(plain.stdout)) == (0, RESULT)
    same = run_kogine(tmp_path, "run", "--record", str(level))
    assert (same.status, same.stdout) == (0, plain.stdout), same
    swept = run_kogine(tmp_path, "run", str(level), "--sweep", "epochs=20,1", "--workers", "2")
    assert swept.status == 0, swept
    assert "loss=0.011972" in swept.stderr


@pytest.mark.parametrize(("first", "added"), [(0, 2), (1, 3), (2, 2)])
def test_a_level_is_a_few_lines_more(first: int, added: int) -> None:
    before, after = (one.read_text().splitlines() for one in LEVELS[first : first + 2])
    changed = [line for line in difflib.ndiff(before, after) if line[:2] in ("+ ", "- ")]
    new = [line for line in changed if line[0] == "+" and line[2:].strip()]
    assert len(new) == added, changed


def test_the_last_one_is_a_pipeline(tmp_path: Path) -> None:
    done = run_kogine(tmp_path, "pipeline", "run", str(LEVELS[-1]), "epochs=1", "--only", "loss")
    assert done.status == 0, done
    assert float(last_line(done.stdout).partition("=")[2] or last_line(done.stdout)) > 0.011973
