"""How long runs took, on a machine whose clock is set back while they run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.oracle import on_path, run_kogine, run_python

BACK = """\
import time
_time, _offset = time.time, [0.0]
def back():
    _offset[0] -= 5
    return _time() + _offset[0]
time.time = back
"""
"""A ``sitecustomize``: in every process each look at the clock sets it back by 5 seconds."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BACK)
    (tmp_path / "s.py").write_text("x = 1\nif x == 2: raise ValueError(x)\n")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--sweep", "x=1,2"), id="default"),
        pytest.param(("--sweep", "x=1,2", "--mode", "inline"), id="inline"),
        pytest.param(("--sweep", "x=1,2", "--mode", "spawn"), id="spawn"),
        pytest.param(("--sweep", "x=1,2", "--mode", "warm"), id="warm"),
        pytest.param(("--record",), id="one run"),
    ],
)
def test_no_duration_of_a_record_is_negative(folder: Path, words: tuple[str, ...]) -> None:
    done = run_kogine(folder, "run", "s.py", *words, PYTHONPATH=f"{folder / 'site'}:{on_path()}")
    found = [json.loads(path.read_text()) for path in folder.glob(".kogine/runs/*/run.json")]
    assert found, done.stderr
    for one in found:
        assert 0 <= one["seconds"] < 60
        assert one["started"] <= one["ended"]


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_no_outcome_took_less_than_nothing(folder: Path, mode: str) -> None:
    (folder / "flow.py").write_text(
        "from kohaku_ast import Sequential, Script, Sweep\n"
        f"flow = Sequential(Script('s.py', Sweep(x=[1, 3])), mode={mode!r})\n"
        "if __name__ == '__main__':\n"
        "    for one in flow.run(): print(0 <= one.seconds < 60)\n"
        "    print(0 <= Script('s.py').run().seconds < 60)\n"
    )
    done = run_python(folder, "flow.py", PYTHONPATH=f"{folder / 'site'}:{on_path()}")
    assert done.stdout.split() == ["True"] * 3, done.stderr
