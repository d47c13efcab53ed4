"""``--cached``, ``--inputs`` and ``kogine cache why`` for scripts, on command lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.recorded import records
from tests.oracle import Finished, on_path, run_kogine, run_python

SCRIPT = """\
import sys

lr = 0.1
print("loss:", lr * len(open("data.csv").read()))
print("to stderr", file=sys.stderr)
with open("ran.txt", "a") as file:
    file.write("x")
if lr == 9:
    sys.exit("diverged")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "data.csv").write_text("12345")
    return tmp_path


def kogine(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, *words)


def test_a_plain_run_prints_what_the_first_one_printed(folder: Path) -> None:
    first = kogine(folder, "run", "--cached", "train.py", "lr=0.5")
    assert first == Finished(0, "loss: 2.5\n", "to stderr\n")
    again = kogine(folder, "run", "train.py", "lr=0.5", "--cached")
    source, copy = records(folder)
    assert (again.status, sorted(again.stdout.splitlines())) == (0, ["loss: 2.5", "to stderr"])
    assert again.stderr == f"kogine: cached: not run; its output is that of {source.folder.name}\n"
    assert (copy.facts["cached"], copy.metrics) == (source.folder.name, {"loss": 2.5})
    shown = kogine(folder, "runs", "show", "last")
    assert f"cached       {source.folder.name}\n" in shown.stdout
    for _ in range(2):
        assert kogine(folder, "run", "--cached", "train.py", "lr=9").status == 1
    assert (folder / "ran.txt").read_text() == "xxx"


def test_a_sweep_counts_and_lists_them(folder: Path) -> None:
    words = ("run", "--cached", "train.py", "--sweep")
    kogine(folder, *words, "lr=1,2")
    again = kogine(folder, *words, "lr=2,3,1")
    assert (again.status, again.stdout) == (0, "loss: 15.0\n")
    assert "cached [1/3] lr=2: as in 2" in again.stderr
    assert "2    3   15\n3    1   5 *\n3 runs: 1 succeeded, 2 cached in " in again.stderr
    listed = kogine(folder, "runs", "ls", "--where", "cached", "--columns", "lr,loss,cached")
    assert [line.split()[:2] for line in listed.stdout.splitlines()[1:]] == [
        ["1", "5"],
        ["2", "10"],
    ]
    means = kogine(folder, "runs", "compare", "1", "2", "3", "4", "5", "--by", "lr", "--json")
    assert [one["loss n"] for one in json.loads(means.stdout)] == [1, 1, 1]
    best = kogine(folder, "runs", "best", "min:loss", "--limit", "2", "--json")
    assert [(one["number"], one["cached"]) for one in json.loads(best.stdout)] == [
        (1, None),
        (2, None),
    ]
    events = [
        json.loads(one) for one in kogine(folder, *words, "lr=2", "--json").stdout.splitlines()
    ]
    assert [one["event"] for one in events] == ["skip", "finish"]
    assert (events[0]["metrics"], events[1]["counts"]) == ({"loss": 10}, {"cached": 1})
    assert events[0]["cached"] == records(folder)[1].folder.name


@pytest.mark.parametrize(
    ("name", "text"),
    [("cfg.py", "lr = 0.5\n_inputs = ['*.csv']\n"), ("cfg.yaml", "lr: 0.5\n_inputs: ['*.csv']\n")],
)
def test_inputs_in_a_config(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    words = ("run", "--cached", "--config", name, "train.py")
    assert kogine(folder, *words).stdout == "loss: 2.5\n"
    assert "cached: not run" in kogine(folder, *words).stderr
    (folder / "data.csv").write_text("123456")
    assert kogine(folder, *words) == Finished(0, "loss: 3.0\n", "to stderr\n")
    (folder / "data.csv").rename(folder / "moved")
    done = kogine(folder, *words)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == (
        f"kogine: error: the input '*.csv' does not exist, seen from {str(folder)!r}\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cached", "--no-record"), "--cached needs a record of the run: take away --no-record"),
        (("--inputs", "x", "--no-record"), "--inputs needs a record of the run"),
        (("--cached", "--no-record", "--sweep", "lr=1"), "--cached: results are found in records"),
        (("--inputs", "no.csv"), "the input 'no.csv' does not exist"),
        (("--inputs", "no.csv", "--sweep", "lr=1,2"), "the input 'no.csv' does not exist"),
    ],
)
def test_mistakes_run_nothing(folder: Path, words: tuple[str, ...], message: str) -> None:
    done = kogine(folder, "run", "train.py", *words)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
    assert records(folder) == []


def test_why(folder: Path) -> None:
    def why(*words: str) -> str:
        done = kogine(folder, "cache", "why", *words)
        assert (done.status, done.stderr) == (0, "")
        return done.stdout

    assert why("train.py") == "would run: it never ran successfully\n"
    kogine(folder, "run", "--cached", "train.py", "lr=9")
    failed = "would run: it never ran successfully; it has failed, and failures are never cached\n"
    assert why("train.py", "lr=9") == failed
    kogine(folder, "run", "--cached", "train.py", "--sweep", "lr=1,2", "--inputs", "data.csv")
    one, two = (record.folder.name for record in records(folder)[1:])
    with_inputs = ("--inputs", "data.csv")
    assert why("train.py", "lr=1", *with_inputs) == f"would be cached from {one}\n"
    assert why(one) == f"would be cached from {one}\n"
    standard_input = run_kogine(folder, "cache", "why", "-", stdin=SCRIPT)
    assert standard_input.stdout == "would run: it never ran successfully\n"
    changed = f"would run: changed since {two}, the nearest run that succeeded\n"
    assert why("last", "lr=3") == f"{changed}part   name  before  now\nvalue  lr    2.0     3.0\n"
    (folder / "train.py").write_text(SCRIPT.replace("lr = 0.1", "lr = 0.3"))
    (folder / "data.csv").write_text("1")
    found = json.loads(why("last", "--json"))
    assert (found["state"], found["run"]) == ("runs", two)
    assert [(row["part"], row["name"]) for row in found["changes"]] == [
        ("script", "train.py"), ("input", "data.csv")
    ]  # fmt: skip
    shown = why("train.py", "lr=2", *with_inputs)
    assert "-lr = 0.1\n+lr = 0.3\n" in shown
    assert (folder / "ran.txt").read_text() == "xxx"


def test_inputs_of_a_run_that_is_repeated(folder: Path) -> None:
    kogine(folder, "run", "--inputs", "data.csv", "train.py", "lr=2")
    kogine(folder, "runs", "export", "config", "1", "-o", "old.py")
    kogine(folder, "runs", "repeat", "1")
    kogine(folder, "run", "--cached", "--config", "old.py", "train.py")
    first, again, copy = records(folder)
    assert first.facts["inputs"] == again.facts["inputs"]
    assert copy.facts["cached"] == again.folder.name


def test_why_of_what_is_neither_a_script_nor_a_run(folder: Path) -> None:
    done = kogine(folder, "cache", "why", "nothing")
    assert (done.status, done.stdout) == (2, "")
    assert "no run 'nothing'" in done.stderr
    (folder / "own.py").write_text(
        "from kohaku_ast.helpers import logger\nlogger.log({'loss': 1})\n"
    )
    run_python(folder, "own.py", PYTHONPATH=on_path())
    done = kogine(folder, "cache", "why", "last")
    assert (done.status, "was recorded by its script" in done.stderr) == (2, True)
    kogine(folder, "run", "--record", "train.py", "lr=2")
    (folder / "train.py").write_text("lr = = 1\n")
    done = kogine(folder, "cache", "why", "last")
    assert done.stderr.endswith("SyntaxError: invalid syntax\n")
    (folder / "train.py").write_text(SCRIPT)
    done = kogine(folder, "cache", "why", "train.py", "--node", "total")
    assert "--node is for pipelines, and train.py defines none" in done.stderr


LONG = """\
import os
from kohaku_ast.helpers import checkpoints

begun = checkpoints.load(default=0)
total = begun + len(open("data.csv").read())
checkpoints.save(total, step=0)
if os.path.exists("die"):
    os.unlink("die")
    os.kill(os.getpid(), 9)
print("from", begun, "total:", total)
"""


def test_checkpoints_of_other_runs_are_in_a_result(folder: Path) -> None:
    (folder / "train.py").write_text(LONG)
    words = ("run", "--cached", "--inputs", "data.csv", "train.py")
    (folder / "die").touch()
    assert kogine(folder, *words).status == -9
    (killed,) = records(folder)

    def resume() -> Finished:
        return run_kogine(folder, *words, KOGINE_RESUMED_FROM=str(killed.folder))

    assert resume() == resume() == Finished(0, "from 5 total: 10\n", "")
    names = [one.facts.get("resumed_from") for one in records(folder)]
    assert names == [None, killed.folder.name, killed.folder.name]
    # All that the checkpoint depends on is as it was.
    assert kogine(folder, *words).stdout == "from 5 total: 10\n"
    why = ("cache", "why", *words[2:])
    found = run_kogine(folder, *why, KOGINE_RESUMED_FROM=str(killed.folder)).stdout.splitlines()
    assert found[2].split(None, 2)[::2] == ["checkpoint", "goes on from it"]
    (folder / "data.csv").write_text("1")
    assert resume().stdout == "from 5 total: 6\n"
    assert kogine(folder, *words).stdout == "from 0 total: 1\n"
