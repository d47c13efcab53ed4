"""The seeds of a run in its record, with the values that the run had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Script, Sequential, Store
from kohaku_ast.store.record import find_runs
from tests.oracle import run_kogine

ROOT = Path(".kogine/runs")
SCRIPT = """\
import argparse, importlib, random
import helper
SEED = 1
parser = argparse.ArgumentParser()
parser.add_argument("--data-seed", type=int, default=2)
args = parser.parse_args()
random.seed(SEED)
helper.set_seed(args.data_seed)
importlib.import_module("lat" + "er")
print("loss:", random.random())
"""
HELPER = "import random\nOWN = 3\ndef set_seed(seed):\n    random.Random(seed)\nrandom.seed(OWN)\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT)
    Path("helper.py").write_text(HELPER)
    Path("later.py").write_text("import random\nrandom.seed(4)\n")


def of(name: str, facts: Any) -> list[object]:
    return [one.get("json", one.get("expression")) for one in facts["seeds"] if one["call"] == name]


def test_seeds_have_the_values_of_the_run() -> None:
    configs = [Config({}), Config({"SEED": 11, "helper.OWN": 13}, argv=["--data-seed=12"])]
    Sequential(Script("train.py", configs), mode="inline").run()
    first, second = (one.facts for one in find_runs(ROOT))
    assert of("random.seed", first) == [1, 3, 4]
    assert of("random.seed", second)[:1] == [11]
    assert 13 in of("random.seed", second)
    assert of("helper.set_seed", first) == [2]
    assert of("helper.set_seed", second) == [12]
    assert of("random.Random", second) == ["seed"]
    assert {"call": "random.seed", "file": "train.py", "line": 7, "target": "SEED", "json": 11} in (
        second["seeds"]
    )


def test_seeds_of_other_modules_have_the_values_of_the_run() -> None:
    texts = {
        "train.py": "import random\nimport settings as s\nfrom settings import SEED, Args\nfrom pkg import deep\n"
        "random.seed(SEED)\nrandom.Random(s.OTHER)\nrandom.seed(Args.seed)\nrandom.seed(deep.FAR)\nrandom.seed(s.made)\n",
        "settings.py": "SEED = 21\nOTHER = SEED\nmade = int('5')\nclass Args:\n    seed = 22\n",
        "pkg/__init__.py": "", "pkg/deep.py": "from .far import FAR\n", "pkg/far.py": "FAR = 23\n",
    }  # fmt: skip
    Path("pkg").mkdir()
    for name, text in texts.items():
        Path(name).write_text(text)
    configs = [Config({}), Config({"settings.SEED": 31, "pkg.far.FAR": 33})]
    Sequential(Script("train.py", configs), mode="inline").run()
    first, second = (one.facts for one in find_runs(ROOT))
    assert of("random.seed", first) == [21, 22, 23, "s.made"]
    assert of("random.Random", first) == [21]
    assert of("random.seed", second) == [31, 22, 33, "s.made"]
    assert of("random.Random", second) == [31]


def test_seeds_are_shown_found_and_compared() -> None:
    text = "import random\nrandom.seed({})\nprint('loss:', random.random())\n"
    for seed in ("5", "6", "int('7')"):
        Path("own.py").write_text(text.format(seed))
        Sequential(Script("own.py"), mode="inline").run()
    shown = run_kogine(Path(), "runs", "show", "1").stdout
    assert "random.seed  5  (own.py:2)" in shown
    runs = Store().runs()
    assert Store().find("seed == 6").folder == runs[1].folder
    assert [row["seed"] for row in runs.compare()] == [None, 6, 5]
    changed = Store().diff(1, 3)
    assert ("seed random.seed", "5", "int('7')") in [
        (one.name, one.first, one.second) for one in changed
    ]
    # One that a parameter gives has its column already.
    Path("param.py").write_text("import random\nSEED = 8\nrandom.seed(SEED)\n")
    Sequential(Script("param.py"), mode="inline").run()
    assert "seed" not in Store().runs(where="seed == 8").compare(everything=True).columns
    # A record of an earlier version.
    facts = json.loads((runs[0].folder / "run.json").read_text())
    del facts["seeds"]
    (runs[0].folder / "run.json").write_text(json.dumps(facts))
    assert [one.part for one in Store().diff(1, 3) if one.name.startswith("seed")] == []
    assert "# seeds" not in run_kogine(Path(), "runs", "show", "3").stdout
