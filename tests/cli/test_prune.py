"""``--prune``: a search ends trials that do worse than others at the same step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kohaku_ast import Store, search
from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.exports.mlflow import _STATUSES as STATUSES_OF_MLFLOW
from kohaku_ast.flow.results import Objective
from kohaku_ast.flow.search import Search, Trials, space_of
from kohaku_ast.store.record import STATUSES
from tests.oracle import on_path, run_kogine, run_python

# A bad trial waits to be ended as soon as there are enough good ones to compare it with.
WAITS = """\
import glob, time
lr = 0
for step in range(3):
    PRINT
if lr == 0:
    open(f"good{time.time_ns()}", "w").close()
elif len(glob.glob("good*")) >= 5:
    open("waited", "a").write("x")
    for _ in range(400): time.sleep(0.05)
"""
SEARCH = ["--search", "optuna", "--minimize", "loss", "--prune", "median", "--seed", "3"]
PRINTED = "print('step:', step, 'loss:', lr * 8 + 1 / (step + 1), flush=True)"
LOGGED = "logger.log({'loss': lr * 8 + 1 / (step + 1)}, step=step)"


@pytest.mark.parametrize(
    ("call", "workers"),
    [
        pytest.param(PRINTED, "1", id="printed, one at a time"),
        pytest.param(f"from kohaku_ast.helpers import logger; {LOGGED}", "2", id="logged, two at a time"),
    ],
)  # fmt: skip
def test_a_search_ends_bad_trials(
    call: str, workers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text(WAITS.replace("PRINT", call))
    sweep = ["--sweep", "lr=0,1", "-n", "16", "--workers", workers]
    done = run_kogine(tmp_path, "run", "t.py", *sweep, *SEARCH, PYTHONPATH=on_path())
    assert done.status == 0, done
    statuses = Counter(record.status for record in Store().runs())
    waited = len((tmp_path / "waited").read_text())
    assert statuses == {"succeeded": 16 - waited, "pruned": waited}
    assert waited > 0
    assert f"16 runs: {16 - waited} succeeded, {waited} pruned in " in done.stderr
    assert f"16 trials, {waited} pruned" in done.stderr
    assert done.stderr.count("] pruned at step ") == waited
    [first, *_] = Store().runs('status == "pruned"')
    assert (first.outcome().status, first.error, first.metrics["loss"] > 8) == (
        "pruned",
        None,
        True,
    )


IN_PYTHON = """\
import sys
from collections import Counter
from kohaku_ast import Parallel, Script, Sequential, Sweep, search

trials = search(Sweep(lr=[0, 1]), n=12, minimize="loss", prune="median", seed=3)
before = Script("t.py", [{"lr": 0}])
done = Sequential([before, Script("t.py", trials)], on_error="continue").run()
print(dict(Counter(one.status for one in done)))
for options in ({"record": False}, {"mode": "inline"}):
    try:
        Sequential(Script("t.py", trials), **options).run()
    except ValueError as error:
        print(error)
"""


def test_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text(WAITS.replace("PRINT", PRINTED))
    (tmp_path / "flow.py").write_text(IN_PYTHON)
    done = run_python(tmp_path, "flow.py", PYTHONPATH=on_path())
    assert done.status == 0, done
    waited = len((tmp_path / "waited").read_text())
    counts, without_records, inline = done.stdout.splitlines()[-3:]
    assert waited > 0
    assert counts == str({"succeeded": 13 - waited, "pruned": waited})
    assert "take record=False" in without_records
    assert "take mode='inline'" in inline
    with pytest.raises(ValueError, match=r"unknown prune 'medain' .* Did you mean 'median'"):
        search(Sweep(lr=[0, 1]), n=2, minimize="loss", prune="medain")


def test_commands_know_a_pruned_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text("lr = 1\nprint('loss:', lr)\n")
    assert run_kogine(tmp_path, "run", "--record", "t.py").status == 0
    [record] = Store().runs()
    facts = record.folder / "run.json"
    facts.write_text(facts.read_text().replace('"status": "succeeded"', '"status": "pruned"'))
    stopped = run_kogine(tmp_path, "runs", "stop", "1")
    assert (stopped.status, "was ended early by its search" in stopped.stderr) == (2, True), stopped
    assert {*STATUSES} <= {*STATUSES_OF_MLFLOW}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        pytest.param(["--no-record"], "take --no-record away", id="without records"),
        pytest.param(["--mode", "inline"], "take --mode inline away", id="in this process"),
    ],
)
def test_what_cannot_prune_is_refused(more: list[str], text: str, tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("lr = 0\nloss = lr\n")
    done = run_kogine(tmp_path, "run", "t.py", "--sweep", "lr=0,1", "-n", "2", *SEARCH, *more)
    assert (done.status, done.stdout) == (2, "")
    assert text in done.stderr


@pytest.mark.parametrize(("prune", "is_ended"), [("median", True), ("", False)])
def test_the_study_compares_values_at_the_same_step(prune: str, is_ended: bool) -> None:
    space = space_of(Sweep(lr=[0, 1]))
    search = Search(space, Objective("loss", "minimize"), 6, seed=0, prune=prune)
    trials = Trials(search)
    configs: list[Config] = []
    for number, config in enumerate(trials.configs()):
        configs.append(config)
        value = 9.0 if number == 5 else 1.0
        assert trials.is_worse(config, value, 3) == (is_ended and number == 5)
        if number < 5:
            trials.settle(config, _succeeded(value))
    trials.prune(configs[-1])
    assert (search.prune, trials.search.n) == (prune, 6)
    trials.close()


def _succeeded(value: float) -> object:
    from kohaku_ast.runner.outcome import Outcome

    return Outcome("succeeded", outputs={"loss": value})
