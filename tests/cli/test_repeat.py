"""``--repeat``: each Config several times, as one group in the results."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from kohaku_ast.store.values import read
from tests.cli.recorded import records
from tests.oracle import run_kogine, run_python

SCRIPT = """\
import os
lr = 0.1
seed = 42
print("run", lr, seed, os.environ.get("KOGINE_REPEAT"))
print(f"loss: {lr * (seed + int(os.environ.get('KOGINE_REPEAT', 0)))}")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.py").write_text(SCRIPT)
    return tmp_path


def by_hand(folder: Path, runs: list[tuple[float, int, int]]) -> str:
    """What plain Python prints for copies with other values of ``lr`` and ``seed``."""
    printed = ""
    for lr, seed, number in runs:
        text = SCRIPT.replace("lr = 0.1", f"lr = {lr}").replace("seed = 42", f"seed = {seed}")
        (folder / "edited.py").write_text(text)
        printed += run_python(folder, "edited.py", KOGINE_REPEAT=str(number)).stdout
    return printed


MODES = pytest.mark.parametrize(
    "mode", [(), ("--mode", "inline"), ("--mode", "spawn", "--workers", "1")],
    ids=["auto", "inline", "spawn"],
)  # fmt: skip


@MODES
def test_each_config_runs_n_times_and_the_results_are_grouped(
    folder: Path, mode: tuple[str, ...]
) -> None:
    done = run_kogine(folder, "run", "s.py", "--sweep", "lr=1,2", "--repeat", "2", *mode)
    runs = [(1.0, 42, 0), (1.0, 42, 1), (2.0, 42, 0), (2.0, 42, 1)]
    assert done.stdout == by_hand(folder, runs)
    assert "[2/4] lr=1 (2 of 2)\n" in done.stderr
    assert "repeated lr=1, 2 runs: loss=42.5 ± 0.71\n" in done.stderr
    assert "repeated lr=2, 2 runs: loss=85 ± 1.4\n" in done.stderr
    assert done.status == 0


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        pytest.param("nan nan", "nan ± nan", id="nan"),
        pytest.param("1.5 nan", "nan ± nan", id="one nan"),
        pytest.param("inf 1", "inf ± nan", id="inf"),
        pytest.param("inf -inf", "nan ± nan", id="both infinities"),
        pytest.param("1e308 1e308", "1e+308 ± 0", id="the greatest numbers"),
        pytest.param("-1.7e308 1.7e308", "0 ± inf", id="far apart"),
    ],
)
def test_numbers_that_are_not_finite_are_shown(tmp_path: Path, numbers: str, shown: str) -> None:
    (tmp_path / "s.py").write_text(
        f"import os\nloss = float('{numbers}'.split()[int(os.environ['KOGINE_REPEAT'])])\n"
        "def main(): return loss\nmain()\n"
    )
    done = run_kogine(tmp_path, "run", "s.py", "--repeat", "2")
    assert done.status == 0
    assert f"value={shown}" in done.stderr
    line = run_kogine(tmp_path, "run", "s.py", "--repeat", "2", "--json").stdout.splitlines()[-1]
    assert json.loads(line)["repeated"][0]["runs"] == 2


@MODES
def test_a_named_seed_takes_the_numbers_of_the_repeats(folder: Path, mode: tuple[str, ...]) -> None:
    done = run_kogine(folder, "run", "s.py", "lr=2", "--repeat", "seed=3", *mode)
    assert done.stdout == by_hand(folder, [(2.0, n, n) for n in range(3)])
    assert "[3/3] seed=2\n" in done.stderr
    assert "repeated s.py, 3 runs: loss=4 ± 4\n" in done.stderr


def test_one_script_without_axes_is_repeated_and_resumed_by_number(folder: Path) -> None:
    run_kogine(folder, "run", "s.py", "--repeat", "2")
    done = run_kogine(folder, "run", "s.py", "--repeat", "3", "--resume")
    assert done.stdout == by_hand(folder, [(0.1, 42, 2)])
    assert "skipped 2 that succeeded before" in done.stderr
    assert "repeated s.py, 3 runs: " in done.stderr
    found = [read(one.facts["metadata"]["repeat"]) for one in records(folder)]
    assert sorted(map(str, found)) == ["0", "1", "2"]


def test_json_has_the_groups(folder: Path) -> None:
    done = run_kogine(folder, "run", "s.py", "--sweep", "lr=1,2", "--repeat", "2", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["group"], one["repeat"]) for one in lines if one["event"] == "end"] == [
        ("lr=1", 0), ("lr=1", 1), ("lr=2", 0), ("lr=2", 1),
    ]  # fmt: skip
    first = lines[-1]["repeated"][0]
    assert (first["label"], first["runs"], first["numbers"]["loss"]["mean"]) == ("lr=1", 2, 42.5)


def test_a_dry_run_shows_the_repeats(folder: Path) -> None:
    words = ["--sweep", "lr=1,2,3", "-n", "2", "--repeat", "2", "--dry-run"]
    done = run_kogine(folder, "run", "s.py", *words)
    assert done.stdout.splitlines()[-4:] == [
        "    1  lr=1 (1 of 2)", "    2  lr=1 (2 of 2)", "    3  lr=2 (1 of 2)",
        "    4  lr=2 (2 of 2)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--repeat", "0"], "at least 1", id="none"),
        pytest.param(["--repeat", "x"], "not a whole number", id="no number"),
        pytest.param(["--repeat", "=3"], "name a target", id="no target"),
        pytest.param(["--repeat", "sed=3"], "Did you mean 'seed' (line 3)?", id="unknown target"),
        pytest.param(["--repeat", "seed=3", "seed=1"], "'seed' is given twice", id="a value, too"),
        pytest.param(
            ["--repeat", "seed=3", "--sweep", "seed=1,2"], "swept twice", id="an axis, too"
        ),
        pytest.param(
            ["--sweep", "lr=1,2", "--search", "optuna", "-n", "2", "--minimize", "loss",
             "--repeat", "2"],
            "Take away --repeat", id="a search",
        ),
    ],
)  # fmt: skip
def test_refuses(folder: Path, words: list[str], message: str) -> None:
    done = run_kogine(folder, "run", "s.py", *words)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_config_file_that_sets_the_seed_gives_way(folder: Path) -> None:
    (folder / "cfg.py").write_text("seed = 7\n_sweep = {'lr': [1.0, 2.0]}\n")
    done = run_kogine(folder, "run", "s.py", "--config", "cfg.py", "--repeat", "seed=2")
    assert done.stdout == by_hand(folder, [(lr, n, n) for lr in (1.0, 2.0) for n in (0, 1)])


def test_several_scripts_are_repeated_and_only_those_with_the_seed_get_it(folder: Path) -> None:
    (folder / "other.py").write_text("print('other')\n")
    words = ["workflow", "sequential", "other.py", "s.py", "--repeat", "seed=2"]
    done = run_kogine(folder, *words)
    assert done.stdout == "other\nother\n" + by_hand(folder, [(0.1, 0, 0), (0.1, 1, 1)])
    assert "repeated s.py, 2 runs: loss=" in done.stderr


@MODES
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--repeat", "2"], id="the run alone"),
        pytest.param(["--repeat", "seed=2"], id="with a seed"),
        pytest.param(["--repeat", "seed=2", "--sweep", "lr=3,4"], id="and an axis"),
        pytest.param(["--repeat", "2", "lr=5", "--config", "c.py"], id="and a config"),
    ],
)
def test_the_command_after_a_failure_repeats_that_run(
    folder: Path, words: list[str], mode: tuple[str, ...]
) -> None:
    fails = "if os.environ['KOGINE_REPEAT'] == '1': raise ValueError\n"
    (folder / "s.py").write_text(SCRIPT + fails)
    (folder / "c.py").write_text("seed = 6\n")
    done = run_kogine(folder, "run", "s.py", *words, *mode)
    (again,) = [line for line in done.stderr.splitlines() if line.startswith("  again: ")]
    number, kogine, *command = shlex.split(again.removeprefix("  again: "))
    assert (number, kogine) == ("KOGINE_REPEAT=1", "kogine")
    one = run_kogine(folder, *command, KOGINE_REPEAT="1")
    assert one.status == 1
    assert one.stdout in done.stdout
    assert f" {number[-1]}\n" in one.stdout
